/* Content-Range and Range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "range.h"

static void content_ranges_are_read(void **state)
{
    uint64_t first = 9;
    uint64_t last = 9;
    uint64_t size = 9;
    (void)state;
    assert_int_equal(range_parse_content("bytes 0-5242879/12063618", &first, &last, &size), 0);
    assert_int_equal(first, 0);
    assert_int_equal(last, 5242879);
    assert_int_equal(size, 12063618);
    /* Old clients count the last byte one too far. */
    assert_int_equal(range_parse_content("bytes 10485760-12063618/12063618", &first, &last, &size),
                     0);
    assert_int_equal(last, 12063618);
}

static void malformed_content_ranges_are_refused(void **state)
{
    const char *const texts[] = { "",
                                  "bytes",
                                  "bytes 0-1",
                                  "bytes 0-1/",
                                  "bytes 0-1/*",
                                  "bytes 2-1/3",
                                  "bytes 0-0/0",
                                  "bytes=0-1/2",
                                  "bytes  0-1/2",
                                  "bytes 0-1/2 ",
                                  "bytes -1-1/2",
                                  "bytes 0-1/4611686018427387905",
                                  "bytes 0-18446744073709551616/3",
                                  "items 0-1/2" };
    uint64_t first = 7;
    uint64_t last = 8;
    uint64_t size = 9;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(range_parse_content(texts[i], &first, &last, &size), -1);
    assert_int_equal(first + last + size, 24);
}

struct row {
    const char *text;
    int result;
    uint64_t first, last;
};

static void request_ranges_are_cut_to_the_file(void **state)
{
    const struct row rows[] = { { "bytes=0-99", 0, 0, 99 },
                                { "bytes=0-0", 0, 0, 0 },
                                { "bytes=999-2000", 0, 999, 999 },
                                { "bytes=100-", 0, 100, 149 },
                                { "bytes=980-", 0, 980, 999 },
                                { "bytes=-50", 0, 950, 999 },
                                { "bytes=-2000", 0, 0, 999 },
                                { "bytes=1000-", -1 },
                                { "bytes=1000-1001", -1 },
                                { "bytes=-0", -1 },
                                { "bytes=-", -1 },
                                { "bytes=5-4", -1 },
                                { "bytes=0-1,3-4", -1 },
                                { "bytes 0-1", -1 },
                                { "", -1 },
                                { "bytes=99999999999999999999-", -1 } };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t first = 0;
        uint64_t last = 0;
        assert_int_equal(range_parse_request(rows[i].text, 1000, 50, &first, &last),
                         rows[i].result);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(last, rows[i].last);
    }
}

static void nothing_is_in_an_empty_file(void **state)
{
    uint64_t first;
    uint64_t last;
    (void)state;
    assert_int_equal(range_parse_request("bytes=0-", 0, 50, &first, &last), -1);
    assert_int_equal(range_parse_request("bytes=-1", 0, 50, &first, &last), -1);
    assert_int_equal(range_parse_request("bytes=0-", 10, 0, &first, &last), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_ranges_are_read),
        cmocka_unit_test(malformed_content_ranges_are_refused),
        cmocka_unit_test(request_ranges_are_cut_to_the_file),
        cmocka_unit_test(nothing_is_in_an_empty_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
