/* Values of HTTP as they stand in the configuration, whatever section they stand in: parsers and checks of keys. */
#ifndef FG_CORE_HTTP_KEYS_H
#define FG_CORE_HTTP_KEYS_H

#include "conf/keys.h"

/* CUSTOM, a fg_method_set: one method or a list of them; GET brings HEAD with it. */
#define FG_HTTP_METHODS_FORM "a method or a list of methods"
#define FG_HTTP_METHODS_SCHEMA "\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}"
fg_conf_parse_fn fg_http_parse_methods;
/* The checks of a STRING: any header's name; a value that can stand in a header. */
fg_conf_parse_fn fg_http_check_header_name, fg_http_check_header_value;

#endif
