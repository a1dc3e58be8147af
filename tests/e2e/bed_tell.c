/* What the logs of open beds say of a scene that failed: their folders may be gone when somebody asks. */
#include "e2e/bed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MOST_BEDS = 8, MOST_LOGS = 4, LINES_OF_EACH = 5, MOST_COLUMNS = 240, TICK_NS = 20 * 1000 * 1000 };

static struct bed *open_beds[MOST_BEDS];
static struct timespec began; /* the scene that runs */
static char *first;           /* of the first scene that failed; NULL: none has */

void
bed_tell_of(struct bed *bed, bool is_open)
{
	for (size_t i = 0; i < MOST_BEDS; i++) {
		if (open_beds[i] == (is_open ? NULL : bed)) {
			open_beds[i] = is_open ? bed : NULL;
			return;
		}
	}
}

void
bed_scene_begins(void)
{
	clock_gettime(CLOCK_REALTIME, &began);
}

static int64_t
nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* A log with something of this scene; times of files lag behind by a tick. */
static bool
has_news(const struct bed *bed, const char *name)
{
	char path[BED_PATH_BYTES * 2];
	const char *end = strrchr(name, '.');
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", bed->dir, name);
	return end != NULL && strcmp(end, ".log") == 0 && stat(path, &st) == 0 && st.st_size > 0 &&
	    nanoseconds(&st.st_mtim) + TICK_NS >= nanoseconds(&began);
}

static void
tell_tail(FILE *out, const struct bed *bed, const char *name)
{
	char *text = bed_read(bed, name), *line;
	size_t len = strlen(text), at = len;

	for (unsigned lines = 0; at > 0; at--)
		if (text[at - 1] == '\n' && at < len && ++lines == LINES_OF_EACH)
			break;
	for (line = strtok(text + at, "\n"); line != NULL; line = strtok(NULL, "\n"))
		fprintf(out, "  %s| %.*s\n", name, (int)MOST_COLUMNS, line);
	free(text);
}

static void
tell_bed(FILE *out, const struct bed *bed)
{
	DIR *dir = opendir(bed->dir);
	struct dirent *entry;
	unsigned logs = 0;

	fprintf(out, "e2e: the last lines of what was logged, in %s\n", bed->dir);
	if (has_news(bed, "pool.log"))
		tell_tail(out, bed, "pool.log");
	while (dir != NULL && (entry = readdir(dir)) != NULL && logs < MOST_LOGS)
		if (strcmp(entry->d_name, "pool.log") != 0 && has_news(bed, entry->d_name)) {
			tell_tail(out, bed, entry->d_name);
			logs++;
		}
	if (dir != NULL)
		closedir(dir);
}

void
bed_scene_failed(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; out != NULL && i < MOST_BEDS; i++) {
		if (open_beds[i] == NULL)
			continue;
		open_beds[i]->has_failed = true;
		tell_bed(out, open_beds[i]);
	}
	if (out == NULL || fclose(out) != 0)
		return;
	fputs(text, stderr);
	if (first == NULL)
		first = text;
	else
		free(text);
}

void
bed_tell_first_failure(void)
{
	if (first != NULL)
		fputs(first, stderr);
	free(first);
	first = NULL;
}
