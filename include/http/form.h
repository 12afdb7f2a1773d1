/*
 * Query strings and urlencoded bodies as the API's clients write them: a[0]=x, a[]=x, a=x,
 * a[b][c]=x, percent-encoded or not.
 */
#ifndef FORM_H
#define FORM_H

#include <stddef.h>

#include "error.h"

/*
 * One decoded pair. key is the name before the first bracket; path is what the brackets said, each
 * step NUL-separated ("" for []), steps their number.
 */
struct form_pair {
    const char *name;
    const char *path;
    size_t steps;
    const char *value;
    size_t value_bytes;
};

typedef int form_each(void *context, const struct form_pair *pair, struct error *err);

/*
 * Calls each for every pair in order; empty names are skipped. At most limit pairs
 * (GENERAL_ARGUMENT_INVALID beyond).
 */
int form_parse(const char *text, size_t bytes, size_t limit, form_each *each, void *context,
               struct error *err);

#endif
