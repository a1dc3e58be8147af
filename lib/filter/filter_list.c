/* The list of filters as data. */
#include "filter/filter_list.h"

#include "core/filter.h"

const struct fg_filter_type *const fg_filter_types[] = {
#define FG_FILTER_ROW(name) &fg_filter_##name,
    FG_FILTER_LIST(FG_FILTER_ROW)
#undef FG_FILTER_ROW
    NULL,
};
