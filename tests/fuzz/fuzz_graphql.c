/* GraphQL documents: tokens, nesting and definitions stay within bounds, whatever the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "graphql/graphql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned depth_of(const struct gql_selection *selections)
{
    unsigned deepest = 0;
    for (; selections != NULL; selections = selections->next) {
        unsigned depth = depth_of(selections->selections);
        if (depth > deepest)
            deepest = depth;
        if (selections->kind == GQL_FIELD && (selections->name == NULL || selections->key == NULL))
            abort();
    }
    return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct gql_errors errors = { .arena = &arena };
    struct gql_document *document = gql_parse(&arena, (const char *)data, size, &errors);
    if ((document == NULL) == (errors.count == 0))
        abort();
    for (struct gql_operation *at = document == NULL ? NULL : document->operations; at != NULL;
         at = at->next)
        if (at->selections == NULL || depth_of(at->selections) > GQL_NESTING + 1)
            abort();
    arena_release(&arena);
    return 0;
}
