/* Memory, processes, files and /tmp are bounded, and going over the memory is told apart from a
 * crash. */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"

static const uint64_t mebibyte = 1 << 20;

static struct sandbox_limit small_limit(void)
{
    return (struct sandbox_limit){ .memory_bytes = 64 * mebibyte,
                                   .cpus_milli = 1000,
                                   .processes = 24,
                                   .file_bytes = 4 * mebibyte,
                                   .tmp_bytes = 8 * mebibyte };
}

/* As the supervisor's watch does: looks until the child ends or holds too much. */
static bool watch_until_over(const struct sandbox_child *child, uint32_t slot, uint64_t limit_bytes)
{
    int64_t until = clock_monotonic_us() + 15 * INT64_C(1000000);
    while (clock_monotonic_us() < until) {
        if (sandbox_is_over_memory(&box.host, child, slot, limit_bytes)) {
            return true;
        }
        struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };
        if (poll(&ended, 1, 20) == 1) {
            return sandbox_is_over_memory(&box.host, child, slot, limit_bytes) ||
                   sandbox_hit_memory(&box.host, child);
        }
    }
    return false;
}

static void start_python(const char *script, const struct sandbox_limit *limit,
                         struct sandbox_child *ret_child)
{
    char *argv[] = { (char *)(uintptr_t) "/usr/bin/python3", (char *)(uintptr_t) "-Ic",
                     (char *)(uintptr_t)script, NULL };
    struct sandbox_plan plan = box_plan();
    struct error err;
    if (access(argv[0], X_OK) != 0) {
        box_skip("python3 is not installed");
    }
    plan.argv = argv;
    plan.limit = *limit;
    if (sandbox_start(&box.host, &plan, ret_child, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static bool is_seen_over(const char *script)
{
    struct sandbox_limit limit = small_limit();
    struct sandbox_child child;
    start_python(script, &limit, &child);
    bool over = watch_until_over(&child, box_slot(0), limit.memory_bytes);
    assert_true(box_end(&child, box_slot(0)));
    return over;
}

/* Without cgroups a single process meets RLIMIT_DATA first and is told by its own error, so the
 * test shares memory. */
static void test_memory__shared_memory_counts(void **state)
{
    (void)state;
    assert_true(is_seen_over("import mmap, time\n"
                             "m = mmap.mmap(-1, 200 << 20)\n"
                             "for i in range(0, len(m), 4096): m[i] = 1\n"
                             "time.sleep(30)"));
}

static void test_memory__the_whole_tree_counts(void **state)
{
    (void)state;
    assert_true(is_seen_over("import os, time\n"
                             "for i in range(8):\n"
                             "    if os.fork() == 0:\n"
                             "        b = bytearray(os.urandom(4096) * 5000)\n"
                             "        time.sleep(30)\n"
                             "time.sleep(30)"));
}

static void test_memory__private_memory_ends_or_is_refused(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit();
    struct sandbox_child child;
    start_python("import sys\n"
                 "try: b = bytearray(200 << 20)\n"
                 "except MemoryError: sys.exit(9)\n"
                 "for i in range(0, len(b), 4096): b[i] = 1",
                 &limit, &child);
    bool over = watch_until_over(&child, box_slot(0), limit.memory_bytes);
    struct sandbox_end end = { 0 };
    struct pollfd ended = { .fd = child.pidfd, .events = POLLIN };
    bool has_ended = poll(&ended, 1, 1000) == 1 && sandbox_reap(&box.host, &child, &end);
    assert_true(box_end(&child, box_slot(0)));

    assert_true(over || (has_ended && end.status == 9));
}

static void test_memory__an_innocent_child_is_not_blamed(void **state)
{
    (void)state;
    struct box_result result = box_shell("exit 0");

    assert_false(result.hit_memory);
}

static void test_memory__is_measured(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit();
    struct sandbox_child child;
    start_python("b = bytearray(b'x' * (24 << 20))\nimport time; time.sleep(30)", &limit, &child);
    int64_t until = clock_monotonic_us() + 10 * INT64_C(1000000);
    uint64_t bytes = 0;
    while (bytes < 24 * mebibyte && clock_monotonic_us() < until) {
        bytes = sandbox_memory(&box.host, &child, box_slot(0));
        poll(NULL, 0, 10);
    }
    assert_true(box_end(&child, box_slot(0)));

    assert_true(bytes >= 24 * mebibyte && bytes < 80 * mebibyte);
}

static void test_processes__are_bounded(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit();
    limit.memory_bytes = 256 * mebibyte;
    struct box_result result;
    char *argv[] = { (char *)(uintptr_t) "/usr/bin/python3", (char *)(uintptr_t) "-Ic",
                     (char *)(uintptr_t) "import os, signal\n"
                                         "count = 0\n"
                                         "try:\n"
                                         "    while count < 500:\n"
                                         "        if os.fork() == 0: signal.pause()\n"
                                         "        count += 1\n"
                                         "except OSError as e: print(e.errno, count, flush=True)\n"
                                         "os._exit(0)",
                     NULL };
    struct sandbox_plan plan = box_plan();
    if (box.host.uid_count == 0 && box.profile == SANDBOX_BASIC) {
        box_skip("processes of the daemon's own user are counted together: bounded for all, not "
                 "for each");
    }
    if (access(argv[0], X_OK) != 0) {
        box_skip("python3 is not installed");
    }
    plan.argv = argv;
    plan.limit = limit;
    struct sandbox_child child;
    struct error err;
    int read_end = -1, write_end = -1;
    assert_int_equal(fd_pipe(&read_end, &write_end, &err), 0);
    plan.stdout_fd = write_end;
    assert_int_equal(sandbox_start(&box.host, &plan, &child, &err), 0);
    close(write_end);
    struct pollfd readable = { .fd = read_end, .events = POLLIN };
    assert_int_equal(poll(&readable, 1, 15000), 1);
    ssize_t bytes = read(read_end, result.output, sizeof(result.output) - 1);
    result.output[bytes > 0 ? bytes : 0] = '\0';
    close(read_end);
    assert_true(box_end(&child, box_slot(0)));

    int number = 0, count = 0;
    assert_int_equal(sscanf(result.output, "%d %d", &number, &count), 2);
    assert_int_equal(number, EAGAIN);
    assert_in_range(count, 10, 24);
}

/* Where all processes of the account are counted together, the watch counts those of each tree. */
static bool is_watched(const struct sandbox_child *child)
{
    return box.profile == SANDBOX_BASIC && box.host.uid_count == 0 && child->cgroup[0] == '\0';
}

/* Whether the child is seen above most tasks: within some seconds where it shall be, else soon. */
static bool is_over_tasks(const struct sandbox_child *child, uint32_t most, bool shall)
{
    int64_t until = clock_monotonic_us() + (shall ? 15000 : 300) * INT64_C(1000);
    bool over = false;
    while (!over && clock_monotonic_us() < until) {
        over = sandbox_is_over_processes(&box.host, child, box_slot(0), most);
        poll(NULL, 0, 20);
    }
    return over;
}

static void start_many(const char *script, struct sandbox_child *ret_child)
{
    struct sandbox_limit limit = small_limit();
    limit.memory_bytes = 512 * mebibyte;
    limit.processes = 60;
    start_python(script, &limit, ret_child);
}

/* The script makes forty tasks, beside its own. */
static void check_forty(const char *script)
{
    struct sandbox_child child;
    start_many(script, &child);
    bool watched = is_watched(&child);
    bool over = is_over_tasks(&child, 40, watched);
    bool over_more = is_over_tasks(&child, 44, false);
    assert_false(sandbox_is_over_processes(&box.host, &child, box_slot(0), 0));
    assert_true(box_end(&child, box_slot(0)));

    assert_int_equal(over, watched);
    assert_false(over_more);
}

static void test_tasks__processes_count(void **state)
{
    (void)state;
    check_forty("import os, time\n"
                "for i in range(40):\n"
                "    if os.fork() == 0: break\n"
                "time.sleep(60)");
}

static void test_tasks__threads_count(void **state)
{
    (void)state;
    check_forty("import threading, time\n"
                "threading.stack_size(65536)\n"
                "for i in range(40): threading.Thread(target=time.sleep, args=(60,)).start()");
}

static void test_tasks__the_threads_of_an_ended_first_thread_count(void **state)
{
    (void)state;
    check_forty("import ctypes, threading, time\n"
                "threading.stack_size(65536)\n"
                "for i in range(40): threading.Thread(target=time.sleep, args=(60,)).start()\n"
                "ctypes.CDLL(None).syscall(60 if __import__('os').uname().machine == 'x86_64' "
                "else 93, 0)");
}

static void test_tasks__the_ended_that_nobody_waited_for_count(void **state)
{
    (void)state;
    check_forty("import os, time\n"
                "for i in range(40):\n"
                "    if os.fork() == 0: os._exit(0)\n"
                "time.sleep(60)");
}

/* Out of the session, with a parent that is gone and an environment that is empty. */
static void test_tasks__those_that_left_the_tree_count(void **state)
{
    (void)state;
    check_forty("import os, time\n"
                "for i in range(40):\n"
                "    pid = os.fork()\n"
                "    if pid == 0:\n"
                "        os.setsid()\n"
                "        if os.fork() != 0: os._exit(0)\n"
                "        os.execve('/bin/sleep', ['sleep', '60'], {})\n"
                "    os.waitpid(pid, 0)\n"
                "time.sleep(60)");
}

/* Others are not blamed, whatever those that left the tree say about themselves. */
static void test_tasks__a_neighbour_is_not_blamed(void **state)
{
    (void)state;
    static const char script[] =
        "import os, resource, sys, time\n"
        "word, number = os.environ.get('FUNCTIOND_WORKER', '.1').split('.')\n"
        "number = int(number) - 1\n"
        "try: resource.setrlimit(10, (number, number))\n"
        "except (OSError, ValueError): pass\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    for i in range(40):\n"
        "        if os.fork() == 0:\n"
        "            mark = '%s.%d' % (word, number)\n"
        "            os.execve('/bin/sleep', ['sleep', '60'], {'FUNCTIOND_WORKER': mark})\n"
        "    os._exit(0)\n"
        "time.sleep(60)";
    struct sandbox_child neighbour, forger;
    start_many("import time; time.sleep(60)", &neighbour);
    start_many(script, &forger);
    bool watched = is_watched(&forger);
    bool forger_over = is_over_tasks(&forger, 40, watched);
    bool over = is_over_tasks(&neighbour, 8, false);
    assert_true(box_end(&forger, box_slot(0)));
    assert_true(box_end(&neighbour, box_slot(0)));

    assert_int_equal(forger_over, watched);
    assert_false(over);
}

static void test_files__are_bounded(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit();
    struct box_result result = box_shell_limited(
        "trap '' XFSZ; head -c 5000000 /dev/zero >big 2>/dev/null; "
        "stat -c %s big",
        &limit, NETWORK_NONE);

    assert_int_equal(strtol(result.output, NULL, 10), 4 * mebibyte);
}

static void test_tmp__is_bounded(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit();
    if (box.profile != SANDBOX_FULL) {
        box_skip("/tmp is a directory of the host here; the supervisor's walker bounds it");
    }
    struct box_result result = box_shell_limited(
        "for i in 1 2 3 4; do head -c 3000000 /dev/zero >f$i 2>/dev/null || "
        "echo full; done",
        &limit, NETWORK_NONE);

    assert_non_null(strstr(result.output, "full\n"));
}

static void test_core__no_dump_is_written(void **state)
{
    (void)state;
    struct box_result result = box_shell("ulimit -Hc; kill -SEGV $$");

    assert_true(result.end.by_signal);
    assert_true(result.output[0] == '0' || result.output[0] == '1');
}

static void test_apply__limits_a_child_that_runs(void **state)
{
    (void)state;
    struct sandbox_limit limit = small_limit(), generous = small_limit();
    generous.memory_bytes = 512 * mebibyte;
    struct sandbox_child child;
    start_python("import mmap, time\n"
                 "m = mmap.mmap(-1, 100 << 20)\n"
                 "time.sleep(0.3)\n"
                 "for i in range(0, len(m), 4096): m[i] = 1\n"
                 "time.sleep(30)",
                 &generous, &child);
    sandbox_apply_limit(&box.host, &child, box_slot(0), &limit);
    bool over = watch_until_over(&child, box_slot(0), limit.memory_bytes);
    assert_true(box_end(&child, box_slot(0)));

    assert_true(over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__shared_memory_counts),
        cmocka_unit_test(test_memory__the_whole_tree_counts),
        cmocka_unit_test(test_memory__private_memory_ends_or_is_refused),
        cmocka_unit_test(test_memory__an_innocent_child_is_not_blamed),
        cmocka_unit_test(test_memory__is_measured),
        cmocka_unit_test(test_processes__are_bounded),
        cmocka_unit_test(test_tasks__processes_count),
        cmocka_unit_test(test_tasks__threads_count),
        cmocka_unit_test(test_tasks__the_threads_of_an_ended_first_thread_count),
        cmocka_unit_test(test_tasks__the_ended_that_nobody_waited_for_count),
        cmocka_unit_test(test_tasks__those_that_left_the_tree_count),
        cmocka_unit_test(test_tasks__a_neighbour_is_not_blamed),
        cmocka_unit_test(test_files__are_bounded),
        cmocka_unit_test(test_tmp__is_bounded),
        cmocka_unit_test(test_core__no_dump_is_written),
        cmocka_unit_test(test_apply__limits_a_child_that_runs),
    };
    return box_run_all("limits", tests, COUNT(tests));
}
