# The program. libfcgi is used here alone (fcgi.c).
bin_PROGRAMS += fcgi-app/faregate
fcgi_app_faregate_SOURCES = \
	fcgi-app/main.c
fcgi_app_faregate_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS)
fcgi_app_faregate_LDADD = lib/libfaregate.a $(FG_LIBS) $(FCGI_LIBS) $(ALLOC_LIBS)
