/*
 * Addresses and where they are, by fixtures/austria.mmdb. That is the smallest database there can
 * be: IPv4, one node, whose left record is {country: {iso_code: AT}} and whose right record is
 * none, so that addresses below 128.0.0.0 are in Austria and the others nowhere.
 */
#include "geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct geo *open_database(void)
{
    struct geo *geo = NULL;
    struct error err = { 0 };

    if (geo_open("fixtures/austria.mmdb", &geo, &err) < 0)
        fail_msg("%s", err.message);
    return geo;
}

static void an_address_has_a_country_and_its_continent(void **state)
{
    struct geo *geo = open_database();
    struct geo_place place = geo_find(geo, "10.1.2.3");

    (void)state;
    assert_string_equal(place.country, "AT");
    assert_string_equal(place.continent, "EU");
    assert_true(place.is_eu);
    geo_close(geo);
}

static void what_is_not_found_is_unknown(void **state)
{
    static const char *const unknown[] = { "192.0.2.1", "2001:db8::1", "", "no address", NULL };
    struct geo *geo = open_database();

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
        struct geo_place place = geo_find(geo, unknown[i]);
        assert_string_equal(place.country, "");
        assert_string_equal(place.continent, "");
        assert_false(place.is_eu);
    }
    geo_close(geo);
}

static void without_a_database_nothing_is_known(void **state)
{
    struct geo *geo;
    struct error err;

    (void)state;
    assert_int_equal(geo_open("", &geo, &err), 0);
    assert_null(geo);
    assert_string_equal(geo_find(geo, "10.1.2.3").country, "");
    geo_close(geo);
}

static void a_file_that_is_none_is_refused_by_its_setting(void **state)
{
    struct geo *geo;
    struct error err;

    (void)state;
    assert_int_equal(geo_open("/dev/null", &geo, &err), -1);
    assert_non_null(strstr(err.message, "geo_database"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_a_country_and_its_continent),
        cmocka_unit_test(what_is_not_found_is_unknown),
        cmocka_unit_test(without_a_database_nothing_is_known),
        cmocka_unit_test(a_file_that_is_none_is_refused_by_its_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
