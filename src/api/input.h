/* What was sent, whatever its form, as one JSON object: bodies and query strings alike. */
#ifndef INPUT_H
#define INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum input_form { INPUT_NONE, INPUT_JSON, INPUT_FORM, INPUT_MULTIPART };

/* How a body of this Content-Type (NULL: none) is read. */
enum input_form input_form_of(const char *content_type);

/*
 * A body of 0 bytes, `null`, `[]` and `{}` are empty objects. Errors: GENERAL_ARGUMENT_INVALID
 * (JSON that is none, or no object; too many fields; malformed multipart). Texts out of forms may
 * be any bytes.
 */
int input_from_body(const char *content_type, const char *body, size_t bytes, json_t **ret_input,
                    struct error *err);
int input_from_query(const char *query, json_t **ret_input, struct error *err);

/* Adds one form field ("a", "a[]", "a[0]", "a[b]" by its brackets) to an object. */
void input_add_field(json_t *input, const char *name, const char *value, size_t bytes);

#endif
