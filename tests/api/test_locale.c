/* Countries, currencies, languages and the caller's place, as clients see them. */
#include "harness.h"

#include <string.h>

#include "mem.h"

static const struct reply *get(void **state, const char *target, const char *header)
{
    return harness_call(*state, "GET", target, header == NULL ? NULL : HEADERS(header), "");
}

static const char *text_at(const struct reply *reply, const char *list, size_t index,
                           const char *name)
{
    const json_t *rows = json_object_get(reply->json, list);

    return json_string_value(json_object_get(json_array_get(rows, index), name));
}

static const json_t *find(const struct reply *reply, const char *list, const char *name,
                          const char *value)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(reply->json, list), i,
                       row) if (strcmp(json_string_value(json_object_get(row, name)), value) ==
                                0) return row;
    fail_msg("no %s in %s", value, list);
    return NULL;
}

static int64_t total(const struct reply *reply)
{
    return json_integer_value(json_object_get(reply->json, "total"));
}

static const char *text_of(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

static void countries_are_named_in_the_header_s_language(void **state)
{
    const struct reply *reply = get(state, "/v1/locale/countries", "x-appwrite-locale: de");

    assert_status(reply, 200);
    assert_int_equal(total(reply), 249);
    assert_string_equal(text_of(find(reply, "countries", "code", "AT"), "name"), "Österreich");
    reply = get(state, "/v1/locale/countries", "x-appwrite-locale: klingon");
    assert_string_equal(text_at(reply, "countries", 0, "name"), "Afghanistan");
}

static void a_parameter_comes_before_the_header(void **state)
{
    const struct reply *reply = get(state, "/v1/locale/continents?locale=fr",
                                    "x-appwrite-locale: de");

    assert_int_equal(total(reply), 7);
    assert_string_equal(text_at(reply, "continents", 0, "name"), "Afrique");
    assert_string_equal(text_at(reply, "continents", 0, "code"), "AF");
}

static void the_european_union_has_twenty_seven_members(void **state)
{
    const struct reply *reply = get(state, "/v1/locale/countries/eu", GUEST);

    assert_status(reply, 200);
    assert_int_equal(total(reply), 27);
    assert_string_equal(text_at(reply, "countries", 0, "code"), "AT");
}

static void phone_codes_are_sorted_by_country(void **state)
{
    const struct reply *reply = get(state, "/v1/locale/countries/phones", NULL);
    const json_t *austria = find(reply, "phones", "countryCode", "AT");

    assert_string_equal(text_of(austria, "code"), "+43");
    assert_string_equal(text_of(austria, "countryName"), "Austria");
    for (size_t i = 1; i < (size_t)total(reply); i++)
        assert_true(strcmp(text_at(reply, "phones", i - 1, "countryCode"),
                           text_at(reply, "phones", i, "countryCode")) < 0);
}

static void currencies_and_languages_have_all_their_fields(void **state)
{
    const struct reply *reply = get(state, "/v1/locale/currencies", NULL);
    auto_free char *dollar = json_dumps(find(reply, "currencies", "code", "USD"), JSON_SORT_KEYS);

    assert_string_equal(dollar,
                        "{\"code\": \"USD\", \"decimalDigits\": 2, \"name\": \"US Dollar\", "
                        "\"namePlural\": \"US dollars\", \"rounding\": 0, \"symbol\": \"$\", "
                        "\"symbolNative\": \"$\"}");
    reply = get(state, "/v1/locale/languages", NULL);
    assert_true(total(reply) > 180);
    assert_string_equal(text_of(find(reply, "languages", "code", "de"), "nativeName"), "Deutsch");
    reply = get(state, "/v1/locale/codes", NULL);
    assert_string_equal(text_of(find(reply, "localeCodes", "code", "de-at"), "name"),
                        "German (Austria)");
}

static void a_caller_nobody_knows_is_unknown(void **state)
{
    const struct reply *reply = get(state, "/v1/locale", GUEST);

    assert_string_equal(reply->body,
                        "{\"ip\":\"127.0.0.1\",\"countryCode\":\"--\",\"country\":\"Unknown\","
                        "\"continentCode\":\"--\",\"continent\":\"Unknown\",\"eu\":false,"
                        "\"currency\":\"\"}");
    reply = get(state, "/v1/locale", "x-appwrite-locale: de");
    assert_string_not_equal(reply_text(reply, "country"), "Unknown");
}

static void a_caller_the_database_knows_has_a_country(void **state)
{
    struct harness *harness = *state;
    struct error err;

    assert_int_equal(geo_open("fixtures/austria.mmdb", &harness->api.geo, &err), 0);
    const struct reply *reply = get(state, "/v1/locale", "x-appwrite-locale: de");
    assert_string_equal(reply->body,
                        "{\"ip\":\"127.0.0.1\",\"countryCode\":\"AT\",\"country\":\"Österreich\","
                        "\"continentCode\":\"EU\",\"continent\":\"Europa\",\"eu\":true,"
                        "\"currency\":\"EUR\"}");
    assert_status(get(state, "/v1/health/geo", NULL), 200);
    geo_close(harness->api.geo);
    harness->api.geo = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(countries_are_named_in_the_header_s_language),
        cmocka_unit_test(a_parameter_comes_before_the_header),
        cmocka_unit_test(the_european_union_has_twenty_seven_members),
        cmocka_unit_test(phone_codes_are_sorted_by_country),
        cmocka_unit_test(currencies_and_languages_have_all_their_fields),
        cmocka_unit_test(a_caller_nobody_knows_is_unknown),
        cmocka_unit_test(a_caller_the_database_knows_has_a_country),
    };

    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
