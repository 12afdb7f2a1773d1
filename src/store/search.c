/*
 * The `search` parameter of lists, as the SQL function search_words(search, text...).
 *
 * The API's full-text engine is asked in boolean mode with a star behind: any word of the search
 * that is a word of the text matches, the last one also as the beginning of a word; in double
 * quotes the words must follow each other. Case does not count. Words end at what is no letter,
 * digit or underscore; bytes beyond ASCII are letters.
 */
#include <string.h>
#include <strings.h>

#include "store_private.h"

struct word {
    const char *text;
    size_t bytes;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((unsigned char)c & 0x80);
}

/* The next word of *position, which moves behind it. */
static bool next_word(const char **position, const char *end, struct word *ret_word)
{
    const char *text = *position;

    while (text < end && !is_letter(*text))
        text++;
    ret_word->text = text;
    while (text < end && is_letter(*text))
        text++;
    ret_word->bytes = (size_t)(text - ret_word->text);
    *position = text;
    return ret_word->bytes > 0;
}

static bool word_matches(const struct word *word, const struct word *term, bool prefix)
{
    return (prefix ? word->bytes >= term->bytes : word->bytes == term->bytes) &&
           strncasecmp(word->text, term->text, term->bytes) == 0;
}

static bool text_has_term(const char *text, const char *end, const struct word *term, bool prefix)
{
    struct word word;

    while (next_word(&text, end, &word)) {
        if (word_matches(&word, term, prefix))
            return true;
    }
    return false;
}

static bool text_has_any(const char *text, const char *end, const char *search,
                         const char *search_end)
{
    struct word term, following;
    bool has_term = next_word(&search, search_end, &term);

    while (has_term) {
        bool has_following = next_word(&search, search_end, &following);

        if (text_has_term(text, end, &term, !has_following))
            return true;
        term = following;
        has_term = has_following;
    }
    return false;
}

/* Do the words of the search follow each other from here on? */
static bool begins_with_phrase(const char *text, const char *end, const char *search,
                               const char *search_end)
{
    struct word word, term;

    while (next_word(&search, search_end, &term)) {
        if (!next_word(&text, end, &word) || !word_matches(&word, &term, false))
            return false;
    }
    return true;
}

static bool text_has_phrase(const char *text, const char *end, const char *search,
                            const char *search_end)
{
    const char *probe = search;
    struct word word;

    if (!next_word(&probe, search_end, &word))
        return false;
    while (text < end) {
        if (begins_with_phrase(text, end, search, search_end))
            return true;
        if (!next_word(&text, end, &word))
            return false;
    }
    return false;
}

/* In double quotes it is a phrase. */
static bool is_phrase(const char *search, const char *end)
{
    return end - search >= 2 && *search == '"' && end[-1] == '"';
}

bool search_matches(const char *search, const char *text)
{
    const char *search_end = search + strlen(search), *end = text + strlen(text);

    return is_phrase(search, search_end) ? text_has_phrase(text, end, search, search_end)
                                         : text_has_any(text, end, search, search_end);
}

/* An id is one word: the last term may be its beginning, the others are all of it. */
bool search_id_times(const char *search, int64_t *ret_first_us, int64_t *ret_last_us)
{
    const char *end = search + strlen(search), *at = search;
    int64_t first_us = INT64_MAX, last_us = 0, first, last;
    struct word term, following;
    bool phrase = is_phrase(search, end);

    for (bool more = next_word(&at, end, &term); more; term = following) {
        more = next_word(&at, end, &following);
        if ((more || phrase) && term.bytes != GENERATED_ID)
            continue;
        if (!id_prefix_times(term.text, term.bytes, &first, &last))
            continue;
        first_us = first < first_us ? first : first_us;
        last_us = last > last_us ? last : last_us;
    }
    *ret_first_us = first_us;
    *ret_last_us = last_us;
    return first_us <= last_us;
}

static void search_words(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *search = (const char *)sqlite3_value_text(values[0]);
    const char *search_end = search ? search + sqlite3_value_bytes(values[0]) : NULL;
    bool phrase = search && is_phrase(search, search_end);
    bool found = false;

    for (int i = 1; i < count && search && !found; i++) {
        const char *text = (const char *)sqlite3_value_text(values[i]);
        const char *end = text ? text + sqlite3_value_bytes(values[i]) : NULL;

        found = text && (phrase ? text_has_phrase(text, end, search, search_end)
                                : text_has_any(text, end, search, search_end));
    }
    sqlite3_result_int(context, found);
}

int search_register(sqlite3 *handle)
{
    return sqlite3_create_function_v2(handle, "search_words", -1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, search_words, NULL,
                                      NULL, NULL);
}
