/* The list of filters as data. */
#include "filter/filter.h"
#include "filter/filter_list.h"

#include "core/exchange.h"

const struct fg_filter_type *const fg_filter_types[] = {
#define FG_FILTER_ROW(name) &fg_filter_##name,
    FG_FILTER_LIST(FG_FILTER_ROW)
#undef FG_FILTER_ROW
    NULL,
};

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
