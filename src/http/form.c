/* Query strings and urlencoded bodies. See form.h. */
#include "form.h"

#include <string.h>

#include "mem.h"
#include "text.h"

/*
 * Takes "a[b][c]" apart in place: the name loses its brackets, the steps move together behind each
 * other. A bracket that is not closed, or text between brackets, makes the whole a plain name.
 */
static size_t split_name(char *name, size_t bytes, size_t *ret_name_bytes, const char **ret_path)
{
    *ret_name_bytes = bytes;
    *ret_path = "";
    char *open = memchr(name, '[', bytes);
    if (open == NULL || open == name)
        return 0;
    const char *end = name + bytes;
    for (const char *at = open; at < end;) {
        const char *close = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
        if (close == NULL)
            return 0;
        at = close + 1;
    }
    size_t steps = 0;
    char *to = open + 1;
    for (char *at = open; at < end;) {
        char *close = memchr(at, ']', (size_t)(end - at));
        size_t length = (size_t)(close - at) - 1;
        memmove(to, at + 1, length);
        to[length] = '\0';
        to += length + 1;
        at = close + 1;
        steps++;
    }
    *ret_path = open + 1;
    *open = '\0';
    *ret_name_bytes = (size_t)(open - name);
    return steps;
}

static int hand_over(char *text, size_t bytes, form_each *each, void *context, struct error *err)
{
    char *equals = memchr(text, '=', bytes);
    size_t name_bytes = equals == NULL ? bytes : (size_t)(equals - text);
    char *value = equals == NULL ? text + bytes : equals + 1;
    size_t value_bytes = text_percent_decode(value, (size_t)(text + bytes - value), true);
    value[value_bytes] = '\0';
    name_bytes = text_percent_decode(text, name_bytes, true);
    text[name_bytes] = '\0';
    /* A NUL inside would end it early for whoever reads it as a string. */
    if (memchr(text, '\0', name_bytes) != NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid parameter name: it contains a NUL byte");

    struct form_pair pair = { .name = text, .value = value, .value_bytes = value_bytes };
    pair.steps = split_name(text, name_bytes, &name_bytes, &pair.path);
    if (name_bytes == 0)
        return 0;
    return each(context, &pair, err);
}

int form_parse(const char *text, size_t bytes, size_t limit, form_each *each, void *context,
               struct error *err)
{
    auto_free char *copy = xmalloc(bytes + 1);
    if (bytes > 0)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    size_t count = 0;
    char *end = copy + bytes;
    for (char *at = copy; at < end;) {
        char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        *stop = '\0';
        if (stop > at) {
            if (++count > limit)
                return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "More than %zu parameters", limit);
            if (hand_over(at, (size_t)(stop - at), each, context, err) < 0)
                return -1;
        }
        at = stop + 1;
    }
    return 0;
}
