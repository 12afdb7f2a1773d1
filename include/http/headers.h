/*
 * Header blocks: "name: value\r\n" lines, the form in which headers travel between the server, the
 * worker channel and the store. Names and values from foreign sources are checked here and nowhere
 * else.
 */
#ifndef HEADERS_H
#define HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

bool header_name_is_valid(const char *name, size_t bytes);   /* RFC 9110 token */
bool header_value_is_valid(const char *value, size_t bytes); /* no CR, LF, NUL */

struct header_line {
    const char *name, *value; /* not NUL-terminated */
    size_t name_bytes, value_bytes;
};
/* Adds a line, name lower-cased. -1 if name or value is not valid, or the buffer is full. */
int header_block_add(struct buffer *block, const char *name, const char *value, size_t value_bytes);
int header_block_add_line(struct buffer *block, const struct header_line *line);

/*
 * Walks a block; *position starts at 0. Returns false at the end; malformed lines set *ret_bad and
 * end it. A ret_bad of NULL is for blocks made by header_block_add(), whose names and values need
 * no second look; in others only lines without an end or a colon end the walk then.
 */
bool header_block_next(const char *block, size_t bytes, size_t *position,
                       struct header_line *ret_line, bool *ret_bad);
/* First value of a (lower-case) name; false if absent. */
bool header_block_find(const char *block, size_t bytes, const char *name,
                       struct header_line *ret_line);

/*
 * [{"name":"a","value":"b"},...]; only names in `only` (NULL-terminated, lower case) unless it is
 * NULL.
 */
void header_block_to_json(const char *block, size_t bytes, const char *const *only,
                          struct buffer *out);

#endif
