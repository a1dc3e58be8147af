/* A reader's view of what a running pool knows of services and targets: for `faregate explain`. */
#include "service/service.h"
#include "service/targets_layout.h"

static bool
point_to(struct fg_targets *targets, struct fg_str service, struct fg_str url, struct fg_target_state **state, int32_t *number)
{
	struct fg_target_state *found = fg_targets_look(targets, service, url);
	size_t at;

	if (found == NULL)
		return false;
	at = (size_t)((char *)found - (char *)targets->shared->states) / sizeof(targets->shared->states[0]);
	*state = found;
	*number = (int32_t)at;
	return true;
}

size_t
fg_targets_point(struct fg_targets *targets, struct fg_service *service)
{
	size_t known = point_to(targets, service->name, FG_STR_NONE, &service->state, &service->number);

	for (size_t i = 0; i < service->target_count; i++)
		known += point_to(
		    targets, service->name, service->targets[i].url, &service->targets[i].state, &service->targets[i].number);
	return known;
}
