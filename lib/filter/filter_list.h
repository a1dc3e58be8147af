/* Every filter, a line each, in the order in which those of one stage run. */
#ifndef FG_FILTER_FILTER_LIST_H
#define FG_FILTER_FILTER_LIST_H

#define FG_FILTER_LIST(X) \
	X(cors) \
	X(auth) \
	X(require) \
	X(limits) \
	X(idempotency) \
	X(request) \
	X(response)

#define FG_FILTER_DECLARE(name) extern const struct fg_filter_type fg_filter_##name;
FG_FILTER_LIST(FG_FILTER_DECLARE)
#undef FG_FILTER_DECLARE

#endif
