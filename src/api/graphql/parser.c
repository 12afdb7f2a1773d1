/*
 * Documents by recursive descent. Every bracket counts against GQL_NESTING, so the stack is
 * bounded whatever the text says. After an error the parser sees only the end of the text, which
 * ends every loop.
 */
#include <string.h>

#include "graphql/graphql.h"
#include "text.h"

struct parser {
    struct arena *arena;
    struct gql_lexer lexer;
    struct gql_token token;
    unsigned nesting, definitions;
    bool failed;
};

/* ---- tokens ---------------------------------------------------------------------------------- */

static void give_up(struct parser *parser)
{
    parser->failed = true;
    parser->token = (struct gql_token){ .kind = GQL_END, .text = "" };
}

static void advance(struct parser *parser)
{
    if (!parser->failed && !gql_next_token(&parser->lexer, &parser->token))
        give_up(parser);
}

static void unexpected(struct parser *parser)
{
    if (!parser->failed)
        gql_syntax_error(&parser->lexer, parser->token.at, "Unexpected %s.",
                         gql_token_text(parser->arena, &parser->token));
    give_up(parser);
}

static bool is_punctuation(const struct parser *parser, char c)
{
    return parser->token.kind == GQL_PUNCTUATION && parser->token.punctuation == c;
}

static bool is_word(const struct parser *parser, const char *word)
{
    return parser->token.kind == GQL_NAME_TOKEN && strcmp(parser->token.text, word) == 0;
}

static bool take(struct parser *parser, char c)
{
    if (!is_punctuation(parser, c))
        return false;
    advance(parser);
    return true;
}

static void expect(struct parser *parser, char c)
{
    if (take(parser, c) || parser->failed)
        return;
    gql_syntax_error(&parser->lexer, parser->token.at, "Expected \"%c\", found %s.", c,
                     gql_token_text(parser->arena, &parser->token));
    give_up(parser);
}

static const char *expect_name(struct parser *parser)
{
    const char *name = parser->token.text;

    if (parser->token.kind == GQL_NAME_TOKEN) {
        advance(parser);
        return name;
    }
    if (!parser->failed)
        gql_syntax_error(&parser->lexer, parser->token.at, "Expected Name, found %s.",
                         gql_token_text(parser->arena, &parser->token));
    give_up(parser);
    return "";
}

static bool enter(struct parser *parser)
{
    if (++parser->nesting <= GQL_NESTING)
        return true;
    if (!parser->failed)
        gql_syntax_error(&parser->lexer, parser->token.at,
                         "Document is nested more than %d levels deep.", GQL_NESTING);
    give_up(parser);
    return false;
}

static void leave(struct parser *parser)
{
    parser->nesting--;
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct gql_value *parse_value(struct parser *parser, bool is_constant);

static void parse_items(struct parser *parser, struct gql_value *value, bool is_constant)
{
    struct gql_value **end = &value->items;
    bool is_object = value->kind == GQL_VALUE_OBJECT;
    char close = is_object ? '}' : ']';

    if (enter(parser)) {
        while (!parser->failed && !is_punctuation(parser, close)) {
            const char *key = NULL;
            if (is_object) {
                key = expect_name(parser);
                expect(parser, ':');
            }
            struct gql_value *item = parse_value(parser, is_constant);
            item->key = key;
            *end = item;
            end = &item->next;
        }
        expect(parser, close);
    }
    leave(parser);
}

static enum gql_value_kind kind_of_word(const char *word)
{
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return GQL_VALUE_BOOLEAN;
    return strcmp(word, "null") == 0 ? GQL_VALUE_NULL : GQL_VALUE_ENUM;
}

static void parse_plain_value(struct parser *parser, struct gql_value *value)
{
    switch (parser->token.kind) {
    case GQL_INT:
        value->kind = GQL_VALUE_INT;
        break;
    case GQL_FLOAT:
        value->kind = GQL_VALUE_FLOAT;
        break;
    case GQL_STRING:
        value->kind = GQL_VALUE_STRING;
        break;
    case GQL_NAME_TOKEN:
        value->kind = kind_of_word(parser->token.text);
        break;
    case GQL_END:
    case GQL_PUNCTUATION:
    case GQL_SPREAD:
        unexpected(parser);
        return;
    }
    value->text = parser->token.text;
    value->bytes = parser->token.bytes;
    advance(parser);
}

static struct gql_value *parse_value(struct parser *parser, bool is_constant)
{
    struct gql_value *value = arena_alloc(parser->arena, sizeof(*value));

    *value = (struct gql_value){ .kind = GQL_VALUE_NULL, .text = "", .at = parser->token.at };
    if (take(parser, '[')) {
        value->kind = GQL_VALUE_LIST;
        parse_items(parser, value, is_constant);
    } else if (take(parser, '{')) {
        value->kind = GQL_VALUE_OBJECT;
        parse_items(parser, value, is_constant);
    } else if (is_punctuation(parser, '$') && !is_constant) {
        advance(parser);
        value->kind = GQL_VARIABLE;
        value->text = expect_name(parser);
    } else {
        parse_plain_value(parser, value);
    }
    return value;
}

/* ---- arguments, directives, types ------------------------------------------------------------ */

static struct gql_pair *parse_arguments(struct parser *parser, bool is_constant)
{
    struct gql_pair *first = NULL, **end = &first;

    if (!take(parser, '('))
        return NULL;
    do {
        struct gql_pair *pair = arena_alloc(parser->arena, sizeof(*pair));
        pair->at = parser->token.at;
        pair->name = expect_name(parser);
        expect(parser, ':');
        pair->value = parse_value(parser, is_constant);
        *end = pair;
        end = &pair->next;
    } while (!parser->failed && !is_punctuation(parser, ')'));
    expect(parser, ')');
    return first;
}

static struct gql_directive *parse_directives(struct parser *parser, bool is_constant)
{
    struct gql_directive *first = NULL, **end = &first;

    while (is_punctuation(parser, '@')) {
        struct gql_directive *directive = arena_alloc(parser->arena, sizeof(*directive));
        directive->at = parser->token.at;
        advance(parser);
        directive->name = expect_name(parser);
        directive->arguments = parse_arguments(parser, is_constant);
        *end = directive;
        end = &directive->next;
    }
    return first;
}

static const char *parse_type(struct parser *parser)
{
    const char *text = "";

    if (take(parser, '[')) {
        if (enter(parser))
            text = arena_textf(parser->arena, "[%s]", parse_type(parser));
        leave(parser);
        expect(parser, ']');
    } else {
        text = expect_name(parser);
    }
    return take(parser, '!') ? arena_textf(parser->arena, "%s!", text) : text;
}

/* ---- selections ------------------------------------------------------------------------------ */

static struct gql_selection *parse_selections(struct parser *parser);

static void parse_field(struct parser *parser, struct gql_selection *selection)
{
    selection->kind = GQL_FIELD;
    selection->name = selection->key = expect_name(parser);
    if (take(parser, ':'))
        selection->name = expect_name(parser);
    selection->arguments = parse_arguments(parser, false);
    selection->directives = parse_directives(parser, false);
    if (is_punctuation(parser, '{'))
        selection->selections = parse_selections(parser);
}

static void parse_spread(struct parser *parser, struct gql_selection *selection)
{
    advance(parser);
    if (parser->token.kind == GQL_NAME_TOKEN && !is_word(parser, "on")) {
        selection->kind = GQL_FRAGMENT_SPREAD;
        selection->name = expect_name(parser);
        selection->directives = parse_directives(parser, false);
        return;
    }
    selection->kind = GQL_INLINE_FRAGMENT;
    if (is_word(parser, "on")) {
        advance(parser);
        selection->on = expect_name(parser);
    }
    selection->directives = parse_directives(parser, false);
    selection->selections = parse_selections(parser);
}

static struct gql_selection *parse_selections(struct parser *parser)
{
    struct gql_selection *first = NULL, **end = &first;

    if (enter(parser)) {
        expect(parser, '{');
        do {
            struct gql_selection *selection = arena_alloc(parser->arena, sizeof(*selection));
            selection->at = parser->token.at;
            if (parser->token.kind == GQL_SPREAD)
                parse_spread(parser, selection);
            else
                parse_field(parser, selection);
            *end = selection;
            end = &selection->next;
        } while (!parser->failed && !is_punctuation(parser, '}'));
        expect(parser, '}');
    }
    leave(parser);
    return first;
}

/* ---- definitions ----------------------------------------------------------------------------- */

static struct gql_variable *parse_variables(struct parser *parser)
{
    struct gql_variable *first = NULL, **end = &first;

    if (!take(parser, '('))
        return NULL;
    do {
        struct gql_variable *variable = arena_alloc(parser->arena, sizeof(*variable));
        variable->at = parser->token.at;
        expect(parser, '$');
        variable->name = expect_name(parser);
        expect(parser, ':');
        variable->type = parse_type(parser);
        if (take(parser, '='))
            variable->fallback = parse_value(parser, true);
        parse_directives(parser, true); /* none means anything here */
        *end = variable;
        end = &variable->next;
    } while (!parser->failed && !is_punctuation(parser, ')'));
    expect(parser, ')');
    return first;
}

static enum gql_operation_kind operation_kind(const struct parser *parser)
{
    return is_word(parser, "mutation")       ? GQL_MUTATION
           : is_word(parser, "subscription") ? GQL_SUBSCRIPTION
                                             : GQL_QUERY;
}

static struct gql_operation *parse_operation(struct parser *parser)
{
    struct gql_operation *operation = arena_alloc(parser->arena, sizeof(*operation));

    operation->at = parser->token.at;
    operation->kind = operation_kind(parser);
    if (!is_punctuation(parser, '{')) {
        advance(parser);
        if (parser->token.kind == GQL_NAME_TOKEN)
            operation->name = expect_name(parser);
        operation->variables = parse_variables(parser);
        operation->directives = parse_directives(parser, false);
    }
    operation->selections = parse_selections(parser);
    return operation;
}

static struct gql_fragment *parse_fragment(struct parser *parser)
{
    struct gql_fragment *fragment = arena_alloc(parser->arena, sizeof(*fragment));

    fragment->at = parser->token.at;
    advance(parser);
    if (is_word(parser, "on"))
        unexpected(parser);
    fragment->name = expect_name(parser);
    if (!parser->failed && !is_word(parser, "on")) {
        gql_syntax_error(&parser->lexer, parser->token.at, "Expected \"on\", found %s.",
                         gql_token_text(parser->arena, &parser->token));
        give_up(parser);
    }
    advance(parser);
    fragment->on = expect_name(parser);
    fragment->directives = parse_directives(parser, false);
    fragment->selections = parse_selections(parser);
    return fragment;
}

static bool is_operation(const struct parser *parser)
{
    return is_punctuation(parser, '{') || is_word(parser, "query") || is_word(parser, "mutation") ||
           is_word(parser, "subscription");
}

static void parse_definitions(struct parser *parser, struct gql_document *document)
{
    struct gql_operation **operations = &document->operations;
    struct gql_fragment **fragments = &document->fragments;

    do {
        if (++parser->definitions > GQL_DEFINITIONS) {
            gql_syntax_error(&parser->lexer, parser->token.at,
                             "Document contains more than %d definitions.", GQL_DEFINITIONS);
            give_up(parser);
        } else if (is_operation(parser)) {
            *operations = parse_operation(parser);
            operations = &(*operations)->next;
        } else if (is_word(parser, "fragment")) {
            *fragments = parse_fragment(parser);
            fragments = &(*fragments)->next;
        } else {
            unexpected(parser);
        }
    } while (!parser->failed && parser->token.kind != GQL_END);
}

struct gql_document *gql_parse(struct arena *arena, const char *text, size_t bytes,
                               struct gql_errors *errors)
{
    struct gql_document *document = arena_alloc(arena, sizeof(*document));
    struct parser parser = {
        .arena = arena,
        .lexer = { .arena = arena,
                   .errors = errors,
                   .text = text,
                   .bytes = bytes,
                   .line = 1,
                   .column = 1 },
    };

    if (!text_is_utf8(text, bytes)) {
        gql_refuse(errors, (struct gql_at){ 1, 1 }, "Syntax Error: The document is not UTF-8.");
        return NULL;
    }
    advance(&parser);
    parse_definitions(&parser, document);
    return parser.failed ? NULL : document;
}
