/*
 * GraphQL documents: tokens, nesting and definitions stay within bounds, whatever the bytes; what
 * passes all checks has a plan of bounded size.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "graphql/graphql.h"
#include "versions.h"

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

static size_t steps_of(const struct gql_step *steps)
{
    size_t count = 0;
    for (; steps != NULL; steps = steps->next)
        count += 1 + steps_of(steps->steps);
    return count;
}

static void prepare(const uint8_t *data, size_t size)
{
    static struct gql_schema *schema;
    static struct models *models;
    struct arena arena = { 0 };
    struct gql_limits limits = { .complexity = 250, .depth = 3, .introspection = true };
    struct gql_request request = { .text = (const char *)data, .bytes = size };
    struct buffer out;

    if (schema == NULL) {
        models = models_new();
        schema = gql_schema_new(models);
    }
    bool is_ready = gql_prepare(&arena, schema, &limits, &request);
    if (is_ready != (request.errors.count == 0) || steps_of(request.steps) > GQL_FIELDS)
        abort();
    buffer_init(&out, GQL_TOLD_BYTES);
    gql_write_errors(&out, &request.errors);
    for (const struct gql_step *at = request.steps; is_ready && at != NULL; at = at->next)
        if (at->field == &gql_root_schema || at->field == &gql_root_type)
            gql_tell(schema, &out, at);
    buffer_release(&out);
    gql_request_release(&request);
    arena_release(&arena);
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
    prepare(data, size);
    return 0;
}
