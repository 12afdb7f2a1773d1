/*
 * Countries, currencies, languages and their names. The tables are made when the program is built,
 * from ICU and the phone number data of the system (cmake/locale_table.c), and are read-only pages
 * of the program: what is not asked for takes no memory.
 */
#ifndef TABLES_H
#define TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are offsets: locale_text() reads them. Rows are in the order of their codes. */
struct locale_country { /* ISO 3166-1 */
    char code[3];
    char continent[3]; /* AF, AN, AS, EU, NA, OC, SA */
    char currency[4];  /* "" if it has none of its own */
    bool is_eu;
    uint16_t phone; /* 43; 0: none */
};

struct locale_currency { /* ISO 4217, those in use */
    char code[4];
    uint32_t symbol, native_symbol, name, plural;
    uint8_t digits;
    double rounding;
};

struct locale_language { /* ISO 639-1 */
    char code[4];
    uint32_t name, native;
};

struct locale { /* a language to translate into: de, de-at */
    char code[8];
    uint32_t name;       /* in English */
    uint32_t countries;  /* locale_next() reads them, sorted as the language sorts */
    uint32_t continents; /* likewise */
    uint32_t unknown;    /* what an unknown place is called */
};

extern const struct locale_country locale_countries[];
extern const struct locale_currency locale_currencies[];
extern const struct locale_language locale_languages[];
extern const struct locale locale_rows[];
extern const size_t locale_country_count, locale_currency_count, locale_language_count,
    locale_count;

const char *locale_text(uint32_t offset);

/*
 * A code and its name. *position: an offset of struct locale; moves on. false: that was the last.
 */
struct locale_name {
    char code[3];
    const char *name;
};
bool locale_next(uint32_t *position, struct locale_name *ret_name);

/* The name of a code in names (an offset of struct locale), or NULL. */
const char *locale_name(uint32_t names, const char *code);

/* Whatever its case; English for NULL and what is unknown. */
const struct locale *locale_find(const char *code);
/* NULL: there is no such country. */
const struct locale_country *locale_country_find(const char *code);

#endif
