# The program. libfcgi is used here alone (fcgi.c).
bin_PROGRAMS += fcgi-app/faregate
fcgi_app_faregate_SOURCES = \
	fcgi-app/cgi.h \
	fcgi-app/commands.h \
	fcgi-app/handover.c fcgi-app/handover.h \
	fcgi-app/main.c \
	fcgi-app/worker.h
fcgi_app_faregate_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS)
fcgi_app_faregate_LDADD = lib/libfaregate.a $(FG_LIBS) $(FCGI_LIBS) $(ALLOC_LIBS)
