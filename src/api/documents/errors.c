/* The table of errors, for people. */
#include "documents.h"
#include "error.h"

void api_document_errors(struct buffer *out)
{
    buffer_add_text(out, "# Errors\n\nEvery error a client can see. The body is `{\"message\", "
                         "\"code\", \"type\", \"version\"}`; `type` is what a program should look "
                         "at, and a more specific sentence may stand in place of the one here.\n\n"
                         "| type | code | message |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < ERROR_TYPES; i++)
        buffer_addf(out, "| `%s` | %d | %s |\n", error_rows[i].type, error_rows[i].code,
                    error_rows[i].message);
}
