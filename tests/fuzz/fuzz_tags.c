/* links: api build run store http runtimes supervisor sandbox util */
/* Lists of tags from git hosts: the first line is the range; a tag that is found is never empty. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    struct error err;

    if (end == NULL || end - data > 128)
        return 0;
    auto_free char *range = xstrndup((const char *)data, (size_t)(end - data));
    auto_free char *tag = NULL;
    size_t rest = size - (size_t)(end + 1 - data);
    if (tags_choose((const char *)end + 1, rest, range, &tag, &err) == 0 && tag && !*tag)
        abort();
    return 0;
}
