/* Filling struct error, and the rows of errors.def. See error.h. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef fail
#undef fail_errno
#undef fail_add

const struct error_row error_rows[ERROR_TYPES] = {
#define ERROR(row, http_status, identifier, sentence)                                    \
    [ERROR_##row] = {                                                                    \
        .name = #row, .code = (http_status), .type = (identifier), .message = (sentence) \
    },
#include "errors.def"
#undef ERROR
};

/* The arguments may point into the message they replace, so it is written aside first. */
__attribute__((format(printf, 2, 0))) static void set_message(struct error *err, const char *format,
                                                              va_list arguments, const char *tail)
{
    char text[sizeof(err->message)];
    vsnprintf(text, sizeof(text), format, arguments);
    size_t length = strlen(text);
    if (tail != NULL)
        snprintf(text + length, sizeof(text) - length, ": %s", tail);
    memcpy(err->message, text, sizeof(text));
}

int fail(struct error *err, enum error_type type, const char *format, ...)
{
    int kept = errno;
    err->type = type;
    if (format == NULL) {
        snprintf(err->message, sizeof(err->message), "%s", error_rows[type].message);
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    set_message(err, format, arguments, NULL);
    va_end(arguments);
    errno = kept;
    return -1;
}

int fail_errno(struct error *err, const char *format, ...)
{
    int kept = errno;
    char reason[128];
    err->type = ERROR_INTERNAL;
    va_list arguments;
    va_start(arguments, format);
    set_message(err, format, arguments, strerror_r(kept, reason, sizeof(reason)));
    va_end(arguments);
    errno = kept;
    return -1;
}

int fail_add(struct error *err, const char *format, ...)
{
    int kept = errno;
    char old[sizeof(err->message)];
    memcpy(old, err->message, sizeof(old));
    va_list arguments;
    va_start(arguments, format);
    set_message(err, format, arguments, old);
    va_end(arguments);
    errno = kept;
    return -1;
}
