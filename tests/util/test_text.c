/* Comparing and converting text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

static void test_text__compares_with_and_without_case(void **state)
{
    (void)state;

    assert_true(text_starts("functions", "func"));
    assert_false(text_starts("fun", "func"));
    assert_true(text_ends("a.tar.gz", ".gz"));
    assert_false(text_ends("gz", ".gz"));
    assert_true(text_equals(NULL, NULL));
    assert_false(text_equals(NULL, ""));
    assert_true(text_equals_nocase("Content-Type", "content-tYPE"));
    assert_false(text_equals_nocase("a", "ab"));
    assert_true(text_starts_nocase("Bearer x", "bearer "));
    assert_false(text_starts_nocase("Bear", "bearer"));
    assert_true(text_is_empty(NULL) && text_is_empty("") && !text_is_empty("a"));
}

static void test_text__utf8_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = { "",
                                        "abc",
                                        "\xc3\xa9",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x9f\x98\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "\xe0\xa0\x80" };
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3(",
        "\xe2\x82(x",
        "12345678\x80",
    };

    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_int_equal(text_characters("a\xc3\xa9\xf0\x9f\x98\x80", 7), 3);
}

static void test_text__numbers_are_whole_and_fit(void **state)
{
    (void)state;
    int64_t value = 5;
    static const char *const bad[] = { "",   "-", "1 ", " 1", "0x1", "1.0", "9223372036854775808",
                                       "--1" };

    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(text_to_int(bad[i], &value), -1);
    assert_int_equal(value, 5);
    assert_int_equal(text_to_int("-9223372036854775808", &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(text_to_int("+007", &value), 0);
    assert_int_equal(value, 7);
}

static void assert_decoded(const char *from, bool plus, const char *to)
{
    auto_free char *text = xstrdup(from);
    assert_int_equal(text_percent_decode(text, strlen(text), plus), strlen(to));
    assert_string_equal(text, to);
}

static void test_text__percent_decoding_keeps_broken_escapes(void **state)
{
    (void)state;

    assert_decoded("a%20b+c", false, "a b+c");
    assert_decoded("a%20b+c", true, "a b c");
    assert_decoded("%", true, "%");
    assert_decoded("%4", true, "%4");
    assert_decoded("%4g%41", true, "%4gA");
    assert_decoded("%c3%A9", true, "\xc3\xa9");
}

static void test_text__hexadecimal_is_lower_case(void **state)
{
    (void)state;
    char hex[7];

    text_hex("\x00\xab\xff", 3, hex);
    assert_string_equal(hex, "00abff");
}

static void test_text__base64url_goes_both_ways(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };

    for (size_t length = 0; length < COUNT(texts); length++) {
        auto_free char *text = text_base64url("foobar", length);
        assert_string_equal(text, texts[length]);
        auto_free unsigned char *bytes = NULL;
        size_t count = 99;
        assert_int_equal(text_from_base64url(text, strlen(text), &bytes, &count), 0);
        assert_int_equal(count, length);
        assert_memory_equal(bytes, "foobar", length);
    }
    auto_free char *high = text_base64url("\xfb\xff\xbf", 3);
    assert_string_equal(high, "-_-_");
}

static void test_text__base64url_refuses_other_forms(void **state)
{
    (void)state;
    static const char *const bad[] = { "Z", "Zg==", "Zm+v", "Zm/v", "Zh", "Zm9", "Zg\n" };
    unsigned char *bytes = NULL;
    size_t count;

    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(text_from_base64url(bad[i], strlen(bad[i]), &bytes, &count), -1);
    assert_null(bytes);
}

static void test_text__the_nearest_word_is_at_most_three_edits_away(void **state)
{
    (void)state;
    static const char *const words[] = { "listen", "spares", "network" };

    assert_string_equal(text_nearest("sapres", words, 3), "spares");
    assert_string_equal(text_nearest("listens", words, 3), "listen");
    assert_null(text_nearest("completely", words, 3));
    assert_null(text_nearest("listen", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__compares_with_and_without_case),
        cmocka_unit_test(test_text__utf8_is_strict),
        cmocka_unit_test(test_text__numbers_are_whole_and_fit),
        cmocka_unit_test(test_text__percent_decoding_keeps_broken_escapes),
        cmocka_unit_test(test_text__hexadecimal_is_lower_case),
        cmocka_unit_test(test_text__base64url_goes_both_ways),
        cmocka_unit_test(test_text__base64url_refuses_other_forms),
        cmocka_unit_test(test_text__the_nearest_word_is_at_most_three_edits_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
