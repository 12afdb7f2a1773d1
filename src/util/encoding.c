/* Percent escapes, hexadecimal and base64url. Declared in text.h. */
#include <string.h>

#include "mem.h"
#include "text.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t text_percent_decode(char *text, size_t bytes, bool plus_is_space)
{
    size_t out = 0;
    for (size_t in = 0; in < bytes; in++) {
        char c = text[in];
        if (c == '+' && plus_is_space)
            c = ' ';
        if (c == '%' && bytes - in > 2) {
            int high = hex_digit(text[in + 1]);
            int low = hex_digit(text[in + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                in += 2;
            }
        }
        text[out++] = c;
    }
    if (out < bytes)
        text[out] = '\0';
    return out;
}

void text_hex(const void *bytes, size_t count, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < count; i++) {
        ret_hex[2 * i] = digits[in[i] >> 4];
        ret_hex[2 * i + 1] = digits[in[i] & 15];
    }
    ret_hex[2 * count] = '\0';
}

char *text_base64url(const void *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = bytes;
    char *text = xmalloc(count / 3 * 4 + 5);
    size_t out = 0;
    for (size_t i = 0; i < count; i += 3) {
        size_t rest = count - i;
        uint32_t group = (uint32_t)in[i] << 16;
        if (rest > 1)
            group |= (uint32_t)in[i + 1] << 8;
        if (rest > 2)
            group |= in[i + 2];
        text[out++] = digits[group >> 18];
        text[out++] = digits[group >> 12 & 63];
        if (rest > 1)
            text[out++] = digits[group >> 6 & 63];
        if (rest > 2)
            text[out++] = digits[group & 63];
    }
    text[out] = '\0';
    return text;
}

static int base64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* One value has one text: bits left over must be zero. A NUL follows the result. */
int text_from_base64url(const char *text, size_t length, unsigned char **ret_bytes,
                        size_t *ret_count)
{
    if (length % 4 == 1)
        return -1;
    auto_free unsigned char *bytes = xmalloc(length / 4 * 3 + 3);
    size_t out = 0;
    uint32_t bits = 0;
    unsigned int held = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = base64url_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = (bits << 6 | (uint32_t)digit) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[out++] = (unsigned char)(bits >> held);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0)
        return -1;
    bytes[out] = '\0';
    *ret_bytes = steal(bytes);
    *ret_count = out;
    return 0;
}
