/* links: util */
/* The small parsers of foreign bytes: UTF-8, percent escapes, base64url, dates, numbers, settings
 * handed to a child. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json_text.h"
#include "mem.h"
#include "settings.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void there_and_back(const char *text, size_t size)
{
    auto_free unsigned char *bytes = NULL;
    size_t count;
    if (text_from_base64url(text, size, &bytes, &count) == 0) {
        auto_free char *again = text_base64url(bytes, count);
        check(strlen(again) == size && memcmp(again, text, size) == 0);
    }
    auto_buffer struct buffer json;
    buffer_init(&json, SIZE_MAX);
    json_text_string(&json, text, size);
    check(text_is_utf8(json.data, json.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xmalloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    there_and_back(text, size);

    int64_t value;
    char date[CLOCK_TEXT];
    if (clock_parse(text, &value) == 0)
        check(clock_format(value, date) == 29);
    if (text_to_int(text, &value) == 0) {
        auto_free char *digits = xasprintf("%" PRId64, value);
        int64_t again;
        check(text_to_int(digits, &again) == 0 && again == value);
    }

    struct settings settings;
    struct error err;
    if (settings_read(&settings, text, &err) == 0)
        settings_release(&settings);
    check(text_percent_decode(text, size, true) <= size);
    return 0;
}
