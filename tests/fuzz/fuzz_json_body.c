/* Bodies of requests: the first byte chooses the form. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = { "application/json", "application/x-www-form-urlencoded",
                                         "multipart/form-data; boundary=B" };
    json_t *input = NULL;
    struct error err;

    if (size == 0)
        return 0;
    if (input_from_body(types[data[0] % 3], (const char *)data + 1, size - 1, &input, &err) == 0) {
        free(json_dumps(input, JSON_COMPACT));
        json_decref(input);
    }
    return 0;
}
