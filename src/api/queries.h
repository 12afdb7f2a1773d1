/*
 * queries[]: the JSON syntax and the older text syntax, to a struct list_query the store can run.
 */
#ifndef QUERIES_H
#define QUERIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "store.h"

struct arena;

/* What a QUERIES parameter leaves in the params struct; all memory is the call's. */
struct queries {
    struct list_query
        query; /* filters, orders, limit, offset, cursor, random; project_id is set, count true */
    const char *const *selected; /* select(): NULL-terminated names; NULL: everything */
};

struct queries_options {
    enum list_entity entity;
    bool old_syntax; /* format below 1.5.0 */
    bool selectable;
    /* attribute of an older format, or itself */
    const char *(*rename)(void *context, const char *attribute);
    void *context;
};

/*
 * list: JSON array of strings (or NULL). Errors, complete for the client: GENERAL_ARGUMENT_INVALID
 * "Invalid `queries` param: ...", GENERAL_QUERY_INVALID for the old syntax.
 */
int queries_read(struct arena *arena, const struct queries_options *options, const json_t *list,
                 struct queries *ret_queries, struct error *err);

#endif
