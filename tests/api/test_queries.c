/* Both syntaxes of queries[]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "mem.h"
#include "queries.h"

static int read_one(struct arena *arena, const char *text, bool is_old, struct queries *ret_queries,
                    struct error *err)
{
    const struct queries_options options = { .entity = LIST_FUNCTIONS, .old_syntax = is_old };
    json_t *list = json_pack("[s]", text);
    int status = queries_read(arena, &options, list, ret_queries, err);

    json_decref(list);
    return status;
}

static const struct {
    const char *text, *message;
} refused[] = {
    { "x", "Invalid `queries` param: Invalid query: Invalid query: Syntax error" },
    { "\"x\"",
      "Invalid `queries` param: Invalid query: Invalid query. Must be an array, got string" },
    { "5", "Invalid `queries` param: Invalid query: Invalid query. Must be an array, got integer" },
    { "{}", "Invalid `queries` param: Invalid query: Invalid query method: " },
    { "{\"method\":[]}", "Invalid `queries` param: Invalid query: Invalid query method. Must be a "
                         "string, got array" },
    { "{\"method\":\"foo\"}", "Invalid `queries` param: Invalid query: Invalid query method: foo" },
    { "{\"method\":\"equal\",\"attribute\":5}",
      "Invalid `queries` param: Invalid query: Invalid query attribute. Must be a string, got "
      "integer" },
    { "{\"method\":\"equal\",\"attribute\":\"name\",\"values\":\"a\"}",
      "Invalid `queries` param: Invalid query: Invalid query values. Must be an array, got "
      "string" },
    { "{\"method\":\"equal\",\"attribute\":\"foo\",\"values\":[1]}",
      "Invalid `queries` param: Invalid query: Attribute not found in schema: foo" },
    { "{\"method\":\"equal\",\"attribute\":\"timeout\",\"values\":[\"a\"]}",
      "Invalid `queries` param: Invalid query: Query value is invalid for attribute \"timeout\"" },
    { "{\"method\":\"equal\",\"attribute\":\"name\",\"values\":[]}",
      "Invalid `queries` param: Invalid query: Equal queries require at least one value." },
    { "{\"method\":\"lessThan\",\"attribute\":\"timeout\",\"values\":[1,2]}",
      "Invalid `queries` param: Invalid query: LessThan queries require exactly one value." },
    { "{\"method\":\"between\",\"attribute\":\"timeout\",\"values\":[1]}",
      "Invalid `queries` param: Invalid query: Between queries require exactly two values." },
    { "{\"method\":\"or\",\"values\":[{\"method\":\"limit\",\"values\":[1]},{}]}",
      "Invalid `queries` param: Invalid query: Or queries can only contain filter queries" },
    { "{\"method\":\"and\",\"values\":[]}",
      "Invalid `queries` param: Invalid query: And queries require at least two queries" },
    { "{\"method\":\"limit\",\"values\":[0]}",
      "Invalid `queries` param: Invalid query: Invalid limit: Value must be a valid range between "
      "1 and 9,223,372,036,854,775,807" },
    { "{\"method\":\"offset\",\"values\":[-1]}",
      "Invalid `queries` param: Invalid query: Invalid offset: Value must be a valid range between "
      "0 and 9,223,372,036,854,775,807" },
    { "{\"method\":\"limit\",\"values\":[\"x\"]}",
      "Invalid `queries` param: Invalid query: Invalid limit: Value must be a valid numeric" },
    { "{\"method\":\"cursorAfter\",\"values\":[\"_\"]}",
      "Invalid `queries` param: Invalid query: Invalid cursor: UID must contain at most 36 chars. "
      "Valid chars are a-z, A-Z, 0-9, and underscore. Can't start with a leading underscore" },
    { "{\"method\":\"select\",\"values\":[\"name\"]}",
      "Invalid `queries` param: Invalid query method: select" },
};

static void what_is_wrong_with_a_query_is_said_to_the_letter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct arena arena = { 0 };
        struct queries queries;
        struct error err;

        assert_int_equal(read_one(&arena, refused[i].text, false, &queries, &err), -1);
        assert_string_equal(err.message, refused[i].message);
        assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
        arena_release(&arena);
    }
}

static void filters_nest(void **state)
{
    struct arena arena = { 0 };
    struct queries queries;
    struct error err;

    (void)state;
    assert_int_equal(
        read_one(&arena,
                 "{\"method\":\"or\",\"values\":[{\"method\":\"equal\",\"attribute\":\"name\","
                 "\"values\":[\"a\",\"b\"]},{\"method\":\"isNull\",\"attribute\":\"name\"}]}",
                 false, &queries, &err),
        0);

    assert_int_equal(queries.query.filter_count, 1);
    assert_int_equal(queries.query.filters[0].method, FILTER_OR);
    assert_int_equal(queries.query.filters[0].children[0].value_count, 2);
    assert_string_equal(queries.query.filters[0].children[0].values[1].text, "b");
    arena_release(&arena);
}

static void an_order_without_attribute_is_the_order_of_creation(void **state)
{
    struct arena arena = { 0 };
    struct queries queries;
    struct error err;

    (void)state;
    assert_int_equal(
        read_one(&arena, "{\"method\":\"orderDesc\",\"values\":[\"$id\"]}", false, &queries, &err),
        0);
    assert_int_equal(queries.query.order_count, 1);
    assert_true(queries.query.orders[0].descending);
    assert_string_equal(store_columns(LIST_FUNCTIONS)[queries.query.orders[0].column].attribute,
                        "$createdAt");
    arena_release(&arena);
}

static void the_old_syntax_means_the_same(void **state)
{
    static const struct {
        const char *text;
        enum filter_method method;
        const char *value;
        size_t count;
    } rows[] = {
        { "equal(\"name\", [\"a\",\"b c\"])", FILTER_EQUAL, "a", 2 },
        { "equal('name', 'a')", FILTER_EQUAL, "a", 1 },
        { "search(\"name\", [\"it \\\"is\\\" so\"])", FILTER_SEARCH, "it \"is\" so", 1 },
        { "isNull(\"name\")", FILTER_IS_NULL, NULL, 0 },
        { "notEqual(\"name\", [\"x, y\"])", FILTER_NOT_EQUAL, "x, y", 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = { 0 };
        struct queries queries;
        struct error err;

        assert_int_equal(read_one(&arena, rows[i].text, true, &queries, &err), 0);
        const struct filter *filter = &queries.query.filters[0];
        assert_int_equal(filter->method, rows[i].method);
        assert_int_equal(filter->value_count, rows[i].count);
        if (rows[i].value != NULL)
            assert_string_equal(filter->values[0].text, rows[i].value);
        arena_release(&arena);
    }
}

static void the_old_syntax_has_its_own_refusals(void **state)
{
    struct arena arena = { 0 };
    struct queries queries;
    struct error err;

    (void)state;
    assert_int_equal(read_one(&arena, "name", true, &queries, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_QUERY_INVALID);
    assert_int_equal(read_one(&arena, "name.equal(1)", true, &queries, &err), -1);
    assert_string_equal(err.message, "Invalid query method");
    assert_int_equal(read_one(&arena, "limit(", true, &queries, &err), -1);
    arena_release(&arena);
}

static void more_than_a_hundred_queries_are_refused(void **state)
{
    const struct queries_options options = { .entity = LIST_FUNCTIONS };
    struct arena arena = { 0 };
    struct queries queries;
    struct error err;
    json_t *list = json_array();

    (void)state;
    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_string("{\"method\":\"limit\",\"values\":[5]}"));
    assert_int_equal(queries_read(&arena, &options, list, &queries, &err), 0);
    json_array_append_new(list, json_string("{\"method\":\"limit\",\"values\":[5]}"));
    assert_int_equal(queries_read(&arena, &options, list, &queries, &err), -1);
    json_decref(list);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_with_a_query_is_said_to_the_letter),
        cmocka_unit_test(filters_nest),
        cmocka_unit_test(an_order_without_attribute_is_the_order_of_creation),
        cmocka_unit_test(the_old_syntax_means_the_same),
        cmocka_unit_test(the_old_syntax_has_its_own_refusals),
        cmocka_unit_test(more_than_a_hundred_queries_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
