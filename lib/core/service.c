/* Which target of a service gets the next request. */
#include "core/service.h"

#include "base/assert.h"

const struct fg_target *
fg_service_pick(const struct fg_service *service, struct fg_service_state *state)
{
	size_t best = 0;
	int total = 0;

	FG_ASSERT(service->target_count > 0);
	if (service->target_count == 1)
		return &service->targets[0];
	for (size_t i = 0; i < service->target_count; i++) {
		state->credit[i] += (int)service->targets[i].weight;
		total += (int)service->targets[i].weight;
		if (state->credit[i] > state->credit[best])
			best = i;
	}
	state->credit[best] -= total;
	return &service->targets[best];
}
