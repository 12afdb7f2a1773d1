#include "json_depth.h"

#include <stdbool.h>

/* Counts brackets outside of strings. What is not JSON at all is left to the parser. */
static bool is_too_deep(const char *text, size_t bytes)
{
    bool in_string = false;
    size_t depth = 0;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *json_read(const char *text, size_t bytes, const char **ret_reason)
{
    json_error_t error;

    if (is_too_deep(text, bytes)) {
        *ret_reason = "Maximum stack depth exceeded";
        return NULL;
    }
    json_t *value = json_loadb(text, bytes,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        *ret_reason = "Syntax error";
    return value;
}
