/* links: http util */
/* Query strings: every pair must be well formed and lie within the input's length. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look_at(void *context, const struct form_pair *pair, struct error *err)
{
    size_t *left = context;
    const char *step = pair->path;
    size_t used = strlen(pair->name) + pair->value_bytes;
    for (size_t i = 0; i < pair->steps; i++) {
        used += strlen(step) + 2;
        step += strlen(step) + 1;
    }
    if (pair->name[0] == '\0' || pair->value[pair->value_bytes] != '\0' || used > *left)
        abort();
    *left -= used;
    return pair->value_bytes == 7 ? fail(err, ERROR_INTERNAL, "stop") : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    size_t left = size;
    form_parse((const char *)data, size, 50, look_at, &left, &err);
    return 0;
}
