/* The rows of settings.def: one field each, as text in and out, and as the table of the manual. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "settings_private.h"
#include "text.h"

const struct setting_row setting_rows[SETTINGS_COUNT] = {
#define ROW(row, is_kind, standard, sentence, ...)                      \
    [SETTING_INDEX_##row] = { .name = #row,                             \
                              .kind = (is_kind),                        \
                              .offset = offsetof(struct settings, row), \
                              .fallback = (standard),                   \
                              .doc = (sentence),                        \
                              __VA_ARGS__ },
#define SETTING_TEXT(name, fallback, doc) ROW(name, SETTING_IS_TEXT, fallback, doc, .unit = NULL)
#define SETTING_NUMBER(name, fallback, low, high, of, doc) \
    ROW(name, SETTING_IS_NUMBER, #fallback, doc, .least = (low), .most = (high), .unit = (of))
#define SETTING_SWITCH(name, fallback, doc) \
    ROW(name, SETTING_IS_SWITCH, (fallback) ? "true" : "false", doc, .unit = NULL)
#define SETTING_CHOICE(name, fallback, words, doc) \
    ROW(name, SETTING_IS_CHOICE, fallback, doc, .choices = (words))
#include "settings.def"
#undef SETTING_TEXT
#undef SETTING_NUMBER
#undef SETTING_SWITCH
#undef SETTING_CHOICE
#undef ROW
};

static void *field(const struct setting_row *row, struct settings *settings)
{
    return (char *)settings + row->offset;
}

static const void *field_of(const struct setting_row *row, const struct settings *settings)
{
    return (const char *)settings + row->offset;
}

const struct setting_row *setting_row_find(const char *name)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (text_equals(setting_rows[i].name, name))
            return &setting_rows[i];
    return NULL;
}

int setting_parse_switch(const char *text, bool *ret_value)
{
    static const char *const words[][2] = {
        { "false", "true" }, { "off", "on" }, { "no", "yes" }, { "0", "1" }
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        for (int value = 0; value < 2; value++) {
            if (text_equals_nocase(text, words[i][value])) {
                *ret_value = value == 1;
                return 0;
            }
        }
    }
    return -1;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == length && strncmp(at, value, length) == 0)
            return true;
    }
    return false;
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

int setting_row_set(const struct setting_row *row, struct settings *settings, const char *value,
                    struct error *err)
{
    int64_t number;
    switch (row->kind) {
    case SETTING_IS_TEXT:
        set_text(field(row, settings), value);
        return 0;
    case SETTING_IS_NUMBER:
        if (text_to_int(value, &number) < 0 || number < row->least || number > row->most)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                        "setting %s: \"%.60s\" is not a whole number from %" PRId64 " to %" PRId64
                        " (%s)",
                        row->name, value, row->least, row->most, row->unit);
        *(int64_t *)field(row, settings) = number;
        return 0;
    case SETTING_IS_SWITCH:
        if (setting_parse_switch(value, field(row, settings)) < 0)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                        "setting %s: \"%.60s\" is neither true nor false", row->name, value);
        return 0;
    case SETTING_IS_CHOICE:
        if (!is_choice(row->choices, value))
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "setting %s: \"%.60s\" is none of %s",
                        row->name, value, row->choices);
        set_text(field(row, settings), value);
        return 0;
    }
    return fail(err, ERROR_INTERNAL, "setting %s has no kind", row->name);
}

char *setting_row_get(const struct setting_row *row, const struct settings *settings)
{
    const void *value = field_of(row, settings);
    switch (row->kind) {
    case SETTING_IS_NUMBER:
        return xasprintf("%" PRId64, *(const int64_t *)value);
    case SETTING_IS_SWITCH:
        return xstrdup(*(const bool *)value ? "true" : "false");
    case SETTING_IS_TEXT:
    case SETTING_IS_CHOICE:
        break;
    }
    const char *text = *(char *const *)value;
    return xstrdup(text == NULL ? "" : text);
}

bool setting_row_is_default(const struct setting_row *row, const struct settings *settings)
{
    auto_free char *value = setting_row_get(row, settings);
    return text_equals(value, row->fallback);
}

void setting_rows_default(struct settings *settings)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        struct error err;
        if (setting_row_set(&setting_rows[i], settings, setting_rows[i].fallback, &err) < 0)
            abort(); /* a row whose default is against itself; the tests see it first */
    }
}

void settings_release(struct settings *settings)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        enum setting_kind kind = setting_rows[i].kind;
        if (kind == SETTING_IS_TEXT || kind == SETTING_IS_CHOICE)
            free(*(char **)field(&setting_rows[i], settings));
    }
    *settings = (struct settings){ 0 };
}

/* A | inside a cell of a Markdown table would end it, even between backticks. */
static void add_cell(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buffer_add_char(out, '\\');
        buffer_add_char(out, *text);
    }
}

static void document_row(const struct setting_row *row, struct buffer *out)
{
    buffer_add_text(out, "| `--");
    for (const char *at = row->name; *at != '\0'; at++)
        buffer_add_char(out, *at == '_' ? '-' : *at);
    buffer_add_text(out, "` | ");
    if (row->fallback[0] != '\0')
        buffer_addf(out, "`%s`", row->fallback);
    buffer_add_text(out, " | ");
    switch (row->kind) {
    case SETTING_IS_TEXT:
        buffer_add_text(out, "text");
        break;
    case SETTING_IS_NUMBER:
        buffer_addf(out, "%" PRId64 " to %" PRId64 " %s", row->least, row->most, row->unit);
        break;
    case SETTING_IS_SWITCH:
        buffer_add_text(out, "`true`, `false`");
        break;
    case SETTING_IS_CHOICE:
        buffer_add_char(out, '`');
        add_cell(out, row->choices);
        buffer_add_char(out, '`');
        break;
    }
    buffer_add_text(out, " | ");
    add_cell(out, row->doc);
    buffer_add_text(out, " |\n");
}

void settings_document(struct buffer *out)
{
    buffer_add_text(out, "| Flag | Default | Allowed | Meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        document_row(&setting_rows[i], out);
}
