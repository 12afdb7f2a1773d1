/* Writing JSON. What does not fit is remembered by the buffer (`overflowed`), not by each call. See
 * json_text.h. */
#include "json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static void add_control(struct buffer *out, unsigned char c)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    if (c < sizeof(letters) && letters[c] != '\0') {
        buffer_add_char(out, '\\');
        buffer_add_char(out, letters[c]);
        return;
    }
    buffer_addf(out, "\\u%04x", (unsigned int)c);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Does any of the eight bytes need more than copying? Each test leaves a byte's top bit. */
static bool has_special(uint64_t eight)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t quotes = eight ^ (ones * '"'), backslashes = eight ^ (ones * '\\');
    uint64_t found = (eight - ones * 0x20) | (quotes - ones) | (backslashes - ones) | eight;
    return (found & ones * 0x80) != 0;
}

/* How many bytes at the front are copied as they are; where in doubt, fewer. */
static size_t plain_run(const char *text, size_t bytes)
{
    size_t at = 0;
    uint64_t eight;
    for (; bytes - at >= sizeof(eight); at += sizeof(eight)) {
        memcpy(&eight, text + at, sizeof(eight));
        if (has_special(eight))
            break;
    }
    while (at < bytes && is_plain((unsigned char)text[at]))
        at++;
    return at;
}

void json_text_string(struct buffer *out, const char *text, size_t bytes)
{
    if (text == NULL)
        bytes = 0;
    size_t at = bytes == 0 ? 0 : plain_run(text, bytes);
    if (at == bytes && buffer_reserve(out, bytes + 2) == 0) {
        char *to = out->data + out->size;
        to[0] = '"';
        if (bytes > 0)
            memcpy(to + 1, text, bytes);
        memcpy(to + 1 + bytes, "\"", 2);
        out->size += bytes + 2;
        return;
    }
    buffer_add_char(out, '"');
    size_t start = 0; /* of the run that needs no change */
    while (at < bytes) {
        unsigned char c = (unsigned char)text[at];
        size_t step = c < 0x80 ? 1 : text_utf8_step(text + at, bytes - at);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        if (at > start)
            buffer_add(out, text + start, at - start);
        if (step == 0) {
            buffer_add_text(out, "\xef\xbf\xbd");
        } else if (c < 0x20) {
            add_control(out, c);
        } else {
            buffer_add_char(out, '\\');
            buffer_add_char(out, (char)c);
        }
        at++;
        start = at;
    }
    if (at > start)
        buffer_add(out, text + start, at - start);
    buffer_add_char(out, '"');
}

void json_text_key(struct buffer *out, const char *name)
{
    char last = out->size == 0 ? '{' : out->data[out->size - 1];
    if (last != '{' && last != '[')
        buffer_add_char(out, ',');
    json_text_string(out, name, strlen(name));
    buffer_add_char(out, ':');
}

/* Most of our numbers are seconds with whole microseconds. */
static bool add_millionths(struct buffer *out, double value)
{
    int64_t millionths = llround(value * 1e6);
    if ((double)millionths / 1e6 != value)
        return false;
    char text[32];
    int decimals = 6;
    for (; decimals > 0 && millionths % 10 == 0; decimals--)
        millionths /= 10;
    uint64_t digits = (uint64_t)llabs(millionths);
    char *at = text + sizeof(text);
    for (int i = 0; i <= decimals || digits > 0; i++) {
        if (i == decimals && i > 0)
            *--at = '.';
        *--at = (char)('0' + digits % 10);
        digits /= 10;
    }
    if (millionths < 0)
        *--at = '-';
    buffer_add(out, at, (size_t)(text + sizeof(text) - at));
    return true;
}

void json_text_double(struct buffer *out, double value)
{
    char text[64];
    if (!isfinite(value)) {
        buffer_add_text(out, "null"); /* JSON has no word for it */
        return;
    }
    double size = fabs(value);
    if (size == 0) {
        buffer_add_char(out, '0');
        return;
    }
    if (size < 1e6 && add_millionths(out, value))
        return;
    if (size >= 1e-9 && size < 1e15) {
        for (int decimals = 0; decimals <= 26; decimals++) {
            snprintf(text, sizeof(text), "%.*f", decimals, value);
            if (strtod(text, NULL) == value) {
                buffer_add_text(out, text);
                return;
            }
        }
    }
    snprintf(text, sizeof(text), "%.17g", value);
    buffer_add_text(out, text);
}
