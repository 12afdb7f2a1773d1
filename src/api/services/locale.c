/*
 * Countries, currencies, languages, and where the caller is.
 *
 * Source: appwrite app/controllers/api/locale.php.
 */
#include "tables.h"

#include <string.h>

#include "call.h"
#include "locale_models.h"
#include "mem.h"
#include "services.h"
#include "text.h"

struct locale_input {
    const char *locale;
};

/* The language to answer in: ?locale= before the header, English for what is not known. */
static const struct locale *language_of(const struct call *call)
{
    const struct locale_input *in = call->params;

    return locale_find(text_is_empty(in->locale) ? call_header(call, "x-appwrite-locale")
                                                 : in->locale);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Rows of code and name, those that wanted() takes. */
static int list_names(struct call *call, uint32_t names, bool (*wanted)(const char *code),
                      struct error *err)
{
    struct locale_name row;
    int64_t total = 0;

    call_list_begin(call, NULL);
    while (locale_next(&names, &row)) {
        if (wanted != NULL && !wanted(row.code))
            continue;
        const struct named_code answer = { .code = row.code, .name = row.name };
        call_list_row(call, &answer);
        total++;
    }
    return call_list_end(call, total, err);
}

static int locale_countries_list(struct call *call, struct error *err)
{
    return list_names(call, language_of(call)->countries, NULL, err);
}

static bool is_eu(const char *code)
{
    return locale_country_find(code)->is_eu;
}

static int locale_eu_list(struct call *call, struct error *err)
{
    return list_names(call, language_of(call)->countries, is_eu, err);
}

static int locale_continents_list(struct call *call, struct error *err)
{
    return list_names(call, language_of(call)->continents, NULL, err);
}

static int locale_phones_list(struct call *call, struct error *err)
{
    const uint32_t names = language_of(call)->countries;
    int64_t total = 0;

    call_list_begin(call, NULL);
    for (size_t i = 0; i < locale_country_count; i++) {
        const struct locale_country *country = &locale_countries[i];
        if (country->phone == 0)
            continue;
        const struct phone_code answer = { .code = call_textf(call, "+%d", country->phone),
                                           .country_code = country->code,
                                           .country = locale_name(names, country->code) };
        call_list_row(call, &answer);
        total++;
    }
    return call_list_end(call, total, err);
}

static int locale_currencies_list(struct call *call, struct error *err)
{
    call_list_begin(call, NULL);
    for (size_t i = 0; i < locale_currency_count; i++)
        call_list_row(call, &locale_currencies[i]);
    return call_list_end(call, (int64_t)locale_currency_count, err);
}

static int locale_languages_list(struct call *call, struct error *err)
{
    call_list_begin(call, NULL);
    for (size_t i = 0; i < locale_language_count; i++)
        call_list_row(call, &locale_languages[i]);
    return call_list_end(call, (int64_t)locale_language_count, err);
}

static int locale_codes_list(struct call *call, struct error *err)
{
    call_list_begin(call, NULL);
    for (size_t i = 0; i < locale_count; i++) {
        const struct named_code answer = { .code = locale_rows[i].code,
                                           .name = locale_text(locale_rows[i].name) };
        call_list_row(call, &answer);
    }
    return call_list_end(call, (int64_t)locale_count, err);
}

/* ---- the caller ------------------------------------------------------------------------------ */

static const char *or_else(const char *text, const char *otherwise)
{
    return text_is_empty(text) ? otherwise : text;
}

static int locale_get(struct call *call, struct error *err)
{
    const struct locale *language = language_of(call);
    const struct geo_place place = geo_find(call->api->geo, call->client_ip);
    const struct locale_country *country = locale_country_find(place.country);
    const char *unknown = locale_text(language->unknown);
    const struct caller_place answer = {
        .ip = call->client_ip,
        .country_code = or_else(place.country, "--"),
        .country = or_else(locale_name(language->countries, place.country), unknown),
        .continent_code = or_else(place.continent, "--"),
        .continent = or_else(locale_name(language->continents, place.continent), unknown),
        .is_eu = place.is_eu,
        .currency = country == NULL ? "" : country->currency,
    };

    return call_answer(call, &answer, NULL, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct param locale_params[] = {
    TEXT(struct locale_input, locale, .optional = true, .empty = true, .hidden = true, .max = 64,
         .text = "Language of the names, instead of X-Appwrite-Locale."),
    { 0 },
};

#define LOCALE(id_, path_, model_, summary_, handle_)                                       \
    .id = "locale." id_, .path = "/v1/locale" path_, .method = "GET",                       \
    .auth = AUTH_KEY | AUTH_CLIENT, .scopes = SCOPES("locale.read"), .status = 200,         \
    .params = locale_params, .params_size = sizeof(struct locale_input), .answers = model_, \
    .summary = summary_, .handle = handle_

const struct endpoint locale_endpoints[] = {
    { LOCALE("get", "", &model_locale, "Where the caller is", locale_get) },
    { LOCALE("listCodes", "/codes", &model_locale_code, "Languages to ask in", locale_codes_list),
      .list = true, .since = "1.4.0" },
    { LOCALE("listContinents", "/continents", &model_continent, "List continents",
             locale_continents_list),
      .list = true },
    { LOCALE("listCountries", "/countries", &model_country, "List countries",
             locale_countries_list),
      .list = true },
    { LOCALE("listCountriesEU", "/countries/eu", &model_country,
             "List countries of the European Union", locale_eu_list),
      .list = true },
    { LOCALE("listCountriesPhones", "/countries/phones", &model_phone,
             "List phone codes of countries", locale_phones_list),
      .list = true },
    { LOCALE("listCurrencies", "/currencies", &model_currency, "List currencies",
             locale_currencies_list),
      .list = true },
    { LOCALE("listLanguages", "/languages", &model_language, "List languages",
             locale_languages_list),
      .list = true },
    { 0 },
};
