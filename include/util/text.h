/*
 * Bytes and text: the small questions asked everywhere. No allocation unless a result is a pointer.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_equals(const char *a, const char *b);        /* NULL equals only NULL */
bool text_equals_nocase(const char *a, const char *b); /* ASCII */
bool text_starts_nocase(const char *text, const char *prefix);
bool text_is_empty(const char *text); /* NULL or "" */
void text_lower(char *text);          /* ASCII, in place */

/* Strict: no surrogates, no overlong forms, <= U+10FFFF. */
bool text_is_utf8(const char *text, size_t bytes);
/* Bytes of the one well-formed character that text begins with; 0 if it begins with none. */
size_t text_utf8_step(const char *text, size_t bytes);
size_t text_characters(const char *utf8, size_t bytes); /* code points */

/* Decimal integer, whole text, optional sign; -1 when it is none or does not fit. */
int text_to_int(const char *text, int64_t *ret_value);

/* In-place percent decoding; plus_is_space as in forms. Returns the new length. Broken escapes stay
 * as they are. */
size_t text_percent_decode(char *text, size_t bytes, bool plus_is_space);

/* Lower case; writes 2 * count + 1 characters. */
void text_hex(const void *bytes, size_t count, char *ret_hex);

/* RFC 4648 without padding, URL alphabet. Result owned by the caller. */
char *text_base64url(const void *bytes, size_t count);
int text_from_base64url(const char *text, size_t length, unsigned char **ret_bytes,
                        size_t *ret_count);

/* The candidate with the least edit distance to word, or NULL if none is near (distance > 3). */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
