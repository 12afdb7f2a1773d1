/* From text to tokens: names, numbers, punctuation. Strings are in strings.c. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graphql/graphql.h"
#include "text.h"

static const char punctuation[] = "!$&():=@[]{|}";

bool gql_syntax_error(struct gql_lexer *lexer, struct gql_at at, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    gql_refuse(lexer->errors, at, "Syntax Error: %s", text);
    return false;
}

const char *gql_token_text(struct arena *arena, const struct gql_token *token)
{
    switch (token->kind) {
    case GQL_END:
        return "<EOF>";
    case GQL_PUNCTUATION:
        return arena_textf(arena, "%c", token->punctuation);
    case GQL_SPREAD:
        return "...";
    case GQL_NAME_TOKEN:
        return arena_textf(arena, "Name \"%.*s\"", GQL_NAME, token->text);
    case GQL_INT:
        return arena_textf(arena, "Int \"%.*s\"", GQL_NAME, token->text);
    case GQL_FLOAT:
        return arena_textf(arena, "Float \"%.*s\"", GQL_NAME, token->text);
    case GQL_STRING:
        return "String";
    }
    return "";
}

/* Columns are counted on from the last token: a document may be one long line. */
static struct gql_at where(struct gql_lexer *lexer)
{
    for (; lexer->column_position < lexer->position; lexer->column_position++)
        if (((unsigned char)lexer->text[lexer->column_position] & 0xC0) != 0x80)
            lexer->column++;
    return (struct gql_at){ .line = lexer->line, .column = lexer->column };
}

static void new_line(struct gql_lexer *lexer)
{
    lexer->line++;
    lexer->column = 1;
    lexer->column_position = lexer->position;
}

static char peek(const struct gql_lexer *lexer, size_t ahead)
{
    size_t position = lexer->position + ahead;

    return position < lexer->bytes ? lexer->text[position] : '\0';
}

/* White space, commas, comments and the byte order mark mean nothing. */
static void skip_ignored(struct gql_lexer *lexer)
{
    while (lexer->position < lexer->bytes) {
        char c = lexer->text[lexer->position];
        if (c == '\n' || c == '\r') {
            lexer->position += c == '\r' && peek(lexer, 1) == '\n' ? 2 : 1;
            new_line(lexer);
        } else if (c == ' ' || c == '\t' || c == ',') {
            lexer->position++;
        } else if (c == '#') {
            while (lexer->position < lexer->bytes && peek(lexer, 0) != '\n' &&
                   peek(lexer, 0) != '\r')
                lexer->position++;
        } else if (lexer->bytes - lexer->position >= 3 &&
                   memcmp(lexer->text + lexer->position, "\xEF\xBB\xBF", 3) == 0) {
            lexer->position += 3;
        } else {
            return;
        }
    }
}

static void take(struct gql_lexer *lexer, size_t bytes, struct gql_token *token)
{
    token->text = arena_text(lexer->arena, lexer->text + lexer->position, bytes);
    token->bytes = bytes;
    lexer->position += bytes;
}

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static void read_name(struct gql_lexer *lexer, struct gql_token *token)
{
    size_t bytes = 1;

    while (is_name_start(peek(lexer, bytes)) || isdigit((unsigned char)peek(lexer, bytes)))
        bytes++;
    token->kind = GQL_NAME_TOKEN;
    take(lexer, bytes, token);
}

static size_t digits(const struct gql_lexer *lexer, size_t ahead)
{
    size_t count = 0;

    while (isdigit((unsigned char)peek(lexer, ahead + count)))
        count++;
    return count;
}

static bool number_error(struct gql_lexer *lexer, size_t ahead, struct gql_token *token)
{
    char found = peek(lexer, ahead);

    lexer->position += ahead;
    if (lexer->position >= lexer->bytes)
        return gql_syntax_error(lexer, token->at, "Invalid number, expected digit but got: <EOF>.");
    return gql_syntax_error(lexer, where(lexer), "Invalid number, expected digit but got: \"%c\".",
                            found >= ' ' && found < 0x7F ? found : '?');
}

static bool read_number(struct gql_lexer *lexer, struct gql_token *token)
{
    size_t bytes = peek(lexer, 0) == '-' ? 1 : 0;
    size_t whole = digits(lexer, bytes), part;

    token->kind = GQL_INT;
    if (whole == 0)
        return number_error(lexer, bytes, token);
    if (peek(lexer, bytes) == '0' && whole > 1)
        return number_error(lexer, bytes + 1, token);
    bytes += whole;
    if (peek(lexer, bytes) == '.') {
        token->kind = GQL_FLOAT;
        if ((part = digits(lexer, bytes + 1)) == 0)
            return number_error(lexer, bytes + 1, token);
        bytes += 1 + part;
    }
    if (peek(lexer, bytes) == 'e' || peek(lexer, bytes) == 'E') {
        token->kind = GQL_FLOAT;
        bytes++;
        if (peek(lexer, bytes) == '+' || peek(lexer, bytes) == '-')
            bytes++;
        if ((part = digits(lexer, bytes)) == 0)
            return number_error(lexer, bytes, token);
        bytes += part;
    }
    if (peek(lexer, bytes) == '.' || is_name_start(peek(lexer, bytes)))
        return number_error(lexer, bytes, token);
    take(lexer, bytes, token);
    return true;
}

static bool unknown_character(struct gql_lexer *lexer, struct gql_at at)
{
    size_t step = text_utf8_step(lexer->text + lexer->position, lexer->bytes - lexer->position);
    char c = lexer->text[lexer->position];

    if (step > 1 || (c >= ' ' && c < 0x7F))
        return gql_syntax_error(lexer, at, "Unexpected character: \"%.*s\".",
                                (int)(step == 0 ? 1 : step), lexer->text + lexer->position);
    return gql_syntax_error(lexer, at, "Invalid character: U+%04X.", (unsigned)(unsigned char)c);
}

bool gql_next_token(struct gql_lexer *lexer, struct gql_token *ret_token)
{
    skip_ignored(lexer);
    *ret_token = (struct gql_token){ .kind = GQL_END, .text = "", .at = where(lexer) };
    if (lexer->position >= lexer->bytes)
        return true;
    if (++lexer->tokens > GQL_TOKENS)
        return gql_syntax_error(lexer, ret_token->at,
                                "Document contains more than %d tokens. Parsing aborted.",
                                GQL_TOKENS);
    char c = lexer->text[lexer->position];
    if (c != '\0' && strchr(punctuation, c) != NULL) {
        ret_token->kind = GQL_PUNCTUATION;
        ret_token->punctuation = c;
        lexer->position++;
        return true;
    }
    if (c == '.' && peek(lexer, 1) == '.' && peek(lexer, 2) == '.') {
        ret_token->kind = GQL_SPREAD;
        lexer->position += 3;
        return true;
    }
    if (is_name_start(c)) {
        read_name(lexer, ret_token);
        return true;
    }
    if (isdigit((unsigned char)c) || c == '-')
        return read_number(lexer, ret_token);
    if (c == '"')
        return gql_read_string(lexer, ret_token);
    return unknown_character(lexer, ret_token->at);
}
