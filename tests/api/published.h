/*
 * Models as they were published, kept in tests/fixtures/models: a file a version, a line
 * "model type member member ..." with the types of OpenAPI, "array:" and what is in it, and a "?"
 * behind a type that may be null.
 */
#ifndef PUBLISHED_H
#define PUBLISHED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct published_member {
    char *model, *type, *name;
    bool is_nullable;
};

struct published {
    size_t count;
    struct published_member members[1024];
};

/* version: "1.0", a file's name. Fails the test if it cannot be read. Freed by published_free(). */
struct published *published_read(const char *version);
void published_free(struct published *published);

bool published_has_model(const struct published *published, const char *model);
/* NULL: none of that name. */
const struct published_member *published_find(const struct published *published, const char *model,
                                              const char *name);

/* A key that is not published may be there: the older format's model is a part of what is sent. */
typedef bool published_extra(void *context, const char *model, const char *key);

/*
 * Compares names and types of an answer, and of what it holds, with the model. is_full: lists must
 * not be empty. where: for the messages, one of which is printed for each difference. Returns how
 * many there are.
 */
size_t published_compare(const struct published *published, const char *model, const json_t *answer,
                         bool is_full, published_extra *is_extra, void *context, const char *where);

/* The same for an OpenAPI schema: names, types, required and nullable. */
size_t published_compare_schema(const struct published *published, const char *model,
                                const json_t *schema, published_extra *is_extra, void *context,
                                const char *where);

#endif
