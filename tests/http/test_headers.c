/* Header blocks: adding, walking, finding, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "headers.h"
#include "mem.h"

static void names_are_tokens(void **state)
{
    (void)state;
    assert_true(header_name_is_valid("X-Custom_1.~!", 13));
    assert_false(header_name_is_valid("", 0));
    assert_false(header_name_is_valid("a b", 3));
    assert_false(header_name_is_valid("a:", 2));
    assert_false(header_name_is_valid("\xc3\xa4", 2));
    assert_false(header_name_is_valid("a\0b", 3));
}

static void values_end_no_line(void **state)
{
    (void)state;
    assert_true(header_value_is_valid("", 0));
    assert_true(header_value_is_valid("\xc3\xa4 \t;", 5));
    assert_false(header_value_is_valid("a\r", 2));
    assert_false(header_value_is_valid("a\nb", 3));
    assert_false(header_value_is_valid("a\0b", 3));
}

static void adding_lowers_the_name_and_refuses_what_is_foreign(void **state)
{
    struct buffer block;
    (void)state;
    buffer_init(&block, 20);
    assert_int_equal(header_block_add(&block, "X-Abc", "Val", 3), 0);
    assert_string_equal(block.data, "x-abc: Val\r\n");
    assert_int_equal(header_block_add(&block, "b c", "v", 1), -1);
    assert_int_equal(header_block_add(&block, "b", "v\r\nx: y", 7), -1);
    assert_int_equal(header_block_add(&block, "b", "12345", 5), -1);
    assert_int_equal(block.size, 12);
    assert_int_equal(header_block_add(&block, "b", "123", 3), 0);
    assert_string_equal(block.data, "x-abc: Val\r\nb: 123\r\n");
    buffer_release(&block);
}

static void walking_gives_the_lines_in_order(void **state)
{
    const char block[] = "a: 1\r\nB:2\r\nc: \t 3 4\t \r\nd:\r\n";
    const char *const names[] = { "a", "B", "c", "d" };
    const char *const values[] = { "1", "2", "3 4", "" };
    struct header_line line;
    size_t position = 0;
    bool bad = true;
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(header_block_next(block, sizeof(block) - 1, &position, &line, &bad));
        assert_int_equal(line.name_bytes, strlen(names[i]));
        assert_memory_equal(line.name, names[i], line.name_bytes);
        assert_int_equal(line.value_bytes, strlen(values[i]));
        assert_memory_equal(line.value, values[i], line.value_bytes);
    }
    assert_false(header_block_next(block, sizeof(block) - 1, &position, &line, &bad));
    assert_false(bad);
}

static void a_malformed_line_ends_the_walk(void **state)
{
    const char *const blocks[] = { "a: 1",      "a: 1\n",    "a\r\n",          "\r\n", ": 1\r\n",
                                   " a: 1\r\n", "a : 1\r\n", "a: 1\rb: 2\r\n", "\n" };
    (void)state;
    for (size_t i = 0; i < COUNT(blocks); i++) {
        struct header_line line;
        size_t position = 0;
        bool bad = false;
        assert_false(header_block_next(blocks[i], strlen(blocks[i]), &position, &line, &bad));
        assert_true(bad);
    }
}

static void finding_ignores_case_and_takes_the_first(void **state)
{
    const char block[] = "aa: 0\r\nA: 1\r\na: 2\r\n";
    struct header_line line;
    (void)state;
    assert_true(header_block_find(block, sizeof(block) - 1, "a", &line));
    assert_int_equal(*line.value, '1');
    assert_false(header_block_find(block, sizeof(block) - 1, "aaa", &line));
    assert_false(header_block_find(NULL, 0, "a", &line));
    assert_false(header_block_find("a\1b: 1\r\n", 8, "a", &line));
}

static void json_lists_what_is_wanted(void **state)
{
    const char block[] = "a: \"x\"\r\nB: 2\r\nc: 3\r\n";
    const char *const only[] = { "b", "c", NULL };
    struct buffer out;
    (void)state;
    buffer_init(&out, 1000);
    header_block_to_json(block, sizeof(block) - 1, NULL, &out);
    assert_string_equal(out.data,
                        "[{\"name\":\"a\",\"value\":\"\\\"x\\\"\"},"
                        "{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"c\",\"value\":\"3\"}]");
    buffer_reset(&out);
    header_block_to_json(block, sizeof(block) - 1, only, &out);
    assert_string_equal(out.data,
                        "[{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"c\",\"value\":\"3\"}]");
    buffer_reset(&out);
    header_block_to_json(NULL, 0, only, &out);
    assert_string_equal(out.data, "[]");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_end_no_line),
        cmocka_unit_test(adding_lowers_the_name_and_refuses_what_is_foreign),
        cmocka_unit_test(walking_gives_the_lines_in_order),
        cmocka_unit_test(a_malformed_line_ends_the_walk),
        cmocka_unit_test(finding_ignores_case_and_takes_the_first),
        cmocka_unit_test(json_lists_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
