/* The tables that the build wrote: complete, in order, translated. */
#include "tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static const char *country(const char *locale, const char *code)
{
    return locale_name(locale_find(locale)->countries, code);
}

static void names_are_in_the_language_asked_for(void **state)
{
    (void)state;
    assert_string_equal(country("de", "AT"), "Österreich");
    assert_string_equal(country("DE-at", "DE"), "Deutschland");
    assert_string_equal(country("ja", "JP"), "日本");
    assert_string_equal(country("zh-tw", "DE"), "德國");
    assert_string_equal(country("zh-cn", "DE"), "德国");
    assert_string_equal(locale_name(locale_find("fr")->continents, "EU"), "Europe");
    assert_string_equal(locale_name(locale_find("fr")->continents, "AN"), "Antarctique");
}

static void an_unknown_language_is_english(void **state)
{
    (void)state;
    assert_string_equal(country(NULL, "AT"), "Austria");
    assert_string_equal(country("xx-yy", "AT"), "Austria");
    assert_string_equal(locale_text(locale_find("")->unknown), "Unknown");
}

static void every_language_names_every_country_and_continent(void **state)
{
    (void)state;
    for (size_t i = 0; i < locale_count; i++) {
        uint32_t countries = locale_rows[i].countries, continents = locale_rows[i].continents;
        struct locale_name row;
        size_t count = 0;

        for (; locale_next(&countries, &row); count++) {
            assert_non_null(locale_country_find(row.code));
            assert_string_not_equal(row.name, "");
        }
        assert_int_equal(count, locale_country_count);
        for (count = 0; locale_next(&continents, &row); count++)
            assert_string_not_equal(row.name, "");
        assert_int_equal(count, 7);
    }
}

static void names_are_sorted_as_the_language_sorts(void **state)
{
    uint32_t german = locale_find("de")->countries, english = locale_find("en")->countries;
    struct locale_name row, before = { 0 };

    (void)state;
    while (locale_next(&german, &row) && !text_equals(row.code, "AT"))
        before = row;
    assert_true(before.name[0] == 'O'); /* and not behind Z */
    assert_true(locale_next(&english, &row));
    assert_string_equal(row.code, "AF");
}

static void countries_know_what_belongs_to_them(void **state)
{
    const struct locale_country *austria = locale_country_find("AT");
    size_t eu = 0;

    (void)state;
    assert_string_equal(austria->continent, "EU");
    assert_string_equal(austria->currency, "EUR");
    assert_int_equal(austria->phone, 43);
    assert_true(austria->is_eu);
    assert_string_equal(locale_country_find("AQ")->continent, "AN");
    assert_string_equal(locale_country_find("AQ")->currency, "");
    assert_string_equal(locale_country_find("BR")->continent, "SA");
    assert_string_equal(locale_country_find("MX")->continent, "NA");
    assert_null(locale_country_find("XK"));
    for (size_t i = 0; i < locale_country_count; i++)
        eu += locale_countries[i].is_eu;
    assert_int_equal(eu, 27);
}

static void rows_are_in_the_order_of_their_codes(void **state)
{
    (void)state;
    for (size_t i = 1; i < locale_country_count; i++)
        assert_true(strcmp(locale_countries[i - 1].code, locale_countries[i].code) < 0);
    for (size_t i = 1; i < locale_currency_count; i++)
        assert_true(strcmp(locale_currencies[i - 1].code, locale_currencies[i].code) < 0);
    for (size_t i = 1; i < locale_language_count; i++)
        assert_true(strcmp(locale_languages[i - 1].code, locale_languages[i].code) < 0);
}

static void currencies_have_symbols_at_home_and_abroad(void **state)
{
    (void)state;
    for (size_t i = 0; i < locale_currency_count; i++) {
        const struct locale_currency *row = &locale_currencies[i];
        if (!text_equals(row->code, "CAD"))
            continue;
        assert_string_equal(locale_text(row->symbol), "CA$");
        assert_string_equal(locale_text(row->native_symbol), "$");
        assert_string_equal(locale_text(row->name), "Canadian Dollar");
        assert_string_equal(locale_text(row->plural), "Canadian dollars");
        assert_int_equal(row->digits, 2);
        return;
    }
    fail_msg("no Canadian dollar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_the_language_asked_for),
        cmocka_unit_test(an_unknown_language_is_english),
        cmocka_unit_test(every_language_names_every_country_and_continent),
        cmocka_unit_test(names_are_sorted_as_the_language_sorts),
        cmocka_unit_test(countries_know_what_belongs_to_them),
        cmocka_unit_test(rows_are_in_the_order_of_their_codes),
        cmocka_unit_test(currencies_have_symbols_at_home_and_abroad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
