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

void json_text_string(struct buffer *out, const char *text, size_t bytes)
{
    buffer_add_char(out, '"');
    size_t start = 0; /* of the run that needs no change */
    size_t at = 0;
    while (text != NULL && at < bytes) {
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
