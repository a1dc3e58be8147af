/* Values that several sections of the configuration have: parsers and checks of keys. */
#ifndef FG_CORE_VALUE_KEYS_H
#define FG_CORE_VALUE_KEYS_H

#include "conf/keys.h"

/* CUSTOM, a fg_method_set: one method or a list of them; GET brings HEAD with it. */
#define FG_VALUE_METHODS_FORM "a method or a list of methods"
#define FG_VALUE_METHODS_SCHEMA "\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}"
fg_conf_parse_fn fg_value_parse_methods;
/* The checks of a STRING: any header's name; a value that can stand in a header. */
fg_conf_parse_fn fg_value_check_header_name, fg_value_check_header_value;
/* CUSTOM, a struct fg_var: a request variable. */
fg_conf_parse_fn fg_value_parse_var;
/* The element of a list of networks (struct fg_cidr). */
extern const struct fg_conf_key fg_value_network_item;

#endif
