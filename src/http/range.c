/* Range and Content-Range. See range.h. */
#include "range.h"

#include <stdbool.h>
#include <string.h>

static const uint64_t size_limit = UINT64_C(1) << 62;

/* Digits only; moves *text behind them. false: none, or more than fit. */
static bool take_number(const char **text, uint64_t *ret_number)
{
    const char *start = *text;
    uint64_t number = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return *text > start;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool take_unit(const char **text, char separator)
{
    if (strncmp(*text, "bytes", 5) != 0)
        return false;
    *text += 5;
    return take_char(text, separator);
}

int range_parse_content(const char *text, uint64_t *ret_first, uint64_t *ret_last,
                        uint64_t *ret_size)
{
    uint64_t first;
    uint64_t last;
    uint64_t size;
    if (!take_unit(&text, ' ') || !take_number(&text, &first) || !take_char(&text, '-') ||
        !take_number(&text, &last) || !take_char(&text, '/') || !take_number(&text, &size) ||
        *text != '\0')
        return -1;
    if (first > last || size == 0 || size > size_limit)
        return -1;
    *ret_first = first;
    *ret_last = last;
    *ret_size = size;
    return 0;
}

int range_parse_request(const char *text, uint64_t size, uint64_t open_limit, uint64_t *ret_first,
                        uint64_t *ret_last)
{
    uint64_t first = 0;
    uint64_t last = 0;
    if (!take_unit(&text, '=') || size == 0)
        return -1;
    bool has_first = take_number(&text, &first);
    if (!take_char(&text, '-'))
        return -1;
    bool has_last = take_number(&text, &last);
    if (*text != '\0' || (!has_first && !has_last))
        return -1;

    if (!has_first) { /* the last so many bytes */
        if (last == 0)
            return -1;
        first = last < size ? size - last : 0;
        last = size - 1;
    } else if (!has_last) {
        if (first >= size || open_limit == 0)
            return -1;
        last = size - first > open_limit ? first + open_limit - 1 : size - 1;
    } else if (last >= size) {
        last = size - 1;
    }
    if (first > last || first >= size)
        return -1;
    *ret_first = first;
    *ret_last = last;
    return 0;
}
