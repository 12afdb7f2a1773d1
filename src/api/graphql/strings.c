/* Strings of a document: "with escapes" and """blocks""" whose common indentation goes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "graphql/graphql.h"
#include "mem.h"

static bool unterminated(struct gql_lexer *lexer, const struct gql_token *token)
{
    return gql_syntax_error(lexer, token->at, "Unterminated string.");
}

/* ---- escapes --------------------------------------------------------------------------------- */

static size_t put_character(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

static int hex_digit(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    char lower = (char)tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four digits at text, or {1 to 6}; returns the bytes read, 0 if there are none. */
static size_t read_hex(const char *text, size_t bytes, uint32_t *ret_value)
{
    bool is_braced = bytes > 0 && text[0] == '{';
    size_t at = is_braced ? 1 : 0, count = 0;
    uint32_t value = 0;

    for (; at < bytes && hex_digit(text[at]) >= 0 && count < (is_braced ? 6U : 4U); at++, count++)
        value = value << 4 | (uint32_t)hex_digit(text[at]);
    *ret_value = value;
    if (is_braced)
        return count > 0 && at < bytes && text[at] == '}' ? at + 1 : 0;
    return count == 4 ? at : 0;
}

/* \u...: also two of them that are one character; returns the bytes read behind \u, 0 if wrong. */
static size_t read_unicode(const char *text, size_t bytes, uint32_t *ret_value)
{
    uint32_t high, low;
    size_t used = read_hex(text, bytes, &high), more;

    *ret_value = high;
    if (used == 0 || (high < 0xD800 && used > 0))
        return used;
    if (high >= 0xE000)
        return high <= 0x10FFFF ? used : 0;
    if (high >= 0xDC00 || text[0] == '{' || bytes < used + 2 || text[used] != '\\' ||
        text[used + 1] != 'u' || text[used + 2 < bytes ? used + 2 : used] == '{')
        return 0;
    more = read_hex(text + used + 2, bytes - used - 2, &low);
    if (more == 0 || low < 0xDC00 || low > 0xDFFF)
        return 0;
    *ret_value = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return used + 2 + more;
}

/* text is behind the backslash. Returns the bytes read, 0 if it is no escape. */
static size_t read_escape(const char *text, size_t bytes, char *out, size_t *ret_written)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = bytes > 0 && text[0] != '\0' ? strchr(from, text[0]) : NULL;
    uint32_t value;

    if (found != NULL) {
        out[0] = to[found - from];
        *ret_written = 1;
        return 1;
    }
    size_t used = bytes > 1 && text[0] == 'u' ? read_unicode(text + 1, bytes - 1, &value) : 0;
    if (used == 0)
        return 0;
    *ret_written = put_character(out, value);
    return used + 1;
}

/* The closing quote's place, or bytes if there is none in this line. */
static size_t find_end(const struct gql_lexer *lexer, size_t from)
{
    for (size_t at = from; at < lexer->bytes; at++) {
        char c = lexer->text[at];
        if (c == '"')
            return at;
        if (c == '\n' || c == '\r')
            return lexer->bytes;
        if (c == '\\')
            at++;
    }
    return lexer->bytes;
}

static bool read_line_string(struct gql_lexer *lexer, struct gql_token *token)
{
    size_t at = lexer->position + 1, end = find_end(lexer, at), written = 0, used = 0;

    if (end >= lexer->bytes)
        return unterminated(lexer, token);
    char *out = arena_alloc(lexer->arena, end - at + 1); /* no escape is longer than its text */
    while (at < end) {
        unsigned char c = (unsigned char)lexer->text[at];
        if (c == '\\') {
            size_t step = read_escape(lexer->text + at + 1, end - at - 1, out + written, &used);
            if (step == 0)
                return gql_syntax_error(lexer, token->at, "Invalid character escape sequence.");
            written += used;
            at += 1 + step;
        } else if (c < ' ' && c != '\t') {
            return gql_syntax_error(lexer, token->at, "Invalid character within String: U+%04X.",
                                    (unsigned)c);
        } else {
            out[written++] = (char)c;
            at++;
        }
    }
    token->text = out;
    token->bytes = written;
    lexer->position = end + 1;
    return true;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

struct line {
    const char *text;
    size_t bytes, indent; /* indent = bytes: nothing but space */
};

static struct line next_line(const char *text, size_t bytes, size_t *at)
{
    struct line line = { .text = text + *at };

    while (*at < bytes && text[*at] != '\n' && text[*at] != '\r') {
        line.bytes++;
        (*at)++;
    }
    while (line.indent < line.bytes &&
           (line.text[line.indent] == ' ' || line.text[line.indent] == '\t'))
        line.indent++;
    if (*at < bytes)
        *at += text[*at] == '\r' && *at + 1 < bytes && text[*at + 1] == '\n' ? 2 : 1;
    return line;
}

/* Empty lines at both ends go; the indentation that all lines but the first share goes. */
static size_t dedent(const char *raw, size_t bytes, char *out)
{
    size_t common = SIZE_MAX, count = 0, first = SIZE_MAX, last = 0, written = 0, at = 0;

    for (; at < bytes || count == 0; count++) {
        struct line line = next_line(raw, bytes, &at);
        if (line.indent == line.bytes)
            continue;
        first = first == SIZE_MAX ? count : first;
        last = count;
        if (count > 0 && line.indent < common)
            common = line.indent;
    }
    at = 0;
    for (size_t i = 0; first != SIZE_MAX && i <= last; i++) {
        struct line line = next_line(raw, bytes, &at);
        size_t cut = i == 0 || common == SIZE_MAX ? 0 : common < line.bytes ? common : line.bytes;
        if (i < first)
            continue;
        if (i > first)
            out[written++] = '\n';
        memcpy(out + written, line.text + cut, line.bytes - cut);
        written += line.bytes - cut;
    }
    return written;
}

/* Copies up to the closing quotes, \""" as """, counting lines. */
static bool copy_block(struct gql_lexer *lexer, char *raw, size_t *ret_bytes)
{
    size_t at = lexer->position + 3, written = 0;

    while (lexer->bytes - at >= 3 && memcmp(lexer->text + at, "\"\"\"", 3) != 0) {
        char c = lexer->text[at];
        if (c == '\\' && lexer->bytes - at >= 4 && memcmp(lexer->text + at, "\\\"\"\"", 4) == 0) {
            memcpy(raw + written, "\"\"\"", 3);
            written += 3;
            at += 4;
            continue;
        }
        raw[written++] = c;
        at++;
        if (c == '\n' || (c == '\r' && lexer->text[at] != '\n')) {
            lexer->line++;
            lexer->column = 1;
            lexer->column_position = at;
        }
    }
    if (lexer->bytes - at < 3)
        return false;
    lexer->position = at + 3;
    *ret_bytes = written;
    return true;
}

static bool read_block(struct gql_lexer *lexer, struct gql_token *token)
{
    const char *quotes = "\"\"\"";
    const char *end = memmem(lexer->text + lexer->position + 3, lexer->bytes - lexer->position - 3,
                             quotes, 3);
    size_t bytes = 0;

    if (end == NULL)
        return unterminated(lexer, token);
    /* escaped quotes may make it longer than up to the first closing ones */
    char *raw = xmalloc(lexer->bytes - lexer->position);
    bool is_whole = copy_block(lexer, raw, &bytes);
    if (is_whole) {
        char *out = arena_alloc(lexer->arena, bytes + 1);
        token->bytes = dedent(raw, bytes, out);
        token->text = out;
    }
    free(raw);
    return is_whole || unterminated(lexer, token);
}

bool gql_read_string(struct gql_lexer *lexer, struct gql_token *token)
{
    token->kind = GQL_STRING;
    if (lexer->bytes - lexer->position >= 3 &&
        memcmp(lexer->text + lexer->position, "\"\"\"", 3) == 0)
        return read_block(lexer, token);
    return read_line_string(lexer, token);
}
