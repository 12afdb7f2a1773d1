/*
 * Header blocks: the one place where names and values of foreign origin are looked at. See
 * headers.h.
 */
#include "headers.h"

#include <string.h>

#include "json_text.h"

/* RFC 9110: a tchar as its lower case, anything else as 0. */
static const char token[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',   ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',   ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',   ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',   ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',   ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',   ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',   ['Z'] = 'z',
};

static char lower(char c)
{
    return token[(unsigned char)c];
}

bool header_name_is_valid(const char *name, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (lower(name[i]) == '\0')
            return false;
    }
    return bytes > 0;
}

bool header_value_is_valid(const char *value, size_t bytes)
{
    return bytes == 0 || (memchr(value, '\r', bytes) == NULL &&
                          memchr(value, '\n', bytes) == NULL && memchr(value, '\0', bytes) == NULL);
}

int header_block_add_line(struct buffer *block, const struct header_line *line)
{
    if (!header_name_is_valid(line->name, line->name_bytes) ||
        !header_value_is_valid(line->value, line->value_bytes))
        return -1;
    if (buffer_reserve(block, line->name_bytes + line->value_bytes + 4) < 0)
        return -1;
    char *to = block->data + block->size;
    for (size_t i = 0; i < line->name_bytes; i++)
        *to++ = lower(line->name[i]);
    *to++ = ':';
    *to++ = ' ';
    if (line->value_bytes > 0)
        memcpy(to, line->value, line->value_bytes);
    to += line->value_bytes;
    memcpy(to, "\r\n", 3);
    block->size += line->name_bytes + line->value_bytes + 4;
    return 0;
}

int header_block_add(struct buffer *block, const char *name, const char *value, size_t value_bytes)
{
    return header_block_add_line(block, &(struct header_line){ .name = name,
                                                               .name_bytes = strlen(name),
                                                               .value = value,
                                                               .value_bytes = value_bytes });
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool split_line(const char *start, const char *end, bool is_foreign,
                       struct header_line *ret_line)
{
    const char *colon = memchr(start, ':', (size_t)(end - start));
    if (colon == NULL || (is_foreign && !header_name_is_valid(start, (size_t)(colon - start))))
        return false;
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (is_foreign && !header_value_is_valid(value, (size_t)(end - value)))
        return false;
    *ret_line = (struct header_line){ .name = start,
                                      .name_bytes = (size_t)(colon - start),
                                      .value = value,
                                      .value_bytes = (size_t)(end - value) };
    return true;
}

bool header_block_next(const char *block, size_t bytes, size_t *position,
                       struct header_line *ret_line, bool *ret_bad)
{
    if (ret_bad != NULL)
        *ret_bad = false;
    if (*position >= bytes)
        return false;
    const char *start = block + *position;
    const char *feed = memchr(start, '\n', bytes - *position);
    if (feed == NULL || feed == start || feed[-1] != '\r' ||
        !split_line(start, feed - 1, ret_bad != NULL, ret_line)) {
        if (ret_bad != NULL)
            *ret_bad = true;
        *position = bytes;
        return false;
    }
    *position = (size_t)(feed + 1 - block);
    return true;
}

static bool is_name(const struct header_line *line, const char *name)
{
    for (size_t i = 0; i < line->name_bytes; i++) {
        if (name[i] == '\0' || lower(line->name[i]) != name[i])
            return false;
    }
    return name[line->name_bytes] == '\0';
}

bool header_block_find(const char *block, size_t bytes, const char *name,
                       struct header_line *ret_line)
{
    struct header_line line;
    size_t position = 0;
    while (header_block_next(block, bytes, &position, &line, NULL)) {
        if (is_name(&line, name)) {
            *ret_line = line;
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct header_line *line, const char *const *only)
{
    if (only == NULL)
        return true;
    for (; *only != NULL; only++) {
        if (is_name(line, *only))
            return true;
    }
    return false;
}

void header_block_to_json(const char *block, size_t bytes, const char *const *only,
                          struct buffer *out)
{
    struct header_line line;
    size_t position = 0;
    bool first = true;
    buffer_add_char(out, '[');
    while (header_block_next(block, bytes, &position, &line, NULL)) {
        if (!is_wanted(&line, only))
            continue;
        buffer_add_text(out, first ? "{\"name\":" : ",{\"name\":");
        json_text_string(out, line.name, line.name_bytes);
        buffer_add_text(out, ",\"value\":");
        json_text_string(out, line.value, line.value_bytes);
        buffer_add_char(out, '}');
        first = false;
    }
    buffer_add_char(out, ']');
}
