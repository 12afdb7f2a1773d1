/* The list of all endpoints, as a router. */
#ifndef CATALOG_H
#define CATALOG_H

#include "endpoint.h"
#include "router.h"

struct route {
    const struct endpoint *endpoint;
    size_t alias; /* 0: its own path */
};

/* Errors: INTERNAL when two rows have the same method and path. */
int catalog_router(struct router **ret_router, struct route **ret_routes, struct error *err);

/* Walks all rows; *position starts at 0. NULL at the end. */
const struct endpoint *catalog_next(size_t *position);

#endif
