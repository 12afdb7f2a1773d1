/* What a child is given: program, environment, descriptors, directory, identity; and how its end is
 * told. */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

static void test_start__tells_the_exit_status(void **state)
{
    (void)state;
    struct box_result result = box_shell("exit 7");

    assert_false(result.end.by_signal);
    assert_int_equal(result.end.status, 7);
}

static void test_start__tells_the_signal(void **state)
{
    (void)state;
    struct box_result result = box_shell("kill -ABRT $$");

    assert_true(result.end.by_signal);
    assert_int_equal(result.end.status, SIGABRT);
}

static void test_start__counts_cpu_time(void **state)
{
    (void)state;
    struct box_result result = box_shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");

    assert_true(result.end.cpu_us > 1000);
}

static void test_start__passes_output_and_the_environment_alone(void **state)
{
    (void)state;
    struct box_result result = box_shell(
        "/usr/bin/env | grep -v -e ^PWD= -e ^FUNCTIOND_WORKER= -e ^_= -e ^OLDPWD= | sort");

    assert_string_equal(result.output, "LANG=C.UTF-8\nPATH=/usr/bin:/bin\n");
}

static void test_start__gives_the_channel_as_descriptor_three(void **state)
{
    (void)state;
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t) "echo hello >&3", NULL };
    struct sandbox_plan plan = box_plan();
    struct error err;
    int pair[2];
    char text[16] = "";
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair, &err), 0);
    plan.argv = argv;
    plan.channel_fd = pair[1];

    struct box_result result = box_run(&plan);

    assert_int_equal(result.end.status, 0);
    assert_int_equal(recv(pair[0], text, sizeof(text), MSG_DONTWAIT), 6);
    assert_string_equal(text, "hello\n");
    close(pair[0]);
    close(pair[1]);
}

static void test_start__leaks_no_descriptor(void **state)
{
    (void)state;
    int kept = open("/dev/null", O_RDWR); /* as a careless library would, without close-on-exec */
    struct box_result result = box_python("import os\n"
                                          "seen = []\n"
                                          "for fd in range(1024):\n"
                                          "    try: os.fstat(fd); seen.append(fd)\n"
                                          "    except OSError: pass\n"
                                          "print(seen)");
    close(kept);

    assert_string_equal(result.output, "[0, 1, 2]\n");
}

static void test_start__names_the_step_that_failed(void **state)
{
    (void)state;
    char *argv[] = { (char *)(uintptr_t) "/usr/bin/no-such-program", NULL };
    struct sandbox_plan plan = box_plan();
    struct sandbox_child child;
    struct error err;
    plan.argv = argv;

    assert_int_equal(sandbox_start(&box.host, &plan, &child, &err), -1);

    assert_string_equal(err.message,
                        "sandbox: program: /usr/bin/no-such-program: No such file or directory");
}

static void test_start__refuses_a_uid_that_is_no_slot(void **state)
{
    (void)state;
    char *argv[] = { (char *)(uintptr_t) "/bin/true", NULL };
    struct sandbox_plan plan = box_plan();
    struct sandbox_child child;
    struct error err;
    if (box.host.uid_count == 0) {
        box_skip("no slots here");
    }
    plan.argv = argv;
    plan.slot_uid = 0;
    assert_int_equal(sandbox_start(&box.host, &plan, &child, &err), -1);
    plan.slot_uid = box.host.uid_first + box.host.uid_count;
    assert_int_equal(sandbox_start(&box.host, &plan, &child, &err), -1);
}

static void test_start__runs_a_program_given_as_descriptor(void **state)
{
    (void)state;
    char *argv[] = { (char *)(uintptr_t) "hidden", NULL };
    struct sandbox_plan plan = box_plan();
    auto_fd int program = open("/usr/bin/id", O_RDONLY | O_CLOEXEC);
    plan.argv = argv;
    plan.program_fd = program;

    struct box_result result = box_run(&plan);

    assert_int_equal(result.end.status, 0);
    assert_non_null(strstr(result.output, "uid="));
}

static void test_start__takes_the_slots_identity(void **state)
{
    (void)state;
    char expected[64];
    uint32_t uid = box_slot(0) != 0 ? box_slot(0) : geteuid();
    snprintf(expected, sizeof(expected), "%u %u\n", uid, uid);

    struct box_result result = box_shell("echo $(id -u) $(id -G | cut -d' ' -f1)");

    assert_string_equal(result.output, expected);
}

static void test_start__runs_with_default_signals_unblocked(void **state)
{
    (void)state;
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    struct box_result result = box_python(
        "import os, signal\n"
        "print(signal.getsignal(15) == signal.SIG_DFL, signal.pthread_sigmask(0, []))");
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);

    assert_string_equal(result.output, "True set()\n");
}

static void test_start__a_bound_path_is_seen_and_read_only(void **state)
{
    (void)state;
    char directory[200], file[220], script[600];
    snprintf(directory, sizeof(directory), "/tmp/sandbox-test-%d-tree", getpid());
    snprintf(file, sizeof(file), "%s/code", directory);
    struct error err;
    assert_int_equal(fd_mkdir(AT_FDCWD, directory, 0777, &err), 0);
    assert_int_equal(fd_write_file(AT_FDCWD, file, "hi\n", 3, 0666, &err), 0);
    const char *inside = box.profile == SANDBOX_FULL ? "/code" : directory;
    snprintf(script, sizeof(script), "cat %s/code; echo x 2>/dev/null >%s/code || echo refused",
             inside, inside);
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", script, NULL };
    struct sandbox_path path = { .source = directory, .target = "/code" };
    struct sandbox_plan plan = box_plan();
    plan.argv = argv;
    plan.paths = &path;
    plan.path_count = 1;

    struct box_result result = box_run(&plan);

    assert_non_null(strstr(result.output, "hi\n"));
    assert_non_null(strstr(result.output, "refused"));
    assert_int_equal(fd_remove_tree(AT_FDCWD, directory, &err), 0);
}

static void test_start__its_tmp_can_be_written(void **state)
{
    (void)state;
    struct box_result result = box_shell(
        "mkdir a b && echo x >a/f && mv a/f b/f && cat b/f && rm -r a b");

    assert_string_equal(result.output, "x\n");
}

static void test_start__node_works(void **state)
{
    (void)state;
    char *argv[] = {
        (char *)(uintptr_t) "/usr/bin/node", (char *)(uintptr_t) "-e",
        (char *)(uintptr_t) "const {Worker}=require('worker_threads');"
                            "new Worker('0',{eval:true});"
                            "fetch;require('fs').writeFileSync('x','y');"
                            "console.log(require('child_process').execSync('echo ok').toString())",
        NULL
    };
    struct sandbox_plan plan = box_plan();
    if (access(argv[0], X_OK) != 0) {
        box_skip("node is not installed");
    }
    plan.argv = argv;

    struct box_result result = box_run(&plan);

    assert_string_equal(result.output, "ok\n\n");
    assert_int_equal(result.end.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start__tells_the_exit_status),
        cmocka_unit_test(test_start__tells_the_signal),
        cmocka_unit_test(test_start__counts_cpu_time),
        cmocka_unit_test(test_start__passes_output_and_the_environment_alone),
        cmocka_unit_test(test_start__gives_the_channel_as_descriptor_three),
        cmocka_unit_test(test_start__leaks_no_descriptor),
        cmocka_unit_test(test_start__names_the_step_that_failed),
        cmocka_unit_test(test_start__refuses_a_uid_that_is_no_slot),
        cmocka_unit_test(test_start__runs_a_program_given_as_descriptor),
        cmocka_unit_test(test_start__takes_the_slots_identity),
        cmocka_unit_test(test_start__runs_with_default_signals_unblocked),
        cmocka_unit_test(test_start__a_bound_path_is_seen_and_read_only),
        cmocka_unit_test(test_start__its_tmp_can_be_written),
        cmocka_unit_test(test_start__node_works),
    };
    return box_run_all("start", tests, sizeof(tests) / sizeof(tests[0]));
}
