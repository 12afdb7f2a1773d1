/* Queries of clients, in both syntaxes. */
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "queries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int old = 0; old < 2; old++) {
        const struct queries_options options = { .entity = LIST_EXECUTIONS,
                                                 .old_syntax = old == 1,
                                                 .selectable = true };
        struct arena arena = { 0 };
        struct queries queries;
        struct error err;
        json_t *list = json_array();

        json_array_append_new(list, json_stringn_nocheck((const char *)data, size));
        queries_read(&arena, &options, list, &queries, &err);
        json_decref(list);
        arena_release(&arena);
    }
    return 0;
}
