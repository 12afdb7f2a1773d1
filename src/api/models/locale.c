/* Models of /v1/locale. */
#include "locale_models.h"

#include <string.h>

#include "buffer.h"
#include "json_text.h"
#include "tables.h"

#define CONST_TEXT(name_, structure, member, ...)                                             \
    {                                                                                         \
        .name = name_, .kind = FIELD_TEXT, .offset = offsetof(structure, member), __VA_ARGS__ \
    }

static const struct field locale_fields[] = {
    CONST_TEXT("ip", struct caller_place, ip, .text = "Address of the caller."),
    CONST_TEXT("countryCode", struct caller_place, country_code, .text = "ISO 3166-1, or --."),
    CONST_TEXT("country", struct caller_place, country, .text = "Its name."),
    CONST_TEXT("continentCode", struct caller_place, continent_code, .text = "Code, or --."),
    CONST_TEXT("continent", struct caller_place, continent, .text = "Its name."),
    F_BOOLEAN("eu", struct caller_place, is_eu, .text = "Is it in the European Union."),
    CONST_TEXT("currency", struct caller_place, currency, .text = "ISO 4217, or empty."),
    { 0 },
};
const struct model model_locale = { "locale", NULL, locale_fields };

static const struct field code_fields[] = {
    CONST_TEXT("code", struct named_code, code, .text = "Code."),
    CONST_TEXT("name", struct named_code, name, .text = "Name."),
    { 0 },
};
static const struct field name_fields[] = {
    CONST_TEXT("name", struct named_code, name, .text = "Name."),
    CONST_TEXT("code", struct named_code, code, .text = "Code."),
    { 0 },
};
const struct model model_locale_code = { "localeCode", "localeCodes", code_fields };
const struct model model_country = { "country", "countries", name_fields };
const struct model model_continent = { "continent", "continents", name_fields };

static const struct field phone_fields[] = {
    CONST_TEXT("code", struct phone_code, code, .text = "Code with its plus sign."),
    CONST_TEXT("countryCode", struct phone_code, country_code, .text = "ISO 3166-1."),
    CONST_TEXT("countryName", struct phone_code, country, .text = "Name of the country."),
    { 0 },
};
const struct model model_phone = { "phone", "phones", phone_fields };

/* ---- rows whose texts are offsets ------------------------------------------------------------ */

static void write_text(const struct writing *writing, uint32_t offset)
{
    const char *text = locale_text(offset);

    json_text_string(writing->out, text, strlen(text));
}

#define WRITES(function, structure, member)                                 \
    static void function(const struct writing *writing, const void *entity) \
    {                                                                       \
        write_text(writing, ((const struct structure *)entity)->member);    \
    }
WRITES(write_symbol, locale_currency, symbol)
WRITES(write_native_symbol, locale_currency, native_symbol)
WRITES(write_currency_name, locale_currency, name)
WRITES(write_plural, locale_currency, plural)
WRITES(write_language_name, locale_language, name)
WRITES(write_native, locale_language, native)

static void write_digits(const struct writing *writing, const void *entity)
{
    buffer_addf(writing->out, "%d", ((const struct locale_currency *)entity)->digits);
}

#define HERE_TEXT(name_, structure, member, ...)                                                   \
    {                                                                                              \
        .name = name_, .kind = FIELD_TEXT_HERE, .offset = offsetof(structure, member), __VA_ARGS__ \
    }

static const struct field currency_fields[] = {
    F_OWN("symbol", "string", write_symbol, .text = "Symbol in English."),
    F_OWN("name", "string", write_currency_name, .text = "Name."),
    F_OWN("symbolNative", "string", write_native_symbol, .text = "Symbol where it is used."),
    F_OWN("decimalDigits", "integer", write_digits, .text = "Digits behind the point."),
    F_REAL("rounding", struct locale_currency, rounding, .text = "Amounts are multiples of it."),
    HERE_TEXT("code", struct locale_currency, code, .text = "ISO 4217."),
    F_OWN("namePlural", "string", write_plural, .text = "Name of several."),
    { 0 },
};
const struct model model_currency = { "currency", "currencies", currency_fields };

static const struct field language_fields[] = {
    F_OWN("name", "string", write_language_name, .text = "Name in English."),
    HERE_TEXT("code", struct locale_language, code, .text = "ISO 639-1."),
    F_OWN("nativeName", "string", write_native, .text = "Name in the language itself."),
    { 0 },
};
const struct model model_language = { "language", "languages", language_fields };
