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

systemdsystemunit_DATA = deploy/systemd/faregate.service
EXTRA_DIST += deploy/systemd/faregate.service.in
CLEANFILES += deploy/systemd/faregate.service
deploy/systemd/faregate.service: deploy/systemd/faregate.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) deploy/systemd && $(SED) -e 's,@bindir\@,$(bindir),g' \
		-e 's,@sysconfdir\@,$(sysconfdir),g' $(srcdir)/deploy/systemd/faregate.service.in > $@
