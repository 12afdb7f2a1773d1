/*
 * Where an address is, by a database file in MaxMind's format. Immutable once open: any thread.
 */
#ifndef GEO_H
#define GEO_H

#include <stdbool.h>

#include "error.h"

struct geo;

struct geo_place {
    char country[3];   /* ISO 3166-1; "" when unknown */
    char continent[3]; /* likewise */
    bool is_eu;
};

/* path "": no database; *ret_geo is NULL then, which the others accept. */
int geo_open(const char *path, struct geo **ret_geo, struct error *err);
void geo_close(struct geo *geo);

/* ip: a numeric address, or NULL. Never fails: what is not found is unknown. */
struct geo_place geo_find(const struct geo *geo, const char *ip);

#endif
