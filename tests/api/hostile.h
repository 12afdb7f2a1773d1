/*
 * Hostile requests made from the rows of the catalogue: a value for every parameter, whole requests
 * around one bad value, and what every answer to them must be.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "harness.h"

#include "buffer.h"
#include "endpoint.h"

enum { HOSTILE_TARGET = 1 << 20 };

struct hostile {
    struct harness *harness;
    char user[600];            /* a header line: the token of a user, for rows that take no key */
    size_t requests, failures; /* each failure has been printed */
    int64_t slowest_us;
};

void hostile_begin(struct hostile *hostile, struct harness *harness);

/*
 * Sends the request as somebody who may call the row, and checks what holds for every answer: it
 * came in time, it is no server error, and a refusal is the API's envelope, whole and small.
 * headers as for harness_call(); body: any bytes.
 */
const struct reply *hostile_call(struct hostile *hostile, const struct endpoint *row,
                                 const char *target, const char *const *headers, const char *body,
                                 size_t bytes);

/* Is the parameter a part of the row's path? */
bool hostile_in_path(const struct endpoint *row, const struct param *param);

/*
 * A value the parameter takes, as JSON; new. A row whose check no value is known for fails the
 * test, which says where to name one.
 */
json_t *hostile_good(struct hostile *hostile, const struct param *param);

/*
 * The path with a good value for each parameter in it, but value (percent-encoded already) for the
 * named one. name may be NULL.
 */
void hostile_path(struct hostile *hostile, const struct endpoint *row, const char *path,
                  const char *name, const char *value, struct buffer *out);

/*
 * Every required parameter outside of the path but `without`, with a good value: `,"a":1,"b":2` or
 * `&a=1&b=2`.
 */
void hostile_others(struct hostile *hostile, const struct endpoint *row,
                    const struct param *without, bool as_json, struct buffer *out);

#endif
