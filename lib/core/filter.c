/* Looking filters up in the list of all (filter/filter_list.c, which stands above). */
#include "core/filter.h"

#include "base/assert.h"
#include "core/exchange.h"

size_t
fg_filter_number(const struct fg_filter_type *type)
{
	size_t number = 0;

	while (fg_filter_types[number] != type) {
		FG_ASSERT(fg_filter_types[number] != NULL);
		number++;
	}
	return number;
}

void *
fg_filter_state(const struct fg_gateway *gw, const struct fg_filter_type *type)
{
	return gw->filter_state[fg_filter_number(type)];
}
