/*
 * From method and path to a row: literal segments win over {parameters}. Knows nothing of what a
 * row means.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include <stddef.h>

#include "error.h"

struct router;

enum { ROUTER_PARAMETERS = 6 };

struct route_match {
    const void *target; /* what router_add was given */
    size_t parameter_count;
    struct {
        const char *name; /* as in the pattern */
        char *value;      /* percent-decoded; owned by the match */
    } parameters[ROUTER_PARAMETERS];
};

int router_new(struct router **ret_router);
/*
 * pattern: "/v1/functions/{functionId}/deployments". -1 when the same method and shape are there
 * already.
 */
int router_add(struct router *router, const char *method, const char *pattern, const void *target,
               struct error *err);
/* 0 and a match (release it), or -1. A trailing slash is another path; "//" never matches. */
int router_find(const struct router *router, const char *method, const char *path,
                struct route_match *ret_match);
void route_match_release(struct route_match *match);
void router_free(struct router *router);

#endif
