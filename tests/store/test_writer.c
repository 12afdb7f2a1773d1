/*
 * The writer thread: groups, failures inside them, order, faults and disk full, and many threads at
 * once.
 */
#include "fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_fault.h"

/* ---- a group --------------------------------------------------------------------------------- */

/* Holds the writer inside a group, so that what is submitted meanwhile is one group for certain. */
struct gate {
    sem_t entered, open;
};

static int wait_at_gate(struct db *db, void *context, struct error *err)
{
    struct gate *gate = context;

    (void)db;
    (void)err;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return 0;
}

static void close_gate(struct fixture *fixture, struct gate *gate)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    store_write_later(fixture->store, wait_at_gate, NULL, gate, true);
    sem_wait(&gate->entered);
}

static void open_gate(struct fixture *fixture, struct gate *gate)
{
    sem_post(&gate->open);
    store_flush(fixture->store);
    sem_destroy(&gate->entered);
    sem_destroy(&gate->open);
}

enum { LETTERS = 8 };

/* Writes of one letter each, and the order in which they were reported. */
struct letters {
    char order[2 * LETTERS + 1];
    struct letter {
        struct letters *all;
        char name[2];
        bool must_fail;
        enum error_type failure;
    } letter[LETTERS];
};

static int write_letter(struct db *db, void *context, struct error *err)
{
    struct letter *letter = context;
    struct function function = a_function(letter->name);

    if (store_function_insert(db, &function, err) < 0)
        return -1;
    return letter->must_fail ? fail(err, ERROR_GENERAL_BAD_REQUEST, "no %s", letter->name) : 0;
}

static void letter_written(void *context, const struct error *err)
{
    struct letter *letter = context;

    strcat(letter->all->order, err ? "!" : "+");
    strcat(letter->all->order, letter->name);
    if (err)
        letter->failure = err->type;
}

static void submit_letters(struct fixture *fixture, struct letters *letters, const char *failing)
{
    memset(letters, 0, sizeof *letters);
    for (int i = 0; i < 4; i++) {
        letters->letter[i] = (struct letter){ .all = letters, .name = { (char)('a' + i), 0 } };
        letters->letter[i].must_fail = strchr(failing, 'a' + i) != NULL;
        store_write_later(fixture->store, write_letter, letter_written, &letters->letter[i],
                          i == 2);
    }
}

static void test_group__one_failing_write_spares_the_others(void **state)
{
    struct fixture *fixture = *state;
    struct letters letters;
    struct gate gate;

    close_gate(fixture, &gate);
    submit_letters(fixture, &letters, "b");
    assert_true(store_backlog(fixture->store) >= 4);
    open_gate(fixture, &gate);

    assert_string_equal(letters.order, "+a!b+c+d"); /* and reported in the order of submission */
    assert_int_equal(letters.letter[1].failure, ERROR_GENERAL_BAD_REQUEST);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), 3);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions WHERE id = 'b'"), 0);
    assert_int_equal(store_backlog(fixture->store), 0);
}

/* Runs inside the group, before its COMMIT: makes just that fail. */
static int spoil_commit(struct db *db, void *context, struct error *err)
{
    (void)context;
    (void)err;
    store_fail_after(db->store, 2); /* RELEASE of this write, then COMMIT */
    return 0;
}

static void test_group__a_failing_commit_fails_everyone(void **state)
{
    struct fixture *fixture = *state;
    struct letters letters;
    struct gate gate;

    close_gate(fixture, &gate);
    submit_letters(fixture, &letters, "b");
    store_write_later(fixture->store, spoil_commit, NULL, NULL, false);
    open_gate(fixture, &gate);

    assert_string_equal(letters.order, "!a!b!c!d");
    assert_int_equal(letters.letter[0].failure, ERROR_INTERNAL);
    assert_int_equal(letters.letter[1].failure, ERROR_GENERAL_BAD_REQUEST); /* its own */
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), 0);
    given_function(fixture, "after");
}

static void test_record__needs_no_one_to_wait(void **state)
{
    struct fixture *fixture = *state;
    int64_t hello;

    given_function(fixture, "hello");
    hello = function_seq(fixture, "hello");
    for (int64_t i = 0; i < 100; i++) {
        struct execution execution = an_owned_execution(hello, FIRST_SEQ + i);

        execution.errors = i % 2 ? xstrdup("e") : NULL;
        store_execution_record(fixture->store, &execution);
        execution_release(&execution);
    }
    store_flush(fixture->store);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM executions"), 100);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM execution_logs"), 50);
}

static void test_record__twice_the_same_spares_the_others(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution;
    int64_t hello;
    static const int64_t offsets[] = { 0, 0, 1 };

    given_function(fixture, "hello");
    hello = function_seq(fixture, "hello");
    for (size_t i = 0; i < COUNT(offsets); i++) {
        execution = an_owned_execution(hello, FIRST_SEQ + offsets[i]);
        execution.logs = xstrdup("x");
        store_execution_record(fixture->store, &execution);
        execution_release(&execution);
    }
    store_flush(fixture->store);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM executions"), 2);
}

static void test_close__writes_what_waits(void **state)
{
    struct fixture *fixture = *state;
    struct letters letters;

    submit_letters(fixture, &letters, "");
    fixture_close(fixture);
    assert_string_equal(letters.order, "+a+b+c+d");
    fixture_open(fixture);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), 4);
}

/* A row that was reported is there for every reader that begins afterwards. */
struct witness {
    struct fixture fixture;
    sem_t asked;
    int64_t rows;
};

static void look(void *context, const struct error *err)
{
    struct witness *witness = context;

    witness->rows = err ? -1
                        : number_of(&witness->fixture,
                                    "SELECT count(*) FROM functions WHERE id = 'a'");
    sem_post(&witness->asked);
}

static int insert_a(struct db *db, void *context, struct error *err)
{
    struct function function = a_function("a");

    (void)context;
    return store_function_insert(db, &function, err);
}

static void test_done__comes_after_the_commit(void **state)
{
    struct fixture *fixture = *state;
    struct witness witness = { .fixture = *fixture };
    struct error err;

    sem_init(&witness.asked, 0, 0);
    assert_int_equal(store_reader_open(fixture->store, &witness.fixture.reader, &err), 0);
    store_write_later(fixture->store, insert_a, look, &witness, true);
    sem_wait(&witness.asked);
    assert_int_equal(witness.rows, 1);
    store_reader_close(witness.fixture.reader);
    sem_destroy(&witness.asked);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static int insert_two(struct db *db, void *context, struct error *err)
{
    struct function function = a_function("hello");
    struct deployment deployment = a_deployment("hello", "d1");

    (void)context;
    return store_function_insert(db, &function, err) < 0
               ? -1
               : store_deployment_insert(db, &deployment, err);
}

static void test_fault__at_any_statement_leaves_all_or_nothing(void **state)
{
    struct fixture *fixture = *state;
    int failures = 0;
    struct error err;

    for (long n = 1; n < 20; n++) {
        int result, rows;

        store_fail_after(fixture->store, n);
        result = store_write_wait(fixture->store, insert_two, NULL, &err);
        store_fail_after(fixture->store, 0);
        rows = (int)number_of(
            fixture, "SELECT (SELECT count(*) FROM functions) + count(*) FROM deployments");
        if (result == 0) {
            assert_int_equal(rows, 2);
            break;
        }
        assert_int_equal(rows, 0);
        assert_non_null(strstr(err.message, "a fault on purpose"));
        failures++;
    }
    /* begin, savepoint, two inserts, an update and three counters, release, commit */
    assert_int_equal(failures, 10);
}

static int limit_pages(struct db *db, void *context, struct error *err)
{
    (void)context;
    return db_execute(db, "PRAGMA max_page_count = 60", err);
}

static int unlimit_pages(struct db *db, void *context, struct error *err)
{
    (void)context;
    return db_execute(db, "PRAGMA max_page_count = 1000000", err);
}

static void test_disk_full__is_an_error_and_not_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_free char *text = xcalloc(1, 100001);
    int written = 0;

    memset(text, 'x', 100000);
    given_function(fixture, "hello");
    write_ok(fixture, limit_pages, NULL);
    for (; written < 10; written++) {
        struct variable variable = a_variable("hello", "v", "K", text);
        char id[2] = { (char)('a' + written), 0 };

        variable.id = id;
        variable.key = id;
        if (store_write_wait(fixture->store, insert_variable, &variable, &err) < 0)
            break;
    }
    assert_int_equal(err.type, ERROR_GENERAL_STORAGE_FULL);
    assert_non_null(strstr(err.message, "disk is full"));

    write_ok(fixture, unlimit_pages, NULL);
    given_variable(fixture, "hello", "after", "AFTER");
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM variables"), written + 1);
}

/* ---- many threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 50 };

struct crowd {
    struct fixture *fixture;
    int64_t hello;
    atomic_int next;
    atomic_int written;
};

static void ignore_row(void *context, const void *entity)
{
    (void)context;
    (void)entity;
}

static void count_written(void *context, const struct error *err)
{
    struct crowd *crowd = context;

    if (!err)
        atomic_fetch_add(&crowd->written, 1);
}

static int do_nothing(struct db *db, void *context, struct error *err)
{
    (void)db;
    (void)context;
    (void)err;
    return 0;
}

static void *live_in_crowd(void *context)
{
    struct crowd *crowd = context;
    struct store *store = crowd->fixture->store;
    struct list_query query = {
        .project_id = "demo", .function_seq = crowd->hello, .limit = 5, .count = true
    };
    struct db *reader;
    struct error err;
    int64_t total;

    if (store_reader_open(store, &reader, &err) < 0)
        abort();
    for (int i = 0; i < ROUNDS; i++) {
        int number = atomic_fetch_add(&crowd->next, 1);
        struct execution execution = an_owned_execution(crowd->hello, FIRST_SEQ + number);
        char id[24];
        struct function function = a_function(id);

        snprintf(id, sizeof id, "f%d", number);
        store_execution_record(store, &execution);
        execution_release(&execution);
        store_write_later(store, do_nothing, count_written, crowd, i % 2 == 0);
        if (store_write_wait(store, insert_function, &function, &err) < 0 ||
            store_list(reader, LIST_EXECUTIONS, &query, ignore_row, NULL, &total, &err) < 0 ||
            store_list(reader, LIST_FUNCTIONS, &query, ignore_row, NULL, &total, &err) < 0)
            abort();
        if (i % 10 == 0)
            store_flush(store);
    }
    store_reader_close(reader);
    return NULL;
}

static void test_threads__write_and_read_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct crowd crowd = { .fixture = fixture };
    pthread_t threads[THREADS];

    given_function(fixture, "hello");
    crowd.hello = function_seq(fixture, "hello");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live_in_crowd, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    store_flush(fixture->store);

    assert_int_equal(number_of(fixture, "SELECT count(*) FROM executions"), THREADS * ROUNDS);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), THREADS * ROUNDS + 1);
    assert_int_equal(atomic_load(&crowd.written), THREADS * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_group__one_failing_write_spares_the_others),
        TEST(test_group__a_failing_commit_fails_everyone),
        TEST(test_record__needs_no_one_to_wait),
        TEST(test_record__twice_the_same_spares_the_others),
        TEST(test_close__writes_what_waits),
        TEST(test_done__comes_after_the_commit),
        TEST(test_fault__at_any_statement_leaves_all_or_nothing),
        TEST(test_disk_full__is_an_error_and_not_the_end),
        TEST(test_threads__write_and_read_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
