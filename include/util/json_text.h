/* Writing JSON straight into a buffer: no tree, no allocation besides the buffer's own. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* A quoted, escaped string. Bytes that are not UTF-8 become U+FFFD; non-ASCII stays as it is. NULL
 * writes "". */
void json_text_string(struct buffer *out, const char *text, size_t bytes);

/* ,"name": -- the comma only if the last byte written is not an opening bracket. */
void json_text_key(struct buffer *out, const char *name);

/* A number that reads back the same, never an exponent for ordinary durations, "0" for zero. */
void json_text_double(struct buffer *out, double value);

#endif
