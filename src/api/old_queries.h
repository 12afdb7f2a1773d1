/* The text syntax of queries before 1.5: equal("name", ["a", "b"]), limit(25). */
#ifndef OLD_QUERIES_H
#define OLD_QUERIES_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"

/*
 * The same query in the newer form: {"method","attribute","values"}. NULL with
 * GENERAL_QUERY_INVALID.
 */
json_t *old_query_read(const char *text, size_t bytes, struct error *err);

#endif
