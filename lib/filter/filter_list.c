/* The list of filters as data. */
#include "filter/filter.h"
#include "filter/filter_list.h"

#include <stddef.h>

const struct fg_filter_type *const fg_filter_types[] = {
#define FG_FILTER_ROW(name) &fg_filter_##name,
    FG_FILTER_LIST(FG_FILTER_ROW)
#undef FG_FILTER_ROW
    NULL,
};
