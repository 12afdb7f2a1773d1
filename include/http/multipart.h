/*
 * multipart/form-data, parsed as it arrives. Foreign bytes: any boundary RFC 2046 allows (also
 * Ruby's "----A30#3ad1", unquoted), parts in any order, no Content-Length needed.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "error.h"

struct multipart;

struct multipart_part {
    const char *name;         /* "" if none was given */
    const char *file_name;    /* NULL: a plain field */
    const char *content_type; /* "" if none */
};

struct multipart_events {
    void *context;
    /* Each returns -1 with err to stop parsing. data pieces are in order; end closes the part. */
    int (*on_part)(void *context, const struct multipart_part *part, struct error *err);
    int (*on_data)(void *context, const char *data, size_t bytes, struct error *err);
    int (*on_part_end)(void *context, struct error *err);
};

/*
 * content_type: the whole header value. Errors: GENERAL_ARGUMENT_INVALID (no boundary, or one over
 * 200 bytes).
 */
int multipart_new(const char *content_type, const struct multipart_events *events,
                  struct multipart **ret_multipart, struct error *err);
/*
 * Errors: GENERAL_ARGUMENT_INVALID (malformed; part head above 8 KiB; more than 1000 parts), or an
 * event's.
 */
int multipart_feed(struct multipart *multipart, const char *data, size_t bytes, struct error *err);
/* the closing boundary was seen */
int multipart_finish(struct multipart *multipart, struct error *err);
void multipart_free(struct multipart *multipart);

#endif
