/* What /proc says of a process. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELD_STATE = 3, FIELD_BORN = 22 };

/* The line of /proc/PID/stat from its third field on; what stands before may have anything in it. NULL: it cannot be read. */
static const char *
read_fields(pid_t pid, char line[1024])
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	len = read(fd, line, 1023);
	close(fd);
	if (len <= 0)
		return NULL;
	line[len] = '\0';
	line = strrchr(line, ')');
	return line == NULL || line[1] != ' ' ? NULL : line + 2;
}

static uint64_t
born_of(const char *fields)
{
	for (int field = FIELD_STATE; field < FIELD_BORN && fields != NULL; field++) {
		fields = strchr(fields, ' ');
		fields += fields != NULL;
	}
	return fields == NULL ? 0 : strtoull(fields, NULL, 10);
}

uint64_t
fg_process_born(pid_t pid)
{
	char line[1024];

	return born_of(read_fields(pid, line));
}

bool
fg_process_is_gone(pid_t pid, uint64_t born)
{
	const char *fields;
	char line[1024];
	uint64_t now;

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return true;
	fields = read_fields(pid, line);
	/* Nothing to be read: it may just have been waited for. */
	if (fields == NULL)
		return kill(pid, 0) < 0 && errno == ESRCH;
	now = born_of(fields);
	return *fields == 'Z' || *fields == 'X' || (born != 0 && now != 0 && now != born);
}
