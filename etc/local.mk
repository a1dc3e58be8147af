# The configuration that is installed, where there is none yet: a user's own is never overwritten. And its reference.
dist_man_MANS += etc/faregate.yaml.5
dist_doc_DATA = etc/minimal.yaml etc/reasons.md etc/reference.md etc/services.md
examplesdir = $(docdir)/examples
dist_examples_DATA = etc/faregate.yaml

install-data-hook:
	$(MKDIR_P) "$(DESTDIR)$(pkgsysconfdir)"
	test -e "$(DESTDIR)$(pkgsysconfdir)/faregate.yaml" || \
		$(INSTALL_DATA) $(srcdir)/etc/faregate.yaml "$(DESTDIR)$(pkgsysconfdir)/faregate.yaml"

# What the user has changed stays.
uninstall-hook:
	! cmp -s $(srcdir)/etc/faregate.yaml "$(DESTDIR)$(pkgsysconfdir)/faregate.yaml" || \
		rm -f "$(DESTDIR)$(pkgsysconfdir)/faregate.yaml"
