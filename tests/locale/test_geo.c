/*
 * Addresses and where they are, with a database made here: one record at both ends of a one-bit
 * tree.
 */
#include "geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * IPv4, 24 bit records, one node: addresses below 128.0.0.0 have the record at offset 0 of the
 * data, the others none. The formats: https://maxmind.github.io/MaxMind-DB/
 */
static const unsigned char database[] =
    "\x00\x00\x11\x00\x00\x01"         /* left: data 0; right: nothing */
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* between tree and data */
    "\xe1\x47"
    "country"
    "\xe1\x48"
    "iso_code"
    "\x42"
    "AT" /* {country: {iso_code: AT}} */
    "\xab\xcd\xef"
    "MaxMind.com"
    "\xe9"
    "\x5b"
    "binary_format_major_version"
    "\xa1\x02"
    "\x5b"
    "binary_format_minor_version"
    "\xa0"
    "\x4b"
    "build_epoch"
    "\x01\x02\x01"
    "\x4d"
    "database_type"
    "\x44"
    "Test"
    "\x4b"
    "description"
    "\xe0"
    "\x4a"
    "ip_version"
    "\xa1\x04"
    "\x49"
    "languages"
    "\x00\x04"
    "\x4a"
    "node_count"
    "\xc1\x01"
    "\x4b"
    "record_size"
    "\xa1\x18";

static struct geo *open_database(void)
{
    char path[] = "/tmp/functiond-geo-XXXXXX";
    int fd = mkstemp(path);
    struct geo *geo = NULL;
    struct error err = { 0 };

    assert_true(fd >= 0);
    assert_int_equal(write(fd, database, sizeof(database) - 1), sizeof(database) - 1);
    close(fd);
    int result = geo_open(path, &geo, &err);
    unlink(path);
    if (result < 0)
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
