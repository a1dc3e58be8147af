/* A configuration of any bytes: it is read, or refused with a message; nothing leaks, nothing crashes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fg-fuzz-XXXXXX";
	struct fg_config *config = NULL;
	struct fg_buf errors;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	fg_buf_init(&errors, 1024 * 1024);
	if (fg_config_load(&config, path, &errors) == FG_OK)
		fg_config_free(config);
	else
		FG_ASSERT(errors.len > 0 && config == NULL);
	fg_buf_fini(&errors);
	unlink(path);
	return 0;
}
