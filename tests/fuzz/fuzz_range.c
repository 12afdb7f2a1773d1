/* links: http util */
/* Range and Content-Range: what is accepted must be a range. The first 16 bytes are the file's size
 * and the limit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t numbers[2];
    uint64_t first;
    uint64_t last;
    uint64_t total;
    if (size < sizeof(numbers))
        return 0;
    memcpy(numbers, data, sizeof(numbers));
    size_t length = size - sizeof(numbers);
    char *text = malloc(length + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data + sizeof(numbers), length);
    text[length] = '\0';
    if (range_parse_content(text, &first, &last, &total) == 0 && (first > last || total == 0))
        abort();
    if (range_parse_request(text, numbers[0], numbers[1], &first, &last) == 0 &&
        (first > last || last >= numbers[0]))
        abort();
    free(text);
    return 0;
}
