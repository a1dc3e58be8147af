# Files for the web servers and systemd; the end-to-end tests start these very files.
lighttpdsnippetdir = $(datadir)/faregate/lighttpd
dist_lighttpdsnippet_DATA = \
	deploy/lighttpd/faregate-cgi.conf \
	deploy/lighttpd/faregate-socket.conf \
	deploy/lighttpd/faregate-spawn.conf \
	deploy/lighttpd/faregate-tcp.conf
apachesnippetdir = $(datadir)/faregate/apache
dist_apachesnippet_DATA = \
	deploy/apache/faregate-cgi.conf \
	deploy/apache/faregate-fcgid.conf \
	deploy/apache/faregate-proxy.conf

logrotatesnippetdir = $(datadir)/faregate/logrotate
dist_logrotatesnippet_DATA = deploy/logrotate/faregate

systemdsystemunit_DATA = deploy/systemd/faregate.service
EXTRA_DIST += deploy/systemd/faregate.service.in deploy/systemd/faregate.sysusers
CLEANFILES += deploy/systemd/faregate.service
deploy/systemd/faregate.service: deploy/systemd/faregate.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) deploy/systemd && $(SED) -e 's,@bindir\@,$(bindir),g' \
		-e 's,@sysconfdir\@,$(sysconfdir),g' $(srcdir)/deploy/systemd/faregate.service.in > $@

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(sysusersdir)"
	$(INSTALL_DATA) $(srcdir)/deploy/systemd/faregate.sysusers "$(DESTDIR)$(sysusersdir)/faregate.conf"
uninstall-local:
	rm -f "$(DESTDIR)$(sysusersdir)/faregate.conf"

# A Debian package of what `make dist` packs, built as Debian builds it: in faregate_VERSION_ARCH.deb. Takes debhelper.
EXTRA_DIST += deploy/debian/README.Debian deploy/debian/changelog deploy/debian/control deploy/debian/copyright \
	deploy/debian/faregate.docs deploy/debian/faregate.lighttpd deploy/debian/faregate.site deploy/debian/postrm \
	deploy/debian/prerm deploy/debian/rules deploy/debian/source/format
.PHONY: deb
deb: dist
	rm -rf deb-build && $(MKDIR_P) deb-build
	tar -C deb-build -xf $(distdir).tar.xz
	cp -R deb-build/$(distdir)/deploy/debian deb-build/$(distdir)/debian
	cd deb-build/$(distdir) && dpkg-buildpackage -us -uc -b
	mv deb-build/*.deb deb-build/*.buildinfo deb-build/*.changes .
	rm -rf deb-build
CLEANFILES += *.deb *.buildinfo *.changes
