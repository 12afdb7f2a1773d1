/*
 * A growing byte string that was born with its maximum size.
 *
 * Invariants: data is NULL or data[size] is NUL; size <= limit. Adding past the limit changes
 * nothing and returns -1, so a caller that must not overflow may look once, at the end, at
 * `overflowed`.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    size_t limit;    /* bytes; 0 means nothing may ever be added */
    bool overflowed; /* something was refused since the last reset */
};

void buffer_init(struct buffer *buffer, size_t limit_bytes);
void buffer_release(struct buffer *buffer); /* leaves it zeroed; may be repeated */
void buffer_reset(struct buffer *buffer);   /* empty, memory kept */
/* For memory that serves one text after the other: buffer_init(), but memory it has is kept. */
void buffer_begin(struct buffer *buffer, size_t limit_bytes);
/* Until the next buffer_begin() no more memory than so much is kept. */
void buffer_end(struct buffer *buffer, size_t kept_bytes);
int buffer_reserve(struct buffer *buffer, size_t bytes); /* so many more; -1 past the limit */
int buffer_add(struct buffer *buffer, const void *data, size_t bytes);
int buffer_add_text(struct buffer *buffer, const char *text);
int buffer_add_char(struct buffer *buffer, char c);
int buffer_addf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int buffer_add_int(struct buffer *buffer, int64_t value);   /* decimal */
void buffer_cut_front(struct buffer *buffer, size_t bytes); /* forget the first bytes */

/* The text, never NULL, for the caller to free; the buffer is empty then. ret_size may be NULL. */
char *buffer_steal(struct buffer *buffer, size_t *ret_size);

#define auto_buffer __attribute__((cleanup(buffer_release)))

#endif
