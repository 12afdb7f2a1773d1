/*
 * What was answered outlives the process: a child writes, is killed, and the store is opened again.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"

enum { WRITES = 30 };

/* Tells each write that was answered through the pipe, then dies without a word. */
static _Noreturn void write_and_die(struct fixture *fixture, int told)
{
    char id[] = "a0";
    struct error err;

    fixture_open(fixture);
    for (int i = 0; i < WRITES; i++) {
        struct function function = a_function(id);

        id[0] = (char)('a' + i % 26);
        id[1] = (char)('0' + i / 26);
        if (store_write_wait(fixture->store, insert_function, &function, &err) < 0)
            break;
        fd_write_all(told, "+", 1);
    }
    raise(SIGKILL);
    abort();
}

static void test_killed__keeps_every_answered_write(void **state)
{
    struct fixture *fixture = *state;
    int from_child, to_parent, status;
    char told[WRITES + 1];
    struct error err;
    ssize_t answered;
    pid_t child;

    fixture_close(fixture);
    assert_int_equal(fd_pipe(&from_child, &to_parent, &err), 0);
    child = fork();
    if (child == 0)
        write_and_die(fixture, to_parent);
    fd_close(&to_parent);
    answered = fd_read_all(from_child, told, sizeof told);
    fd_close(&from_child);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(answered, WRITES);

    fixture_open(fixture);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), WRITES);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM pragma_integrity_check"
                                        " WHERE integrity_check = 'ok'"),
                     1);
}

static void test_commits__are_synced_to_the_disk(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(number_of(fixture, "PRAGMA synchronous"), 2); /* FULL */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_killed__keeps_every_answered_write),
        TEST(test_commits__are_synced_to_the_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
