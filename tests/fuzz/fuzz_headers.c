/* links: http util */
/* Header blocks: what can be walked to the end can be written again, and reads the same then. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool next_named(const char *block, size_t size, size_t *position, struct buffer *again,
                       size_t *count)
{
    struct header_line line;
    bool bad;
    if (!header_block_next(block, size, position, &line, &bad))
        return false;
    char *name = strndup(line.name, line.name_bytes);
    if (name == NULL || header_block_add(again, name, line.value, line.value_bytes) < 0)
        abort();
    free(name);
    (*count)++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *block = (const char *)data;
    const char *const only[] = { "a", "content-type", NULL };
    struct buffer again;
    struct buffer more;
    struct buffer json;
    struct header_line line;
    size_t position = 0;
    size_t count = 0;
    size_t count_again = 0;
    buffer_init(&again, size * 3 + 16);
    buffer_init(&more, size * 3 + 16);
    buffer_init(&json, size * 40 + 64);
    while (next_named(block, size, &position, &again, &count))
        continue;
    position = 0;
    while (next_named(again.data, again.size, &position, &more, &count_again))
        continue;
    if (count != count_again || again.size != more.size ||
        (again.size > 0 && memcmp(again.data, more.data, again.size) != 0))
        abort();
    header_block_find(block, size, "content-type", &line);
    header_block_to_json(block, size, size % 2 == 0 ? only : NULL, &json);
    if (json.overflowed || json.data[json.size - 1] != ']')
        abort();
    buffer_release(&again);
    buffer_release(&more);
    buffer_release(&json);
    return 0;
}
