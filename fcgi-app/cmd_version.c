/* faregate version: which program this is, and what is built into it. */
#include <config.h>
#include <stdio.h>

#include "base/buf.h"
#include "client/client.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"

static const char help[] =
    "Usage: faregate version [--json]\n"
    "\n"
    "The version, and the libraries and features built in.\n";

int
fg_cmd_version(int argc, char **argv)
{
	struct fg_str client = fg_str_from(fg_client_version());
	struct fg_options options;
	struct fg_buf out;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_JSON, help, &status))
		return status;
	if (!options.json) {
		printf("faregate " PACKAGE_VERSION "\nclient     %s\nallocator  " FG_ALLOCATOR "\nconfig     %s\n", client.p,
		    FG_SYSCONFDIR "/faregate.yaml");
		return FG_EXIT_OK;
	}
	fg_buf_init(&out, 4096);
	fg_buf_add(&out, FG_STR("{\"version\":\"" PACKAGE_VERSION "\",\"client\":\""));
	fg_buf_add_json(&out, client);
	fg_buf_add(&out, FG_STR("\",\"allocator\":\"" FG_ALLOCATOR "\",\"config\":\""));
	fg_buf_add_json(&out, FG_STR(FG_SYSCONFDIR "/faregate.yaml"));
	fg_buf_add(&out, FG_STR("\"}\n"));
	fwrite(out.p, 1, out.len, stdout);
	fg_buf_fini(&out);
	return FG_EXIT_OK;
}
