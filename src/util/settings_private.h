/* The rows of settings.def as data, shared by settings.c and settings_rows.c. */
#ifndef SETTINGS_PRIVATE_H
#define SETTINGS_PRIVATE_H

#include <stddef.h>

#include "settings.h"

enum setting_kind { SETTING_IS_TEXT, SETTING_IS_NUMBER, SETTING_IS_SWITCH, SETTING_IS_CHOICE };

enum settings_source { SOURCE_FLAG, SOURCE_ENVIRONMENT, SOURCE_FILE };

struct setting_row {
    const char *name;
    enum setting_kind kind;
    size_t offset;        /* in struct settings */
    const char *fallback; /* the default, as text */
    int64_t least;
    int64_t most;
    const char *unit;
    const char *choices; /* a|b|c */
    const char *doc;
};

enum {
#define SETTING_TEXT(name, fallback, doc)                      SETTING_INDEX_##name,
#define SETTING_NUMBER(name, fallback, least, most, unit, doc) SETTING_INDEX_##name,
#define SETTING_SWITCH(name, fallback, doc)                    SETTING_INDEX_##name,
#define SETTING_CHOICE(name, fallback, choices, doc)           SETTING_INDEX_##name,
#include "settings.def"
#undef SETTING_TEXT
#undef SETTING_NUMBER
#undef SETTING_SWITCH
#undef SETTING_CHOICE
    SETTINGS_COUNT
};

extern const struct setting_row setting_rows[SETTINGS_COUNT];

const struct setting_row *setting_row_find(const char *name); /* NULL if there is none */

/*
 * Errors: ERROR_GENERAL_ARGUMENT_INVALID with a sentence that names the setting and what it allows.
 */
int setting_row_set(const struct setting_row *row, struct settings *settings, const char *value,
                    struct error *err);
char *setting_row_get(const struct setting_row *row, const struct settings *settings);
bool setting_row_is_default(const struct setting_row *row, const struct settings *settings);
void setting_rows_default(struct settings *settings); /* fills a zeroed struct */

int setting_parse_switch(const char *text, bool *ret_value); /* true/false, on/off, yes/no, 1/0 */

#endif
