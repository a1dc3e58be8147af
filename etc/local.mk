# The configuration that is installed, and its reference.
