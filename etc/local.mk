# The configuration that is installed, and its reference.
dist_pkgsysconf_DATA = etc/faregate.yaml
dist_doc_DATA = etc/minimal.yaml etc/reference.md
