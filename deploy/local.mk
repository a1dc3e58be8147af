# Files for the web servers and systemd; the end-to-end tests start these very files.
