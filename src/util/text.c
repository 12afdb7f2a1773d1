/* Comparing and converting text. See text.h; base64url and hexadecimal are in encoding.c. */
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t tail = strlen(suffix);
    return tail <= length && memcmp(text + length - tail, suffix, tail) == 0;
}

bool text_equals(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool text_equals_nocase(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

bool text_starts_nocase(const char *text, const char *prefix)
{
    while (*prefix != '\0') {
        if (lower(*text) != lower(*prefix))
            return false;
        text++;
        prefix++;
    }
    return true;
}

bool text_is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

void text_lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = lower(*text);
}

/* Unicode, table 3-7: the first byte decides the length and the range of the second. */
size_t text_utf8_step(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    if (bytes == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || bytes < length)
        return 0;

    unsigned char least = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool text_is_utf8(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        uint64_t block;
        if (bytes - at >= sizeof(block)) { /* eight ASCII bytes at a time */
            memcpy(&block, text + at, sizeof(block));
            if ((block & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(block);
                continue;
            }
        }
        size_t step = text_utf8_step(text + at, bytes - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

size_t text_characters(const char *utf8, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += ((unsigned char)utf8[i] & 0xc0) != 0x80;
    return count;
}

int text_to_int(const char *text, int64_t *ret_value)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return -1;
    int kept = errno;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    int result = errno == 0 ? 0 : -1;
    errno = kept;
    if (result == 0)
        *ret_value = value;
    return result;
}

enum { NEAREST_LENGTH = 63, NEAREST_DISTANCE = 3 };

/* Levenshtein, one row kept. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[NEAREST_LENGTH + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_length];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t least = NEAREST_DISTANCE + 1;
    size_t length = strlen(word);
    for (size_t i = 0; i < count && length <= NEAREST_LENGTH; i++) {
        size_t candidate = strlen(candidates[i]);
        if (candidate > NEAREST_LENGTH)
            continue;
        size_t distance = edit_distance(word, length, candidates[i], candidate);
        if (distance < least) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
