/*
 * Writes the tables of include/locale/tables.h: a program of the build, the server does not contain
 * it. Everything comes from ICU (which has it from CLDR), but for the phone codes, which come from
 * the data of the phonenumbers module.
 *
 *   locale_table PHONES TEXTS TABLES
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucol.h>
#include <unicode/ucurr.h>
#include <unicode/uenum.h>
#include <unicode/uloc.h>
#include <unicode/uregion.h>
#include <unicode/ustring.h>

enum {
    TEXTS_MAX = 4 << 20,
    NAME_MAX = 256,
    COUNTRIES_MAX = 400,
    LOCALES_MAX = 1200,
    LINE_MAX = 4096
};

static char texts[TEXTS_MAX];
static uint32_t texts_size;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "locale_table: %s\n", what);
    exit(1);
}

static void check_icu(UErrorCode status, const char *what)
{
    if (U_FAILURE(status)) {
        fprintf(stderr, "locale_table: %s: %s\n", what, u_errorName(status));
        exit(1);
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* Where the bytes are; what is there already is used again. */
static uint32_t add_bytes(const char *bytes, uint32_t size)
{
    const char *found = memmem(texts, texts_size, bytes, size);

    if (found != NULL)
        return (uint32_t)(found - texts);
    check(texts_size + size <= TEXTS_MAX, "too many texts");
    memcpy(texts + texts_size, bytes, size);
    texts_size += size;
    return texts_size - size;
}

static uint32_t add_text(const char *text)
{
    return add_bytes(text, (uint32_t)strlen(text) + 1);
}

static const char *utf8(const UChar *text, int32_t length)
{
    static char out[NAME_MAX * 3];
    UErrorCode status = U_ZERO_ERROR;

    u_strToUTF8(out, sizeof(out), NULL, text, length, &status);
    check_icu(status, "a name that is no text");
    return out;
}

/* ---- countries ------------------------------------------------------------------------------- */

/* Our codes of the continents, and their region in UN M.49. The first that holds a country wins. */
static const struct continent {
    char code[3], region[4];
} continents[] = {
    { "AN", "AQ" },  { "AF", "002" }, { "AS", "142" }, { "EU", "150" },
    { "NA", "003" }, { "OC", "009" }, { "SA", "005" },
};
enum { CONTINENTS = sizeof(continents) / sizeof(*continents) };

static struct country {
    char code[3], currency[4];
    const char *continent;
    bool is_eu;
    int phone;
} countries[COUNTRIES_MAX];
static size_t country_count;

static bool is_within(const char *code, const char *region)
{
    UErrorCode status = U_ZERO_ERROR;
    const URegion *inner = uregion_getRegionFromCode(code, &status);
    const URegion *outer = uregion_getRegionFromCode(region, &status);

    check_icu(status, region);
    return inner == outer || uregion_contains(outer, inner);
}

static struct country *find_country(const char *code)
{
    for (size_t i = 0; i < country_count; i++)
        if (strcmp(countries[i].code, code) == 0)
            return &countries[i];
    return NULL;
}

static void read_currency(struct country *country)
{
    char locale[8];
    UChar currency[4];
    UErrorCode status = U_ZERO_ERROR;

    snprintf(locale, sizeof(locale), "und_%s", country->code);
    if (ucurr_forLocale(locale, currency, 4, &status) == 3 && U_SUCCESS(status))
        memcpy(country->currency, utf8(currency, 3), 4);
    if (strcmp(country->currency, "XXX") == 0) /* no currency */
        country->currency[0] = '\0';
}

/* Territories with a number below 900 are those of ISO 3166-1; the others are ICU's and private. */
static void read_countries(void)
{
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *all = uregion_getAvailable(URGN_TERRITORY, &status);

    for (const char *code; (code = uenum_next(all, NULL, &status)) != NULL;) {
        int32_t number = uregion_getNumericCode(uregion_getRegionFromCode(code, &status));
        check_icu(status, code);
        if (number <= 0 || number >= 900)
            continue;
        check(country_count < COUNTRIES_MAX && strlen(code) == 2, "more countries than there are");
        struct country *country = &countries[country_count++];
        memcpy(country->code, code, 3);
        country->is_eu = is_within(code, "EU");
        for (size_t i = CONTINENTS; i-- > 0;)
            if (is_within(code, continents[i].region))
                country->continent = continents[i].code;
        check(country->continent != NULL, "a country on no continent");
        read_currency(country);
    }
    uenum_close(all);
}

/* Lines "    43: ("AT",)," of the module's table: the first number of a region counts. */
static void read_phones(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[LINE_MAX];
    bool is_inside = false;

    check(file != NULL, "the phone codes cannot be read");
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "_COUNTRY_CODE_TO_REGION_CODE", 28) == 0)
            is_inside = true;
        else if (line[0] == '}')
            is_inside = false;
        int phone = is_inside ? atoi(line) : 0;
        for (char *at = line; phone > 0 && (at = strchr(at, '"')) != NULL; at += 4) {
            char code[3] = { at[1], at[2], '\0' };
            struct country *country = at[3] == '"' ? find_country(code) : NULL;
            if (country != NULL && country->phone == 0)
                country->phone = phone;
            if (at[3] != '"')
                break;
        }
    }
    fclose(file);
}

static int compare_countries(const void *one, const void *other)
{
    return strcmp(((const struct country *)one)->code, ((const struct country *)other)->code);
}

static void write_countries(FILE *out)
{
    fputs("const struct locale_country locale_countries[] = {\n", out);
    for (size_t i = 0; i < country_count; i++)
        fprintf(out, "    { \"%s\", \"%s\", \"%s\", %s, %d },\n", countries[i].code,
                countries[i].continent, countries[i].currency,
                countries[i].is_eu ? "true" : "false", countries[i].phone);
    fprintf(out, "};\nconst size_t locale_country_count = %zu;\n\n", country_count);
}

/* ---- names in every language ----------------------------------------------------------------- */

struct name {
    char code[3];
    UChar text[NAME_MAX];
    const UCollator *collator;
};

static int compare_names(const void *one, const void *other)
{
    const struct name *a = one, *b = other;

    return (int)ucol_strcoll(a->collator, a->text, -1, b->text, -1);
}

static void region_name(const char *region, const char *locale, UChar text[NAME_MAX])
{
    char place[8];
    UErrorCode status = U_ZERO_ERROR;

    snprintf(place, sizeof(place), "und_%s", region);
    uloc_getDisplayCountry(place, locale, text, NAME_MAX, &status);
    check_icu(status, region);
}

static uint32_t add_names(struct name *names, size_t count, const UCollator *collator)
{
    static char block[COUNTRIES_MAX * NAME_MAX];
    uint32_t size = 0;

    for (size_t i = 0; i < count; i++)
        names[i].collator = collator;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        size += (uint32_t)snprintf(block + size, sizeof(block) - size, "%s%s", names[i].code,
                                   utf8(names[i].text, -1)) +
                1;
    block[size++] = '\0';
    return add_bytes(block, size);
}

static uint32_t add_countries(const char *locale, const UCollator *collator)
{
    static struct name names[COUNTRIES_MAX];

    for (size_t i = 0; i < country_count; i++) {
        memcpy(names[i].code, countries[i].code, 3);
        region_name(countries[i].code, locale, names[i].text);
    }
    return add_names(names, country_count, collator);
}

static uint32_t add_continents(const char *locale, const UCollator *collator)
{
    static struct name names[CONTINENTS];

    for (size_t i = 0; i < CONTINENTS; i++) {
        memcpy(names[i].code, continents[i].code, 3);
        region_name(continents[i].region, locale, names[i].text);
    }
    return add_names(names, CONTINENTS, collator);
}

/* English has a shorter word than ICU, and clients compare with it. */
static uint32_t add_unknown(const char *locale)
{
    UChar text[NAME_MAX];

    if (strncmp(locale, "en", 2) == 0)
        return add_text("Unknown");
    region_name("ZZ", locale, text);
    return add_text(utf8(text, -1));
}

static void write_locale(FILE *out, const char *locale)
{
    char code[8] = "";
    UChar text[NAME_MAX];
    UErrorCode status = U_ZERO_ERROR;
    UCollator *collator = ucol_open(locale, &status);

    check_icu(status, locale);
    for (size_t i = 0; i < sizeof(code) - 1 && locale[i] != '\0'; i++)
        code[i] = locale[i] == '_' ? '-' : (char)(locale[i] | 0x20);
    uloc_getDisplayName(locale, "en", text, NAME_MAX, &status);
    check_icu(status, locale);
    uint32_t name = add_text(utf8(text, -1));
    fprintf(out, "    { \"%s\", %u, %u, %u, %u },\n", code, name, add_countries(locale, collator),
            add_continents(locale, collator), add_unknown(locale));
    ucol_close(collator);
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(one, other);
}

/* Languages of two letters, alone or with a country: the shape of codes that clients send. */
static void write_locales(FILE *out)
{
    static char locales[LOCALES_MAX][8];
    size_t count = 0;
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *all = uloc_openAvailableByType(ULOC_AVAILABLE_WITH_LEGACY_ALIASES, &status);

    check_icu(status, "locales");
    for (const char *locale; (locale = uenum_next(all, NULL, &status)) != NULL;) {
        size_t length = strlen(locale);
        if (length != 2 && (length != 5 || locale[2] != '_'))
            continue;
        check(count < LOCALES_MAX, "more locales than were ever seen");
        strcpy(locales[count++], locale);
    }
    uenum_close(all);
    qsort(locales, count, sizeof(*locales), compare_texts);
    fputs("const struct locale locale_rows[] = {\n", out);
    for (size_t i = 0; i < count; i++)
        write_locale(out, locales[i]);
    fprintf(out, "};\nconst size_t locale_count = %zu;\n\n", count);
}

/* ---- languages ------------------------------------------------------------------------------- */

static void write_languages(FILE *out)
{
    size_t count = 0;

    fputs("const struct locale_language locale_languages[] = {\n", out);
    for (const char *const *code = uloc_getISOLanguages(); *code != NULL; code++) {
        UChar text[NAME_MAX];
        UErrorCode status = U_ZERO_ERROR;
        if (strlen(*code) != 2)
            continue;
        uloc_getDisplayLanguage(*code, "en", text, NAME_MAX, &status);
        uint32_t name = add_text(utf8(text, -1));
        uloc_getDisplayLanguage(*code, *code, text, NAME_MAX, &status);
        check_icu(status, *code);
        bool is_known = strcmp(utf8(text, -1), *code) != 0;
        fprintf(out, "    { \"%s\", %u, %u },\n", *code, name,
                is_known ? add_text(utf8(text, -1)) : name);
        count++;
    }
    fprintf(out, "};\nconst size_t locale_language_count = %zu;\n\n", count);
}

/* ---- currencies ------------------------------------------------------------------------------ */

/* A locale in which the currency is at home: of the country it is named after, or one that pays. */
static void home_of(const char *currency, char ret_locale[ULOC_FULLNAME_CAPACITY])
{
    char region[3] = { currency[0], currency[1], '\0' }, locale[8];
    UErrorCode status = U_ZERO_ERROR;

    if (find_country(region) == NULL)
        for (size_t i = country_count; i-- > 0;)
            if (strcmp(countries[i].currency, currency) == 0)
                memcpy(region, countries[i].code, 3);
    snprintf(locale, sizeof(locale), "und_%s", region);
    uloc_addLikelySubtags(locale, ret_locale, ULOC_FULLNAME_CAPACITY, &status);
    check_icu(status, currency);
}

static uint32_t currency_name(const UChar *code, const char *locale, UCurrNameStyle style)
{
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;
    const UChar *text = ucurr_getName(code, locale, style, NULL, &length, &status);

    check_icu(status, locale);
    return add_text(utf8(text, length));
}

static void write_currency(FILE *out, const char *name)
{
    char home[ULOC_FULLNAME_CAPACITY];
    UChar code[4];
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;

    u_uastrcpy(code, name);
    home_of(name, home);
    const UChar *plural = ucurr_getPluralName(code, "en", NULL, "other", &length, &status);
    uint32_t plural_text = add_text(utf8(plural, length));
    int32_t digits = ucurr_getDefaultFractionDigits(code, &status);
    double rounding = ucurr_getRoundingIncrement(code, &status);
    check_icu(status, name);
    fprintf(out, "    { \"%s\", %u, %u, %u, %u, %d, %g },\n", name,
            currency_name(code, "en", UCURR_SYMBOL_NAME),
            currency_name(code, home, UCURR_SYMBOL_NAME),
            currency_name(code, "en", UCURR_LONG_NAME), plural_text, digits, rounding);
}

static void write_currencies(FILE *out)
{
    static char codes[LOCALES_MAX][8];
    size_t count = 0;
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *all = ucurr_openISOCurrencies(UCURR_COMMON | UCURR_NON_DEPRECATED, &status);

    check_icu(status, "currencies");
    for (const char *code; (code = uenum_next(all, NULL, &status)) != NULL && count < LOCALES_MAX;)
        snprintf(codes[count++], sizeof(*codes), "%s", code);
    uenum_close(all);
    qsort(codes, count, sizeof(*codes), compare_texts);
    fputs("const struct locale_currency locale_currencies[] = {\n", out);
    for (size_t i = 0; i < count; i++)
        write_currency(out, codes[i]);
    fprintf(out, "};\nconst size_t locale_currency_count = %zu;\n", count);
}

int main(int argc, char **argv)
{
    check(argc == 4, "usage: locale_table PHONES TEXTS TABLES");
    FILE *text = fopen(argv[2], "w"), *out = fopen(argv[3], "w");

    check(text != NULL && out != NULL, "the tables cannot be written");
    read_countries();
    read_phones(argv[1]);
    qsort(countries, country_count, sizeof(*countries), compare_countries);
    fputs("/* Written by the build: see cmake/locale_table.c. */\n#include \"tables.h\"\n\n", out);
    write_countries(out);
    write_locales(out);
    write_languages(out);
    write_currencies(out);
    check(fwrite(texts, 1, texts_size, text) == texts_size, "the texts cannot be written");
    check(fclose(text) == 0 && fclose(out) == 0, "the tables cannot be written");
    return 0;
}
