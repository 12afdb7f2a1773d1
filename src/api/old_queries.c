/*
 * Clients wrote these texts without escaping, so the reader is as forgiving as the one they were
 * written for: the method is what stands before the first "(", the arguments what lies between it
 * and the last character.
 *
 * Source: appwrite src/Appwrite/Utopia/Request/Filters/V17.php.
 */
#include "old_queries.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "text.h"

enum { OLD_QUERY_BYTES = 16384 };

struct scan {
    const char *at, *end;
    struct buffer word; /* characters of the value being read */
    bool is_quoted, has_word;
};

static json_t *typed(const struct buffer *word)
{
    const char *text = word->data == NULL ? "" : word->data;
    char *end = NULL;
    int64_t integer;

    if (strcmp(text, "true") == 0)
        return json_true();
    if (strcmp(text, "false") == 0)
        return json_false();
    if (strcmp(text, "null") == 0)
        return json_null();
    if (text_to_int(text, &integer) == 0)
        return json_integer(integer);
    double real = strtod(text, &end);
    if (end != text && *end == '\0' &&
        (isdigit((unsigned char)*text) || *text == '-' || *text == '.')) {
        json_t *number = json_real(real);
        if (number != NULL)
            return number;
    }
    return json_stringn(text, word->size);
}

static void end_word(struct scan *scan, json_t *list)
{
    if (!scan->has_word)
        return;
    json_t *value = scan->is_quoted ? json_stringn(scan->word.data == NULL ? "" : scan->word.data,
                                                   scan->word.size)
                                    : typed(&scan->word);
    if (value != NULL)
        json_array_append_new(list, value);
    buffer_reset(&scan->word);
    scan->is_quoted = scan->has_word = false;
}

static void read_quoted(struct scan *scan)
{
    char quote = *scan->at++;

    scan->is_quoted = scan->has_word = true;
    for (; scan->at < scan->end && *scan->at != quote; scan->at++) {
        bool is_escape = *scan->at == '\\' && scan->at + 1 < scan->end &&
                         strchr(",[]\"'", scan->at[1]) != NULL && scan->at[1] != '\0';
        if (is_escape)
            scan->at++;
        buffer_add_char(&scan->word, *scan->at);
    }
    if (scan->at < scan->end)
        scan->at++;
}

/* Values up to the end, or to the "]" of the list that was begun. */
static json_t *read_values(struct scan *scan, bool is_inner)
{
    json_t *list = json_array();

    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == '"' || c == '\'') {
            read_quoted(scan);
        } else if (c == '[' && !is_inner) {
            scan->at++;
            json_array_append_new(list, read_values(scan, true));
        } else if (c == ']' && is_inner) {
            scan->at++;
            break;
        } else {
            if (c == ',')
                end_word(scan, list);
            else if (!isspace((unsigned char)c)) {
                buffer_add_char(&scan->word, c);
                scan->has_word = true;
            }
            scan->at++;
        }
    }
    end_word(scan, list);
    return list;
}

/* Where the arguments go: (values), (attribute) or (attribute, values...). */
static json_t *arrange(const char *method, json_t *arguments)
{
    static const char *const only_values[] = { "limit", "offset", "cursorAfter", "cursorBefore",
                                               "select" };
    json_t *values = json_array();
    size_t first = 1;

    for (size_t i = 0; i < sizeof(only_values) / sizeof(*only_values); i++)
        if (strcmp(method, only_values[i]) == 0)
            first = 0;
    for (size_t i = first; i < json_array_size(arguments); i++) {
        json_t *argument = json_array_get(arguments, i);
        if (json_is_array(argument))
            json_array_extend(values, argument);
        else
            json_array_append(values, argument);
    }
    json_t *query = json_pack("{s:s,s:o}", "method", method, "values", values);
    json_t *attribute = first == 0 ? NULL : json_array_get(arguments, 0);
    if (query != NULL && json_is_string(attribute))
        json_object_set(query, "attribute", attribute);
    return query;
}

json_t *old_query_read(const char *text, size_t bytes, struct error *err)
{
    const char *open = memchr(text, '(', bytes);
    char method[64] = "";

    if (open == NULL || bytes > OLD_QUERY_BYTES) {
        fail(err, ERROR_GENERAL_QUERY_INVALID, "Invalid query");
        return NULL;
    }
    size_t length = (size_t)(open - text);
    if (length >= sizeof(method) || memchr(text, '.', length) != NULL) {
        fail(err, ERROR_GENERAL_QUERY_INVALID, "Invalid query method");
        return NULL;
    }
    memcpy(method, text, length);
    struct scan scan = { .at = open + 1, .end = text + bytes - 1 };
    buffer_init(&scan.word, OLD_QUERY_BYTES);
    json_t *arguments = read_values(&scan, false);
    buffer_release(&scan.word);
    json_t *query = arrange(method, arguments);
    json_decref(arguments);
    if (query == NULL) /* not UTF-8 */
        fail(err, ERROR_GENERAL_QUERY_INVALID, "Invalid query method");
    return query;
}
