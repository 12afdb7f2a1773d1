/* Lists in tests: the ids of a page as one text. */
#ifndef LISTING_H
#define LISTING_H

#include "fixture.h"

/* The index of a public attribute; the test fails if there is none. */
int column_of(enum list_entity entity, const char *attribute);

/*
 * Lists project "demo" (25 rows unless the query says otherwise) and compares the ids, in order
 * with a space between; of executions their distance from FIRST_SEQ. Returns the total.
 */
int64_t list_ids(struct fixture *fixture, enum list_entity entity, struct list_query query,
                 const char *expected);
/* message NULL: any. */
void list_fails(struct fixture *fixture, enum list_entity entity, struct list_query query,
                enum error_type type, const char *message);

/* Four functions: a..d, timeouts 10..40, names in an order of their own. */
void given_four(struct fixture *fixture);

#endif
