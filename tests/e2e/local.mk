# End-to-end tests: real web servers in front, scripted services behind.
