/*
 * The parameters of a header value: ; name=token; name="quoted \"text\"". Lenient, as the clients
 * are.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copies the value of a parameter (name in lower case) out of `form-data; name="a"`. Owned by the
 * caller; NULL if absent. In a quoted value only \" and \\ are escapes: a backslash before anything
 * else is meant.
 */
char *parameter_find(const char *header, size_t bytes, const char *name);

#endif
