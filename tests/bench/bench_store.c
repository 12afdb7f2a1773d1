/* links: store util */
/*
 * Speed of the store: execution records a second, and what lists cost when there are many.
 *
 *   bench_store [rows] [directory]      1000000 rows in a directory of /tmp by default; it is
 * removed afterwards
 *
 * Never a test: numbers belong to a machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "store.h"
#include "text.h"

enum { BACKLOG = 20000, REPEATS = 200 };

static _Noreturn void stop(const struct error *err)
{
    fprintf(stderr, "bench_store: %s\n", err->message);
    exit(1);
}

static int insert_all(struct db *db, void *context, struct error *err)
{
    char *functions = context, project[] = "bench", id[16];
    struct project owner = { .id = project, .name = project };

    if (store_project_insert(db, &owner, err) < 0)
        return -1;
    for (int i = 0; i < *functions; i++) {
        struct function function = { .project_id = project, .id = id, .name = id };

        snprintf(id, sizeof id, "f%d", i);
        if (store_function_insert(db, &function, err) < 0)
            return -1;
    }
    return 0;
}

static struct execution an_execution(int64_t function_seq, int64_t seq)
{
    struct execution execution = {
        .seq = seq,
        .function_seq = function_seq,
        .deployment_id = xstrdup("66f0c0ffee0123456789"),
        .trigger = xstrdup("http"),
        .status = xstrdup("completed"),
        .request_method = xstrdup("POST"),
        .request_path = xstrdup("/orders?page=2"),
        .request_headers = xstrdup("[{\"name\":\"content-type\",\"value\":\"application/json\"}]"),
        .response_status = 200,
        .response_headers = xstrdup("[{\"name\":\"content-type\",\"value\":\"text/plain\"}]"),
        .duration = 0.0031,
        .updated_at = seq,
    };

    id_generate(seq, execution.id);
    return execution;
}

static void record_all(struct store *store, int64_t first, int64_t rows, int functions)
{
    int64_t start_us = clock_monotonic_us(), submit_us = 0, elapsed_us;

    for (int64_t i = 0; i < rows; i++) {
        struct execution execution = an_execution(1 + i % functions, first + i);
        int64_t before_us = i % 64 ? 0 : clock_monotonic_us();

        store_execution_record(store, &execution);
        execution_release(&execution);
        submit_us += i % 64 ? 0 : clock_monotonic_us() - before_us;
        while (store_backlog(store) > BACKLOG)
            usleep(200);
    }
    store_flush(store);
    elapsed_us = clock_monotonic_us() - start_us;
    printf("%10lld rows recorded, %d functions: %.0f rows/s, %.2f us to hand one over\n",
           (long long)rows, functions, (double)rows * 1e6 / (double)elapsed_us,
           (double)submit_us / (double)(rows / 64 + 1));
}

static void ignore_row(void *context, const void *entity)
{
    (void)entity;
    ++*(int *)context;
}

static int column_of(enum list_entity entity, const char *attribute)
{
    const struct list_column *columns = store_columns(entity);
    int i = 0;

    while (columns[i].attribute && !text_equals(columns[i].attribute, attribute))
        i++;
    return i;
}

static void list_repeatedly(struct db *db, const char *name, const struct list_query *query)
{
    int64_t start_us = clock_monotonic_us(), worst_us = 0;
    struct error err;
    int rows = 0;

    for (int i = 0; i < REPEATS; i++) {
        int64_t before_us = clock_monotonic_us(), total, took_us;

        if (store_list(db, LIST_EXECUTIONS, query, ignore_row, &rows, &total, &err) < 0)
            stop(&err);
        took_us = clock_monotonic_us() - before_us;
        worst_us = took_us > worst_us ? took_us : worst_us;
    }
    printf("%-44s %7.0f us, worst %lld us, %d rows\n", name,
           (double)(clock_monotonic_us() - start_us) / REPEATS, (long long)worst_us,
           rows / REPEATS);
}

static void list_all(struct db *db, int64_t middle)
{
    struct order newest = { .column = column_of(LIST_EXECUTIONS, "$createdAt"),
                            .descending = true };
    struct list_query query = {
        .project_id = "bench", .function_seq = 1, .orders = &newest, .order_count = 1, .limit = 25
    };
    struct filter_value day = { .kind = VALUE_INTEGER, .integer = middle };
    struct filter filter = {
        .method = FILTER_LESS, .column = newest.column, .values = &day, .value_count = 1
    };

    list_repeatedly(db, "newest 25", &query);
    query.count = true;
    list_repeatedly(db, "newest 25 and the total", &query);
    query.with_logs = true;
    list_repeatedly(db, "newest 25, the total, logs", &query);
    query.with_logs = query.count = false;
    query.offset = 1000;
    list_repeatedly(db, "25 from the 1000th", &query);
    query.offset = 0;
    query.filters = &filter;
    query.filter_count = 1;
    list_repeatedly(db, "newest 25 before a time", &query);
}

static int write_nothing(struct db *db, void *context, struct error *err)
{
    return store_usage_add(db, "bench", "f0", context, 1, 1, err);
}

static void write_repeatedly(struct store *store)
{
    char metric[] = "executions";
    int64_t start_us = clock_monotonic_us();
    struct error err;

    for (int i = 0; i < REPEATS; i++) {
        if (store_write_wait(store, write_nothing, metric, &err) < 0)
            stop(&err);
    }
    printf("%-44s %7.0f us\n", "one write, waited for",
           (double)(clock_monotonic_us() - start_us) / REPEATS);
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? atoll(argv[1]) : 1000000, first = clock_realtime_us();
    char place[] = "/tmp/bench-store-XXXXXX", functions = 20;
    const char *directory = argc > 2 ? argv[2] : mkdtemp(place);
    struct store_options options = { .directory = directory,
                                     .gather_us = 5000,
                                     .query_limit_us = 5000000 };
    struct store *store;
    struct db *db;
    struct error err;

    if (store_open(&options, &store, &err) < 0 ||
        store_write_wait(store, insert_all, &functions, &err) < 0 ||
        store_reader_open(store, &db, &err) < 0)
        stop(&err);
    record_all(store, first, rows / 2, 1);
    record_all(store, first + rows / 2, rows / 2, functions);
    list_all(db, first + rows / 2);
    write_repeatedly(store);
    store_reader_close(db);
    store_close(store);
    if (argc <= 2 && fd_remove_tree(AT_FDCWD, directory, &err) < 0)
        stop(&err);
    return 0;
}
