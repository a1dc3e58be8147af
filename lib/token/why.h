/* Within token/ only: an error, and the constant sentence that goes with it to whoever asked for one. */
#ifndef FG_TOKEN_WHY_H
#define FG_TOKEN_WHY_H

#include "base/err.h"

static inline enum fg_err
fg_refuse(enum fg_err err, const char **why, const char *text)
{
	if (why != NULL)
		*why = text;
	return err;
}

#endif
