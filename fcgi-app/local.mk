# The program. libfcgi is used here alone (fcgi.c).
bin_PROGRAMS += fcgi-app/faregate
fcgi_app_faregate_SOURCES = \
	fcgi-app/cgi.c fcgi-app/cgi.h \
	fcgi-app/cmd_check.c \
	fcgi-app/cmd_control.c \
	fcgi-app/cmd_explain.c \
	fcgi-app/cmd_limits.c \
	fcgi-app/cmd_revoke.c \
	fcgi-app/cmd_routes.c \
	fcgi-app/cmd_run.c \
	fcgi-app/cmd_token.c \
	fcgi-app/cmd_version.c \
	fcgi-app/commands.h \
	fcgi-app/fcgi.c fcgi-app/fcgi.h \
	fcgi-app/front.c fcgi-app/front.h fcgi-app/front_conn.c fcgi-app/front_hold.c fcgi-app/front_read.c fcgi-app/front_internal.h \
	fcgi-app/handover.c fcgi-app/handover.h \
	fcgi-app/main.c \
	fcgi-app/notify.c fcgi-app/notify.h \
	fcgi-app/cmd_key.c fcgi-app/cmd_key.h fcgi-app/key_file.c fcgi-app/key_file.h fcgi-app/key_records.c \
	fcgi-app/offline.c fcgi-app/offline.h \
	fcgi-app/options.c fcgi-app/options.h \
	fcgi-app/pidfile.c fcgi-app/pidfile.h \
	fcgi-app/pool.c fcgi-app/pool.h \
	fcgi-app/privileges.c fcgi-app/privileges.h \
	fcgi-app/records.c fcgi-app/records.h \
	fcgi-app/sockets.c fcgi-app/sockets.h \
	fcgi-app/spawned.c fcgi-app/spawned.h \
	fcgi-app/supervisor.c fcgi-app/supervisor.h \
	fcgi-app/worker.c fcgi-app/worker.h
fcgi_app_faregate_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS)
fcgi_app_faregate_LDADD = lib/libfaregate.a $(FG_LIBS) $(FCGI_LIBS) $(ALLOC_LIBS)
dist_man_MANS += fcgi-app/faregate.8
