/* Parameters of header values. See parameters.h. */
#include "parameters.h"

#include <string.h>
#include <strings.h>

#include "mem.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* From the opening quote to behind the closing one. NULL if it is not closed. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\' && at + 1 < end && (at[1] == '"' || at[1] == '\\'))
            at++;
    }
    return NULL;
}

static char *copy_quoted(const char *at, const char *end)
{
    char *text = xmalloc((size_t)(end - at));
    size_t length = 0;
    for (at++; at < end - 1; at++) {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\') && at + 1 < end - 1)
            at++;
        text[length++] = *at;
    }
    text[length] = '\0';
    return text;
}

static const char *value_end(const char *at, const char *end)
{
    const char *stop = NULL;
    if (at < end && *at == '"')
        stop = skip_quoted(at, end);
    if (stop == NULL)
        stop = memchr(at, ';', (size_t)(end - at));
    return stop == NULL ? end : stop;
}

static char *copy_value(const char *at, const char *stop)
{
    if (at < stop && *at == '"' && stop - at >= 2 && stop[-1] == '"')
        return copy_quoted(at, stop);
    while (stop > at && is_blank(stop[-1]))
        stop--;
    return xstrndup(at, (size_t)(stop - at));
}

char *parameter_find(const char *header, size_t bytes, const char *name)
{
    size_t name_bytes = strlen(name);
    const char *end = header + bytes;
    const char *at = memchr(header, ';', bytes);
    while (at != NULL && at < end) {
        at++;
        while (at < end && is_blank(*at))
            at++;
        const char *name_end = at;
        while (name_end < end && *name_end != '=' && *name_end != ';')
            name_end++;
        if (name_end == end)
            return NULL;
        if (*name_end == ';') { /* a parameter without a value */
            at = name_end;
            continue;
        }
        const char *value = name_end + 1;
        const char *stop = value_end(value, end);
        if ((size_t)(name_end - at) == name_bytes && strncasecmp(at, name, name_bytes) == 0)
            return copy_value(value, stop);
        at = memchr(stop, ';', (size_t)(end - stop));
    }
    return NULL;
}
