/* What is wrong with a request, as a list, and as the answer shows it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graphql/graphql.h"
#include "json_text.h"

struct gql_error *gql_add_error(struct gql_errors *errors, struct gql_at at, const char *message)
{
    struct gql_error *error = arena_alloc(errors->arena, sizeof(*error));

    *error = (struct gql_error){ .at = at,
                                 .message = arena_text(errors->arena, message, strlen(message)) };
    if (errors->last == NULL)
        errors->first = error;
    else
        errors->last->next = error;
    errors->last = error;
    return error;
}

struct gql_error *gql_refuse(struct gql_errors *errors, struct gql_at at, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (++errors->count > GQL_ERRORS)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return gql_add_error(errors, at, text);
}

void gql_write_errors(struct buffer *out, const struct gql_errors *errors)
{
    buffer_add_char(out, '[');
    for (const struct gql_error *error = errors->first; error != NULL; error = error->next) {
        buffer_add_text(out, error == errors->first ? "{\"message\":" : ",{\"message\":");
        json_text_string(out, error->message, strlen(error->message));
        if (error->at.line > 0)
            buffer_addf(out, ",\"locations\":[{\"line\":%u,\"column\":%u}]", error->at.line,
                        error->at.column);
        if (error->path != NULL) {
            buffer_add_text(out, ",\"path\":[");
            json_text_string(out, error->path, strlen(error->path));
            buffer_add_char(out, ']');
        }
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}
