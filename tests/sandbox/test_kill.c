/* Ending a child ends everything it started, however it hid. */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

enum { SLEEPERS = 8, LOOKS = 5000 };

/* Sleepers that left the session and whose parents are gone, some deaf to TERM, one with an empty
 * environment. */
static const char hiding[] = "trap '' TERM HUP INT\n"
                             "setsid sleep $0 &\n"
                             "(setsid sh -c 'sleep $0 & sleep $0 &' $0 &)\n"
                             "(setsid sh -c '(setsid sleep $0 &) ; sleep $0' $0 &)\n"
                             "(setsid env -i sleep $0 &)\n"
                             "sleep $0 &\n"
                             "echo ready >&3\n"
                             "exec sleep $0";

/* How long they sleep: a number of this test alone, by which they are found. */
static const char *duration(void)
{
    static char text[32];
    snprintf(text, sizeof(text), "77.%d", getpid());
    return text;
}

static size_t look_for_sleepers(const char *sleep_for, bool end_them)
{
    const struct process_table *table = processes_read(box.host.inner, 0);
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        char path[64];
        struct error ignored;
        auto_free char *line = NULL;
        size_t bytes = 0;
        snprintf(path, sizeof(path), "/proc/%d/cmdline", table->rows[i].pid);
        if (fd_read_file(AT_FDCWD, path, 4096, &line, &bytes, &ignored) == 0 && bytes > 6 &&
            memcmp(line, "sleep", 6) == 0 && strcmp(line + 6, sleep_for) == 0) {
            count++;
            if (end_them) {
                kill(table->rows[i].pid, SIGKILL);
            }
        }
    }
    return count;
}

static size_t sleepers(const char *sleep_for)
{
    return look_for_sleepers(sleep_for, false);
}

static void start_hiding(uint32_t slot, const char *sleep_for, struct sandbox_child *ret_child)
{
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t)hiding, (char *)(uintptr_t)sleep_for, NULL };
    struct sandbox_plan plan = box_plan();
    struct error err;
    int pair[2];
    char text[8];
    assert_int_equal(fd_socketpair(1 /* SOCK_STREAM */, pair, &err), 0);
    plan.argv = argv;
    plan.slot_uid = slot;
    plan.channel_fd = pair[1];
    plan.work_directory = "/";
    if (sandbox_start(&box.host, &plan, ret_child, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(read(pair[0], text, 6), 6);
    close(pair[0]);
    close(pair[1]);
    for (int look = 0; sleepers(sleep_for) < SLEEPERS && look < LOOKS; look++) {
        sched_yield(); /* the last ones are between fork and exec */
    }
}

static void test_kill__leaves_nothing_of_the_tree(void **state)
{
    (void)state;
    const char *sleep_for = duration();
    struct sandbox_child child;
    start_hiding(box_slot(0), sleep_for, &child);
    assert_int_equal(sleepers(sleep_for), SLEEPERS);

    assert_true(box_end(&child, box_slot(0)));

    assert_int_equal(sleepers(sleep_for), 0);
}

static void test_kill__spares_the_neighbour(void **state)
{
    (void)state;
    const char *sleep_for = duration();
    struct sandbox_child one, other;
    start_hiding(box_slot(0), sleep_for, &one);
    box_start("exec sleep 60", box_slot(1), &other);

    assert_true(box_end(&one, box_slot(0)));

    struct pollfd ended = { .fd = other.pidfd, .events = POLLIN };
    assert_int_equal(poll(&ended, 1, 0), 0);
    assert_false(sandbox_is_empty(&box.host, &other, box_slot(1)));
    assert_true(box_end(&other, box_slot(1)));
}

static void test_kill__ends_a_fork_bomb(void **state)
{
    (void)state;
    struct sandbox_child child;
    box_start("bomb() { bomb | bomb & }; bomb; bomb; sleep 60", box_slot(0), &child);

    assert_true(box_end(&child, box_slot(0)));
}

/* Without mark, session and parent, and never the same processes for two looks. It ends by itself
 * after some seconds, so that a failure here does not take the machine along. */
static void test_kill__ends_a_fork_bomb_that_left_the_tree(void **state)
{
    (void)state;
    struct sandbox_child child;
    if (access("/usr/bin/python3", X_OK) != 0) {
        box_skip("python3 is not installed");
    }
    box_start("(setsid env -i /usr/bin/python3 -Ic '\n"
              "import os, time\n"
              "count = 0\n"
              "end = time.monotonic() + 30\n"
              "while time.monotonic() < end:\n"
              "    try:\n"
              "        if os.fork() == 0:\n"
              "            os.setsid()\n"
              "            count = 0\n"
              "        else:\n"
              "            count += 1\n"
              "    except OSError: pass\n"
              "    if count == 2: os._exit(0)\n"
              "' &); sleep 60",
              box_slot(0), &child);
    poll(NULL, 0, 500);

    assert_true(box_end(&child, box_slot(0)));
    assert_true(sandbox_is_empty(&box.host, &child, box_slot(0)));
}

static void test_kill__reaches_a_stopped_child(void **state)
{
    (void)state;
    struct sandbox_child child;
    box_start("kill -STOP $$", box_slot(0), &child);

    assert_true(box_end(&child, box_slot(0)));
}

static void test_kill__may_be_repeated(void **state)
{
    (void)state;
    struct sandbox_child child;
    struct sandbox_end end = { 0 };
    box_start("exec sleep 60", box_slot(0), &child);

    sandbox_kill(&box.host, &child, box_slot(0));
    sandbox_kill(&box.host, &child, box_slot(0));
    struct pollfd ended = { .fd = child.pidfd, .events = POLLIN };
    assert_int_equal(poll(&ended, 1, 5000), 1);
    assert_true(sandbox_reap(&box.host, &child, &end));
    assert_true(end.by_signal);
    assert_int_equal(end.status, SIGKILL);
    sandbox_kill(&box.host, &child, box_slot(0));
    assert_true(sandbox_is_empty(&box.host, &child, box_slot(0)));
    sandbox_bury(&box.host, &child);
    sandbox_bury(&box.host, &child);
}

/* A daemon that dies without a word: its children die with it, and what hid from that is swept by
 * the next one. */
static void test_sweep__removes_what_a_dead_daemon_left(void **state)
{
    (void)state;
    char data[160], path[200];
    snprintf(data, sizeof(data), "/tmp/sandbox-test-%d-other", getpid());
    snprintf(path, sizeof(path), "%s/run", data);
    struct error err = { 0 };
    assert_int_equal(fd_mkdir(AT_FDCWD, data, 0711, &err), 0);
    assert_int_equal(fd_mkdir(AT_FDCWD, path, 0700, &err), 0);
    struct sandbox_options options = { .profile = sandbox_profile_name(box.profile),
                                       .profile_minimum = "none",
                                       .limits_minimum = "watch",
                                       .uid_range = "",
                                       .data_directory = data };
    const char *sleep_for = duration();
    fflush(NULL);
    pid_t daemon = fork();
    if (daemon == 0) {
        struct sandbox_child child;
        box.host = (struct sandbox_host){ 0 };
        if (sandbox_probe(&options, &box.host, &err) != 0) {
            _exit(1);
        }
        start_hiding(box_slot(0), sleep_for, &child);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(daemon, &status, 0), daemon);
    assert_true(WIFSIGNALED(status));

    struct sandbox_host next;
    assert_int_equal(sandbox_probe(&options, &next, &err), 0);
    int swept = sandbox_sweep(&next);
    assert_int_equal(sandbox_sweep(&next), 0);
    sandbox_release(&next);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }

    if (box.profile != SANDBOX_FULL) {
        assert_true(swept >= 1);
    }
    if (box.host.uid_count != 0 || box.profile == SANDBOX_FULL) {
        assert_int_equal(sleepers(sleep_for), 0);
    } else {
        assert_true(sleepers(sleep_for) <=
                    1); /* the one that wiped its mark; see docs/security.md */
    }
    assert_int_equal(fd_remove_tree(AT_FDCWD, data, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill__leaves_nothing_of_the_tree),
        cmocka_unit_test(test_kill__spares_the_neighbour),
        cmocka_unit_test(test_kill__ends_a_fork_bomb),
        cmocka_unit_test(test_kill__ends_a_fork_bomb_that_left_the_tree),
        cmocka_unit_test(test_kill__reaches_a_stopped_child),
        cmocka_unit_test(test_kill__may_be_repeated),
        cmocka_unit_test(test_sweep__removes_what_a_dead_daemon_left),
    };
    return box_run_all("kill", tests, COUNT(tests));
}
