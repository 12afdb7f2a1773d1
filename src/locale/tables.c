/* Reading the tables. See tables.h. */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

extern const char embed_locale_text_start[];

const char *locale_text(uint32_t offset)
{
    return embed_locale_text_start + offset;
}

/* Texts of two letters and a name, one behind the other; an empty one ends them. */
bool locale_next(uint32_t *position, struct locale_name *ret_name)
{
    const char *text = locale_text(*position);

    if (*text == '\0')
        return false;
    memcpy(ret_name->code, text, 2);
    ret_name->code[2] = '\0';
    ret_name->name = text + 2;
    *position += (uint32_t)strlen(text) + 1;
    return true;
}

const char *locale_name(uint32_t names, const char *code)
{
    struct locale_name row;

    while (locale_next(&names, &row))
        if (text_equals(row.code, code))
            return row.name;
    return NULL;
}

const struct locale *locale_find(const char *code)
{
    const struct locale *english = NULL;

    for (size_t i = 0; i < locale_count; i++) {
        if (code != NULL && text_equals_nocase(locale_rows[i].code, code))
            return &locale_rows[i];
        if (text_equals(locale_rows[i].code, "en"))
            english = &locale_rows[i];
    }
    return english;
}

static int compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct locale_country *)row)->code);
}

const struct locale_country *locale_country_find(const char *code)
{
    return bsearch(code, locale_countries, locale_country_count, sizeof(*locale_countries),
                   compare);
}
