/* Lists: every filter method, order, cursors both ways, totals, search. Plans: test_list_plans.c.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list_private.h"
#include "listing.h"
#include "mem.h"

/* ---- filters --------------------------------------------------------------------------------- */

struct filter_case {
    enum filter_method method;
    const char *attribute;
    struct filter_value values[2];
    size_t count;
    const char *expected;
};

/* clang-format off */
#define T(text_) { .kind = VALUE_TEXT, .text = (text_) }
#define I(integer_) { .kind = VALUE_INTEGER, .integer = (integer_) }

static const struct filter_case filter_cases[] = {
    { FILTER_EQUAL, "$id", { T("A"), T("c") }, 2, "a c" },
    { FILTER_EQUAL, "name", { T("PEAR") }, 1, "a" },
    { FILTER_EQUAL, "enabled", { I(1) }, 1, "a c" },
    { FILTER_NOT_EQUAL, "timeout", { I(20) }, 1, "a c d" },
    { FILTER_LESS, "timeout", { I(20) }, 1, "a" },
    { FILTER_LESS_EQUAL, "timeout", { I(20) }, 1, "a b" },
    { FILTER_GREATER, "timeout", { I(30) }, 1, "d" },
    { FILTER_GREATER_EQUAL, "timeout", { I(30) }, 1, "c d" },
    { FILTER_CONTAINS, "name", { T("PIE"), T("nan") }, 2, "b d" },
    { FILTER_CONTAINS, "name", { T("%_") }, 1, "c" },
    { FILTER_CONTAINS, "name", { T("\\") }, 1, "" },
    { FILTER_NOT_CONTAINS, "name", { T("p") }, 1, "c d" },
    { FILTER_IS_NULL, "name", { I(0) }, 0, "" },
    { FILTER_IS_NOT_NULL, "name", { I(0) }, 0, "a b c d" },
    { FILTER_BETWEEN, "timeout", { I(20), I(30) }, 2, "b c" },
    { FILTER_NOT_BETWEEN, "timeout", { I(20), I(30) }, 2, "a d" },
    { FILTER_STARTS_WITH, "name", { T("app") }, 1, "b" },
    { FILTER_NOT_STARTS_WITH, "name", { T("app") }, 1, "a c d" },
    { FILTER_ENDS_WITH, "name", { T("E") }, 1, "b c" },
    { FILTER_NOT_ENDS_WITH, "name", { T("E") }, 1, "a d" },
    { FILTER_SEARCH, "name", { T("pi") }, 1, "b" },
    { FILTER_NOT_SEARCH, "name", { T("pi") }, 1, "a c d" },
};
/* clang-format on */

static void test_filters__each_method(void **state)
{
    struct fixture *fixture = *state;

    given_four(fixture);
    for (size_t i = 0; i < COUNT(filter_cases); i++) {
        const struct filter_case *row = &filter_cases[i];
        struct filter filter = { .method = row->method,
                                 .column = column_of(LIST_FUNCTIONS, row->attribute),
                                 .values = row->values,
                                 .value_count = row->count };
        struct list_query query = { .filters = &filter, .filter_count = 1 };

        list_ids(fixture, LIST_FUNCTIONS, query, row->expected);
    }
}

static void test_filters__nest(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value ten = I(10), forty = I(40), on = I(1);
    int timeout = column_of(LIST_FUNCTIONS, "timeout"),
        enabled = column_of(LIST_FUNCTIONS, "enabled");
    struct filter either[] = {
        { .method = FILTER_EQUAL, .column = timeout, .values = &ten, .value_count = 1 },
        { .method = FILTER_EQUAL, .column = timeout, .values = &forty, .value_count = 1 },
    };
    struct filter filters[] = {
        { .method = FILTER_OR, .children = either, .child_count = 2 },
        { .method = FILTER_EQUAL, .column = enabled, .values = &on, .value_count = 1 },
    };
    struct filter both = { .method = FILTER_AND, .children = either, .child_count = 2 };
    struct filter deep[FILTER_DEPTH_MAX + 1];

    given_four(fixture);
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .filters = filters, .filter_count = 1 },
             "a d");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .filters = filters, .filter_count = 2 },
             "a");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .filters = &both, .filter_count = 1 },
             "");

    for (int i = 0; i < FILTER_DEPTH_MAX; i++)
        deep[i] = (struct filter){ .method = FILTER_AND,
                                   .children = &deep[i + 1],
                                   .child_count = 1 };
    deep[FILTER_DEPTH_MAX] = either[0];
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .filters = &deep[1], .filter_count = 1 },
             "a");
    list_fails(fixture, LIST_FUNCTIONS, (struct list_query){ .filters = deep, .filter_count = 1 },
               ERROR_GENERAL_QUERY_INVALID, NULL);
}

static void test_filters__of_the_other_lists(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value ten = I(10), project = T("project"), function = T("function");
    struct filter total = {
        FILTER_EQUAL, column_of(LIST_DEPLOYMENTS, "totalSize"), &ten, 1, NULL, 0
    };
    struct filter owner = { FILTER_EQUAL, column_of(LIST_VARIABLES, "resourceType"),
                            &project,     1,
                            NULL,         0 };
    struct filter type = { FILTER_EQUAL, column_of(LIST_RULES, "deploymentResourceType"),
                           &function,    1,
                           NULL,         0 };
    struct filter null = {
        FILTER_IS_NULL, column_of(LIST_RULES, "deploymentId"), NULL, 0, NULL, 0
    };

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_variable(fixture, "hello", "v1", "A");
    given_variable(fixture, "", "v2", "A");
    given_rule(fixture, "r1", "a.example");

    list_ids(fixture, LIST_DEPLOYMENTS,
             (struct list_query){ .function_id = "hello", .filters = &total, .filter_count = 1 },
             "d1");
    list_ids(fixture, LIST_DEPLOYMENTS, (struct list_query){ .function_id = "other" }, "");
    list_ids(fixture, LIST_VARIABLES, (struct list_query){ .filters = &owner, .filter_count = 1 },
             "v2");
    list_ids(fixture, LIST_VARIABLES, (struct list_query){ .function_id = "hello" }, "v1");
    list_ids(fixture, LIST_RULES, (struct list_query){ .filters = &type, .filter_count = 1 }, "r1");
    list_ids(fixture, LIST_RULES, (struct list_query){ .filters = &null, .filter_count = 1 }, "r1");
}

/* ---- order and cursor ------------------------------------------------------------------------ */

static void test_order__by_name_disregards_case_and_breaks_ties_by_age(void **state)
{
    struct fixture *fixture = *state;
    struct order name = { .column = column_of(LIST_FUNCTIONS, "name") };
    struct order name_down = { .column = name.column, .descending = true };
    struct order two[] = { { .column = column_of(LIST_FUNCTIONS, "enabled") },
                           { .column = column_of(LIST_FUNCTIONS, "timeout"), .descending = true } };

    given_four(fixture);
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ 0 }, "a b c d");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .orders = &name, .order_count = 1 },
             "c b d a");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .orders = &name_down, .order_count = 1 },
             "a d b c");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .orders = two, .order_count = 2 },
             "d b c a");
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .orders = two, .order_count = 1 },
             "b d a c");
    assert_int_equal(
        list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .limit = 2, .offset = 1 }, "b c"),
        4);
}

static void test_cursor__goes_both_ways(void **state)
{
    struct fixture *fixture = *state;
    struct order name = { .column = column_of(LIST_FUNCTIONS, "name") };
    struct order two[] = { { .column = column_of(LIST_FUNCTIONS, "enabled") },
                           { .column = column_of(LIST_FUNCTIONS, "timeout"), .descending = true } };

    given_four(fixture);
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .cursor_id = "b" }, "c d");
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){ .cursor_id = "C", .cursor_before = true }, "a b");
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){ .cursor_id = "d", .cursor_before = true, .limit = 2 }, "b c");
    assert_int_equal(
        list_ids(fixture, LIST_FUNCTIONS,
                 (struct list_query){ .orders = &name, .order_count = 1, .cursor_id = "b" }, "d a"),
        4); /* the total is of the filters alone */
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){
                 .orders = &name, .order_count = 1, .cursor_id = "a", .cursor_before = true },
             "c b d");
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){ .orders = two, .order_count = 2, .cursor_id = "b" }, "c a");
    list_ids(
        fixture, LIST_FUNCTIONS,
        (struct list_query){
            .orders = two, .order_count = 2, .cursor_id = "a", .cursor_before = true, .limit = 2 },
        "b c");
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){ .orders = two, .order_count = 1, .cursor_id = "d" }, "a c");
}

static void test_cursor__of_a_missing_document_is_an_error(void **state)
{
    struct fixture *fixture = *state;

    given_four(fixture);
    list_fails(fixture, LIST_FUNCTIONS, (struct list_query){ .cursor_id = "x" },
               ERROR_GENERAL_CURSOR_NOT_FOUND, "Function 'x' for the 'cursor' value not found.");
    list_fails(fixture, LIST_EXECUTIONS, (struct list_query){ .cursor_id = "x" },
               ERROR_GENERAL_CURSOR_NOT_FOUND, NULL);
}

static void test_order__null_comes_first_but_carries_no_cursor(void **state)
{
    struct fixture *fixture = *state;
    struct order order = { .column = column_of(LIST_RULES, "deploymentId") };
    struct rule rule = a_rule("r1", "a.example");
    char deployment[] = "d1";

    rule.deployment_id = deployment;
    write_ok(fixture, insert_rule, &rule);
    given_rule(fixture, "r2", "b.example");

    list_ids(fixture, LIST_RULES, (struct list_query){ .orders = &order, .order_count = 1 },
             "r2 r1");
    list_ids(fixture, LIST_RULES,
             (struct list_query){ .orders = &order, .order_count = 1, .cursor_id = "r1" }, "");
    list_fails(fixture, LIST_RULES,
               (struct list_query){ .orders = &order, .order_count = 1, .cursor_id = "r2" },
               ERROR_DATABASE_QUERY_ORDER_NULL, NULL);
}

static void test_random__gives_every_row(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value a = T("a");
    struct filter filter = { FILTER_EQUAL, column_of(LIST_FUNCTIONS, "$id"), &a, 1, NULL, 0 };

    given_four(fixture);
    list_ids(fixture, LIST_FUNCTIONS,
             (struct list_query){ .random = true, .filters = &filter, .filter_count = 1 }, "a");
}

/* ---- executions ------------------------------------------------------------------------------ */

static void test_executions__newest_first_pages(void **state)
{
    struct fixture *fixture = *state;
    struct order newest = { .column = column_of(LIST_EXECUTIONS, "$createdAt"),
                            .descending = true };
    struct list_query query = { .orders = &newest, .order_count = 1, .limit = 2 };
    struct execution execution;
    char cursor[GENERATED_ID + 1];

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    for (int i = 0; i < 5; i++) {
        execution = an_execution(query.function_seq, FIRST_SEQ + i, "completed");
        write_ok(fixture, insert_execution, &execution);
        if (i == 3)
            query.cursor_id = memcpy(cursor, execution.id, sizeof cursor);
    }

    list_ids(fixture, LIST_EXECUTIONS, query, "2 1");
    query.cursor_before = true;
    list_ids(fixture, LIST_EXECUTIONS, query, "4");
    query.order_count = 0;
    list_ids(fixture, LIST_EXECUTIONS, query, "1 2");
    query.cursor_id = NULL;
    list_ids(fixture, LIST_EXECUTIONS, query, "0 1");
    query.order_count = 1;
    list_ids(fixture, LIST_EXECUTIONS, query, "4 3");
    query.function_seq++;
    list_ids(fixture, LIST_EXECUTIONS, query, "");
}

static void test_executions__a_client_sees_its_own(void **state)
{
    struct fixture *fixture = *state;
    const char *roles[] = { "any", NULL };
    struct list_query query = { .reader_roles = roles };
    struct execution execution;
    char user[] = "ann";

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    given_execution(fixture, query.function_seq, FIRST_SEQ, "completed");
    execution = an_execution(query.function_seq, FIRST_SEQ + 1, "completed");
    execution.user_id = user;
    write_ok(fixture, insert_execution, &execution);

    list_ids(fixture, LIST_EXECUTIONS, query, "");
    query.reader_user_id = "ann";
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "1"), 1);
}

static void note_logs(void *context, const void *entity)
{
    buffer_add_text(context, ((const struct execution *)entity)->logs);
}

static void test_executions__logs_are_read_on_request_and_ids_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution;
    struct filter_value id = { .kind = VALUE_TEXT };
    struct filter filter = { FILTER_EQUAL, column_of(LIST_EXECUTIONS, "$id"), &id, 1, NULL, 0 };
    struct list_query query = {
        .project_id = "demo", .limit = 25, .filters = &filter, .filter_count = 1
    };
    struct buffer logs;
    struct error err;
    char text[] = "out";

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    given_execution(fixture, query.function_seq, FIRST_SEQ, "completed");
    execution = an_execution(query.function_seq, FIRST_SEQ + 1, "completed");
    execution.logs = text;
    write_ok(fixture, insert_execution, &execution);
    id.text = execution.id;

    buffer_init(&logs, 1024);
    assert_int_equal(
        store_list(fixture->reader, LIST_EXECUTIONS, &query, note_logs, &logs, NULL, &err), 0);
    assert_int_equal(logs.size, 0);
    query.with_logs = true;
    assert_int_equal(
        store_list(fixture->reader, LIST_EXECUTIONS, &query, note_logs, &logs, NULL, &err), 0);
    assert_string_equal(logs.data, "out");
    buffer_release(&logs);
}

static int insert_many(struct db *db, void *context, struct error *err)
{
    for (int64_t i = 0; i < LIST_TOTAL_MAX + 100; i++) {
        struct execution execution = an_execution(*(int64_t *)context, FIRST_SEQ + i, "completed");

        if (store_execution_insert(db, &execution, err) < 0)
            return -1;
    }
    return 0;
}

static void test_total__stops_at_five_thousand(void **state)
{
    struct fixture *fixture = *state;
    struct list_query query = { .limit = 1 };

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    write_ok(fixture, insert_many, &query.function_seq);
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "0"), 5000);
}

static void test_limit__stops_a_query_that_takes_too_long(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value text = T("zzz");
    struct filter filter = {
        FILTER_CONTAINS, column_of(LIST_EXECUTIONS, "requestPath"), &text, 1, NULL, 0
    };
    struct list_query query = { .filters = &filter, .filter_count = 1 };

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    write_ok(fixture, insert_many, &query.function_seq);
    fixture->reader->limit_us = 1;
    list_fails(fixture, LIST_EXECUTIONS, query, ERROR_DATABASE_TIMEOUT, NULL);
    fixture->reader->limit_us = 5000000;
    list_ids(fixture, LIST_EXECUTIONS, query, "");
}

static int insert_projects(struct db *db, void *context, struct error *err)
{
    (void)context;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "many%d", i);
        if (store_project_insert(db, &(struct project){ .id = id, .name = id }, err) < 0)
            return -1;
    }
    return 0;
}

static void count_project(void *context, const void *entity)
{
    (void)entity;
    ++*(int *)context;
}

static void test_limit__is_for_lists_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    int count = 0;

    write_ok(fixture, insert_projects, NULL);
    fixture->reader->limit_us = 1;
    list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ 0 }, "");
    assert_int_equal(store_project_each(fixture->reader, count_project, &count, &err), 0);
    assert_true(count >= 1000);
}

/* ---- search ---------------------------------------------------------------------------------- */

static void test_search__finds_beginnings_of_words(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *search, *expected;
    } cases[] = {
        { "pea", "a" },        { "PIE", "b" },           { "ie", "" },
        { "node", "a b c d" }, { "node-22", "a b c d" }, { "pear banana", "a d" },
        { "app banana", "d" }, { "\"apple pie\"", "b" }, { "\"pie apple\"", "" },
        { "***", "" },         { "apple*", "b" },        { "", "a b c d" },
    };

    given_four(fixture);
    for (size_t i = 0; i < COUNT(cases); i++)
        list_ids(fixture, LIST_FUNCTIONS, (struct list_query){ .search = cases[i].search },
                 cases[i].expected);
}

static void test_search__of_the_other_lists(void **state)
{
    struct fixture *fixture = *state;
    struct list_query query = { .search = "hello" };

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_rule(fixture, "r1", "a.example");
    query.function_seq = function_seq(fixture, "hello");
    given_execution(fixture, query.function_seq, FIRST_SEQ, "completed");

    list_ids(fixture, LIST_EXECUTIONS, query, "0");
    list_ids(fixture, LIST_DEPLOYMENTS,
             (struct list_query){ .search = "index", .function_id = "hello" }, "d1");
    list_ids(fixture, LIST_RULES, (struct list_query){ .search = "exam" }, "r1");
}

/* ---- columns --------------------------------------------------------------------------------- */

static void test_columns__every_attribute_filters_and_orders(void **state)
{
    struct fixture *fixture = *state;

    for (enum list_entity entity = 0; entity < LIST_ENTITIES; entity++) {
        const struct list_column *columns = store_columns(entity);

        for (int i = 0; columns[i].attribute; i++) {
            struct filter filter = { .method = FILTER_IS_NULL, .column = i };
            struct order order = { .column = i, .descending = true };

            list_ids(fixture, entity,
                     (struct list_query){ .filters = &filter,
                                          .filter_count = 1,
                                          .orders = &order,
                                          .order_count = 1,
                                          .function_id = "hello",
                                          .function_seq = 1 },
                     "");
        }
        column_of(entity, "$id");
        column_of(entity, "$createdAt");
        column_of(entity, "$updatedAt");
        column_of(entity, "$sequence");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_filters__each_method),
        TEST(test_filters__nest),
        TEST(test_filters__of_the_other_lists),
        TEST(test_order__by_name_disregards_case_and_breaks_ties_by_age),
        TEST(test_cursor__goes_both_ways),
        TEST(test_cursor__of_a_missing_document_is_an_error),
        TEST(test_order__null_comes_first_but_carries_no_cursor),
        TEST(test_random__gives_every_row),
        TEST(test_executions__newest_first_pages),
        TEST(test_executions__a_client_sees_its_own),
        TEST(test_executions__logs_are_read_on_request_and_ids_are_found),
        TEST(test_total__stops_at_five_thousand),
        TEST(test_limit__stops_a_query_that_takes_too_long),
        TEST(test_limit__is_for_lists_alone),
        TEST(test_search__finds_beginnings_of_words),
        TEST(test_search__of_the_other_lists),
        TEST(test_columns__every_attribute_filters_and_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
