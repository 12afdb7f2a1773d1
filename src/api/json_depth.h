/* Guards in front of the JSON parser. */
#ifndef JSON_DEPTH_H
#define JSON_DEPTH_H

#include <jansson.h>
#include <stddef.h>

enum { JSON_DEPTH = 64 };

/*
 * Parses foreign JSON: nested at most JSON_DEPTH deep, no duplicate keys, strict UTF-8; NUL inside
 * strings is fine. NULL when it is none of that; *ret_reason is then a phrase.
 */
json_t *json_read(const char *text, size_t bytes, const char **ret_reason);

#endif
