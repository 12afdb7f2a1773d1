/* See tags.h. Lines of the listing: four hexadecimal digits of length, then "<hash> <name>". */
#include "tags.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

enum { LENGTH_DIGITS = 4, NAME_MOST = 256 };

static const char service[] = "# service=git-upload-pack", tag_names[] = "refs/tags/";

bool tags_is_range(const char *reference)
{
    return strchr(reference, '*') != NULL;
}

/* The usual walk: after a mismatch the last star takes one character more. */
static bool matches(const char *range, const char *tag)
{
    const char *star = NULL, *behind = NULL;

    while (*tag) {
        if (*range == '*') {
            star = range++;
            behind = tag;
        } else if (*range == *tag) {
            range++;
            tag++;
        } else if (star) {
            range = star + 1;
            tag = ++behind;
        } else {
            return false;
        }
    }
    while (*range == '*')
        range++;
    return !*range;
}

static bool is_higher(const char *tag, const char *than)
{
    bool is_release = !strchr(tag, '-'), than_is_release = !strchr(than, '-');

    return is_release == than_is_release ? strverscmp(tag, than) > 0 : is_release;
}

/* "0032" -> 50; 0 to 3 are marks without a line. */
static int read_length(const char *digits, size_t *ret_length)
{
    size_t length = 0;

    for (int i = 0; i < LENGTH_DIGITS; i++) {
        const char *digit = memchr("0123456789abcdef", digits[i], 16);
        if (!digit)
            return -1;
        length = 16 * length + (size_t)(digit - "0123456789abcdef");
    }
    *ret_length = length;
    return 0;
}

/* The tag of a line, or "". One ending in ^{} says what the tag before it points to. */
static void read_tag(const char *line, size_t bytes, char ret_tag[NAME_MOST])
{
    const char *end = memchr(line, '\0', bytes), *name;

    *ret_tag = '\0';
    end = end ? end : line + bytes;
    while (end > line && end[-1] == '\n')
        end--;
    name = memchr(line, ' ', (size_t)(end - line));
    if (!name || (size_t)(end - ++name) < sizeof tag_names || !text_starts(name, tag_names) ||
        end[-1] == '}')
        return;
    name += strlen(tag_names);
    if ((size_t)(end - name) < NAME_MOST) {
        memcpy(ret_tag, name, (size_t)(end - name));
        ret_tag[end - name] = '\0';
    }
}

static int not_a_listing(struct error *err)
{
    return fail(err, ERROR_GENERAL_BAD_REQUEST, "This is no list of tags as git reads them.");
}

int tags_choose(const char *data, size_t bytes, const char *range, char **ret_tag,
                struct error *err)
{
    const char *at = data, *end = data + bytes;
    auto_free char *best = NULL;
    char tag[NAME_MOST];

    while (end - at >= LENGTH_DIGITS) {
        size_t length;
        if (read_length(at, &length) < 0 || length > (size_t)(end - at))
            return not_a_listing(err);
        if (at == data && (length < LENGTH_DIGITS + strlen(service) ||
                           memcmp(at + LENGTH_DIGITS, service, strlen(service)) != 0))
            return not_a_listing(err);
        if (length > LENGTH_DIGITS) {
            read_tag(at + LENGTH_DIGITS, length - LENGTH_DIGITS, tag);
            if (*tag && matches(range, tag) && (!best || is_higher(tag, best))) {
                free(best);
                best = xstrdup(tag);
            }
        }
        at += length < LENGTH_DIGITS ? LENGTH_DIGITS : length;
    }
    if (at == data || at != end)
        return not_a_listing(err);
    *ret_tag = steal(best);
    return 0;
}
