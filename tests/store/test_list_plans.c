/*
 * What lists cost: each follows an index whatever it asks, statements are kept, and so are totals.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "list_private.h"
#include "listing.h"
#include "mem.h"

/* ---- plans ----------------------------------------------------------------------------------- */

/* The plan of the statements that store_list sends, caught by SQLite's trace. */
static int note_plan(unsigned type, void *context, void *statement, void *sql)
{
    struct buffer *plan = context;
    sqlite3 *handle = sqlite3_db_handle(statement);
    auto_free char *expanded = NULL;
    auto_finalize sqlite3_stmt *explain = NULL;

    (void)type;
    if (strncmp(sql, "SELECT", 6) != 0)
        return 0;
    expanded = xasprintf("EXPLAIN QUERY PLAN %s", (const char *)sql);
    sqlite3_trace_v2(handle, 0, NULL, NULL);
    if (sqlite3_prepare_v2(handle, expanded, -1, &explain, NULL) == SQLITE_OK) {
        while (sqlite3_step(explain) == SQLITE_ROW)
            buffer_addf(plan, "%s\n", (const char *)sqlite3_column_text(explain, 3));
    }
    sqlite3_trace_v2(handle, SQLITE_TRACE_STMT, note_plan, context);
    return 0;
}

/* Lists what there is none of, and gives the plans of all that it took. */
static void plan_of(struct fixture *fixture, enum list_entity entity, struct list_query query,
                    struct buffer *plan)
{
    buffer_reset(plan);
    sqlite3_trace_v2(fixture->reader->handle, SQLITE_TRACE_STMT, note_plan, plan);
    list_ids(fixture, entity, query, "");
    sqlite3_trace_v2(fixture->reader->handle, 0, NULL, NULL);
    assert_true(plan->size > 0);
}

static void expect_index(const struct buffer *plan, const char *index, bool may_sort)
{
    if (strstr(plan->data, "SCAN t") || strstr(plan->data, "SCAN f") ||
        !strstr(plan->data, "SEARCH t USING") || (index && !strstr(plan->data, index)) ||
        (!may_sort && strstr(plan->data, "TEMP B-TREE")))
        fail_msg("%s", plan->data);
}

static void test_every_list_follows_an_index(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value values[2] = { { .kind = VALUE_TEXT, .text = "zz" },
                                      { .kind = VALUE_TEXT, .text = "zzz" } };
    struct buffer plan;

    given_function(fixture, "hello");
    buffer_init(&plan, 65536);
    for (enum list_entity entity = 0; entity < LIST_ENTITIES; entity++) {
        const struct list_column *columns = store_columns(entity);
        struct list_query query = { .function_id = "nothing",
                                    .function_seq = function_seq(fixture, "hello"),
                                    .search = "zzz" };

        plan_of(fixture, entity, query, &plan);
        expect_index(&plan, NULL, true);
        query.search = NULL;
        for (int i = 0; columns[i].attribute; i++) {
            struct filter filter = {
                .column = i, .method = FILTER_EQUAL, .values = values, .value_count = 2
            };
            struct order order = { .column = i, .descending = true };

            query.function_id = entity == LIST_FUNCTIONS ? NULL : query.function_id;
            query.filters = &filter;
            query.filter_count = query.order_count = 1;
            query.orders = &order;
            plan_of(fixture, entity, query, &plan);
            expect_index(&plan, NULL, true);
        }
    }
    buffer_release(&plan);
}

static void test_executions__pages_follow_the_index_and_never_sort(void **state)
{
    struct fixture *fixture = *state;
    struct order newest = { .column = column_of(LIST_EXECUTIONS, "$createdAt"),
                            .descending = true };
    struct list_query query = { .orders = &newest };
    struct buffer plan;

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    buffer_init(&plan, 65536);
    for (query.order_count = 0; query.order_count < 2; query.order_count++) {
        plan_of(fixture, LIST_EXECUTIONS, query, &plan);
        expect_index(&plan, "executions_of_function", false);
    }
    buffer_release(&plan);
}

static void test_executions__are_searched_by_the_times_in_their_ids(void **state)
{
    struct fixture *fixture = *state;
    struct execution first, second;
    struct list_query query = { .function_id = "hello" };
    struct buffer plan;
    char text[128];
    static const struct {
        const char *before;
        int digits; /* of the id of the first */
        const char *after, *expected;
    } searches[] = {
        { "", 20, "", "0" },
        { "", 13, "", "0" },
        { "", 13, " nothing", "" },
        { "nothing ", 9, "", "0" },
        { "", 20, " nothing", "0" },
        { "\"", 20, "\"", "0" },
        { "\"", 13, "\"", "" },
        { "", 4, "", "0 2000000" },
        { "", 20, "0", "" },
        { "HEL", 0, "", "0 2000000" },
        { "hel nothing", 0, "", "" },
        { "hello x", 0, "", "0 2000000" },
        { "00000000fffff", 0, "", "" },
        { "***", 0, "", "" },
    };

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    first = an_execution(query.function_seq, FIRST_SEQ, "completed");
    second = an_execution(query.function_seq, FIRST_SEQ + 2000000, "completed");
    write_ok(fixture, insert_execution, &first);
    write_ok(fixture, insert_execution, &second);
    for (size_t i = 0; i < COUNT(searches); i++) {
        snprintf(text, sizeof text, "%s%.*s%s", searches[i].before, searches[i].digits, first.id,
                 searches[i].after);
        query.search = text;
        list_ids(fixture, LIST_EXECUTIONS, query, searches[i].expected);
    }
    buffer_init(&plan, 65536);
    query.search = "fffffff0";
    plan_of(fixture, LIST_EXECUTIONS, query, &plan);
    expect_index(&plan, "rowid>? AND rowid<?", false);
    buffer_release(&plan);
}

static void test_executions__of_an_unusual_state_follow_its_index(void **state)
{
    struct fixture *fixture = *state;
    static const char *const states[] = { "failed", "waiting", "scheduled", "processing",
                                          "Failed" };
    struct order newest = { .column = column_of(LIST_EXECUTIONS, "$createdAt"),
                            .descending = true };
    struct filter_value wanted = { .kind = VALUE_TEXT };
    struct filter filter = { .method = FILTER_EQUAL,
                             .column = column_of(LIST_EXECUTIONS, "status"),
                             .values = &wanted,
                             .value_count = 1 };
    struct list_query query = {
        .orders = &newest, .order_count = 1, .filters = &filter, .filter_count = 1
    };
    struct buffer plan;

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    buffer_init(&plan, 65536);
    for (size_t i = 0; i < COUNT(states); i++) {
        wanted.text = states[i];
        plan_of(fixture, LIST_EXECUTIONS, query, &plan);
        expect_index(&plan, "executions_unusual", false);
    }
    buffer_release(&plan);

    given_execution(fixture, query.function_seq, FIRST_SEQ, "completed");
    given_execution(fixture, query.function_seq, FIRST_SEQ + 1, "failed");
    list_ids(fixture, LIST_EXECUTIONS, query, "1");
    wanted.text = "COMPLETED";
    list_ids(fixture, LIST_EXECUTIONS, query, "0");
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static void test_lists__of_more_shapes_than_are_kept_answer_right(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value ids[2 * KEPT_STATEMENTS];
    struct filter filter = { .method = FILTER_EQUAL,
                             .column = column_of(LIST_FUNCTIONS, "$id"),
                             .values = ids };
    struct list_query query = { .filters = &filter, .filter_count = 1 };

    given_four(fixture);
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = (struct filter_value){ .kind = VALUE_TEXT, .text = "nothing" };
    for (int round = 0; round < 3; round++) {
        for (filter.value_count = 1; filter.value_count <= COUNT(ids); filter.value_count++) {
            ids[filter.value_count - 1].text = round == 1 ? "b" : "c";
            list_ids(fixture, LIST_FUNCTIONS, query, round == 1 ? "b" : "c");
            ids[filter.value_count - 1].text = "nothing";
        }
    }
}

static int insert_all_but_one(struct db *db, void *context, struct error *err)
{
    for (int64_t i = 0; i < LIST_TOTAL_MAX - 1; i++) {
        struct execution execution = an_execution(*(int64_t *)context, FIRST_SEQ + i, "completed");

        if (store_execution_insert(db, &execution, err) < 0)
            return -1;
    }
    return 0;
}

static int delete_one(struct db *db, void *context, struct error *err)
{
    return store_execution_delete(db, "demo", "hello", context, err);
}

static int expire_one(struct db *db, void *context, struct error *err)
{
    return store_execution_expire(db, INT64_MAX, 1, context, err);
}

static void test_total__falls_when_executions_are_removed(void **state)
{
    struct fixture *fixture = *state;
    struct list_query query = { .limit = 1 };
    struct execution last;
    int64_t expired;

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    last = an_execution(query.function_seq, FIRST_SEQ + LIST_TOTAL_MAX - 1, "completed");
    write_ok(fixture, insert_all_but_one, &query.function_seq);
    write_ok(fixture, insert_execution, &last);
    for (int i = 0; i < 2; i++)
        assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "0"), LIST_TOTAL_MAX);

    write_ok(fixture, delete_one, last.id);
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "0"), LIST_TOTAL_MAX - 1);

    given_execution(fixture, query.function_seq, last.seq, "completed");
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "0"), LIST_TOTAL_MAX);
    write_ok(fixture, expire_one, &expired);
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "1"), LIST_TOTAL_MAX - 1);
}

static void test_total__of_a_kept_count_is_not_that_of_a_filter(void **state)
{
    struct fixture *fixture = *state;
    struct filter_value failed = { .kind = VALUE_TEXT, .text = "failed" };
    struct filter filter = { .method = FILTER_EQUAL,
                             .column = column_of(LIST_EXECUTIONS, "status"),
                             .values = &failed,
                             .value_count = 1 };
    struct list_query query = { .limit = 1 };

    given_function(fixture, "hello");
    query.function_seq = function_seq(fixture, "hello");
    write_ok(fixture, insert_all_but_one, &query.function_seq);
    given_execution(fixture, query.function_seq, FIRST_SEQ + LIST_TOTAL_MAX, "completed");
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, "0"), LIST_TOTAL_MAX);
    query.filters = &filter;
    query.filter_count = 1;
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, ""), 0);
    query.filter_count = 0;
    query.reader_user_id = "somebody";
    assert_int_equal(list_ids(fixture, LIST_EXECUTIONS, query, ""), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_list_follows_an_index),
        TEST(test_executions__pages_follow_the_index_and_never_sort),
        TEST(test_executions__are_searched_by_the_times_in_their_ids),
        TEST(test_executions__of_an_unusual_state_follow_its_index),
        TEST(test_lists__of_more_shapes_than_are_kept_answer_right),
        TEST(test_total__falls_when_executions_are_removed),
        TEST(test_total__of_a_kept_count_is_not_that_of_a_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
