/*
 * The whole supervisor against a fake api (fake_api.c), in processes of its own, with real
 * sandboxes. Links the supervisor, the sandbox and util alone: that it links is the proof that the
 * supervisor has no database, no HTTP and no JSON in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_api.h"
#include "fd.h"
#include "mem.h"
#include "supervisor.h"
#include "text.h"

enum { TIMEOUT_SECONDS = 60, ORDINARY_USER = 47001 };

struct daemon {
    char *data;
    const char *sandbox; /* NULL: auto */
    bool ordinary;       /* as an account that is not root */
    pid_t pid;
    int log; /* what it writes to stderr */
    char text[65536];
};

static void given_directory(struct daemon *daemon)
{
    char template[] = "/tmp/functiond-test-XXXXXX";

    *daemon = (struct daemon){ .log = -1 };
    assert_non_null(mkdtemp(template));
    assert_int_equal(chmod(template, 0755), 0);
    daemon->data = xasprintf("%s/data", template);
}

/* In the child: becomes the daemon. */
static void be_daemon(const struct daemon *daemon, char *scenario, int log)
{
    static char program[] = "functiond", role[] = "api";
    char *api_argv[] = { program, role, scenario, daemon->data, NULL };
    auto_free char *data = xasprintf("--data=%s", daemon->data);
    auto_free char *sandbox = xasprintf("--sandbox=%s",
                                        daemon->sandbox != NULL ? daemon->sandbox : "auto");
    char *argv[] = { data, sandbox, (char[]){ "--listen=127.0.0.1:0" }, (char[]){ "--user=daemon" },
                     (char[]){ "--log-level=debug" } };
    struct settings settings;
    struct error err;
    int status;

    alarm(TIMEOUT_SECONDS);
    dup2(log, 2);
    if (daemon->ordinary && geteuid() == 0 &&
        (setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0 ||
         setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) < 0))
        _exit(98);
    prctl(PR_SET_DUMPABLE, 1); /* as a program that this user started is */
    if (settings_load(&settings, COUNT(argv), argv, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        _exit(99);
    }
    status = supervisor_serve(&settings, api_argv);
    settings_release(&settings);
    _exit(status);
}

static void when_started(struct daemon *daemon, const char *scenario)
{
    auto_free char *name = xstrdup(scenario);
    struct error err;
    int ends[2];

    assert_int_equal(fd_pipe(&ends[0], &ends[1], &err), 0);
    daemon->pid = fork();
    assert_true(daemon->pid >= 0);
    if (daemon->pid == 0)
        be_daemon(daemon, name, ends[1]);
    fd_close(&ends[1]);
    daemon->log = ends[0];
}

static int exit_status(struct daemon *daemon)
{
    ssize_t got = fd_read_all(daemon->log, daemon->text, sizeof(daemon->text) - 1);
    int status;

    daemon->text[got > 0 ? got : 0] = '\0';
    assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
    fd_close(&daemon->log);
    if (getenv("VERBOSE") != NULL)
        fputs(daemon->text, stderr);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void then_it_exits(struct daemon *daemon, int status)
{
    int seen = exit_status(daemon);

    if (seen != status)
        fputs(daemon->text, stderr);
    assert_int_equal(seen, status);
}

static void directory_remove(struct daemon *daemon)
{
    struct error err;

    *strrchr(daemon->data, '/') = '\0';
    fd_remove_tree(AT_FDCWD, daemon->data, &err);
    free(daemon->data);
}

static bool has_ended(const struct daemon *daemon)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t)daemon->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
           info.si_pid != 0;
}

static void wait_for(const struct daemon *daemon, const char *name)
{
    auto_free char *path = xasprintf("%s/run/%s", daemon->data, name);

    while (access(path, F_OK) < 0 && !has_ended(daemon))
        poll(NULL, 0, 10);
    assert_int_equal(access(path, F_OK), 0);
}

static size_t count_text(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void in_profile(const char *sandbox, const char *scenario)
{
    char chosen[32];
    struct daemon daemon;
    int status;

    snprintf(chosen, sizeof(chosen), "sandbox %s;", sandbox);
    given_directory(&daemon);
    daemon.sandbox = sandbox;
    when_started(&daemon, scenario);
    status = exit_status(&daemon);
    directory_remove(&daemon);
    if (strstr(daemon.text, chosen) == NULL ||
        (text_equals(scenario, "spare") && strstr(daemon.text, "late code") != NULL)) {
        print_message("skipped: no %s in %s: %s", scenario, sandbox, daemon.text);
        skip();
    }
    if (status != 0)
        fputs(daemon.text, stderr);
    assert_int_equal(status, 0);
}

#define IN_PROFILE(sentence, sandbox, scenario)                     \
    static void test_serve__##sentence##_in_##sandbox(void **state) \
    {                                                               \
        (void)state;                                                \
        in_profile(#sandbox, #scenario);                            \
    }

IN_PROFILE(builds_seals_runs_kills_and_removes, full, workers)
IN_PROFILE(builds_seals_runs_kills_and_removes, container, workers)
IN_PROFILE(builds_seals_runs_kills_and_removes, basic, workers)
IN_PROFILE(a_spare_sees_the_tree_it_is_given_and_no_other, full, spare)
IN_PROFILE(a_spare_sees_the_tree_it_is_given_and_no_other, container, spare)
IN_PROFILE(too_much_memory_is_named_as_the_reason, full, limits)
IN_PROFILE(too_much_memory_is_named_as_the_reason, container, limits)
IN_PROFILE(too_much_memory_is_named_as_the_reason, basic, limits)
IN_PROFILE(a_full_temporary_directory_is_named_as_the_reason, container, disk)
IN_PROFILE(a_full_temporary_directory_is_named_as_the_reason, basic, disk)

/* With user ids of their own the kernel holds it. */
static void test_serve__too_many_processes_are_named_as_the_reason(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    daemon.sandbox = "basic";
    daemon.ordinary = true;
    *strrchr(daemon.data, '/') = '\0';
    assert_int_equal(geteuid() == 0 ? chown(daemon.data, ORDINARY_USER, ORDINARY_USER) : 0, 0);
    daemon.data[strlen(daemon.data)] = '/';
    when_started(&daemon, "processes");
    then_it_exits(&daemon, 0);
    directory_remove(&daemon);
}

static void test_serve__a_dead_api_takes_its_workers_along_and_is_started_again(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "restart");
    then_it_exits(&daemon, 0);
    assert_int_equal(count_text(daemon.text, "started again"), 1);
    directory_remove(&daemon);
}

static void test_serve__an_api_that_breaks_the_protocol_is_ended(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "malformed");
    then_it_exits(&daemon, 0);
    assert_int_equal(count_text(daemon.text, "unknown type 4711"), 1);
    directory_remove(&daemon);
}

static void test_serve__an_api_that_cannot_serve_ends_everything(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "cannot serve");
    then_it_exits(&daemon, 1);
    directory_remove(&daemon);
}

static void test_serve__term_lets_the_api_finish(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "stop");
    wait_for(&daemon, "ready");
    kill(daemon.pid, SIGTERM);
    then_it_exits(&daemon, 0);
    directory_remove(&daemon);
}

static void test_serve__a_second_term_waits_for_nobody(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "stop now");
    wait_for(&daemon, "ready");
    kill(daemon.pid, SIGTERM);
    wait_for(&daemon, "stopping");
    kill(daemon.pid, SIGTERM);
    then_it_exits(&daemon, 0);
    directory_remove(&daemon);
}

static void test_serve__the_api_has_no_privilege_and_three_descriptors(void **state)
{
    struct daemon daemon;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "unprivileged");
    then_it_exits(&daemon, 0);
    directory_remove(&daemon);
}

static void test_serve__a_second_daemon_is_told_that_the_directory_is_taken(void **state)
{
    struct daemon daemon, second;

    (void)state;
    given_directory(&daemon);
    when_started(&daemon, "stop");
    wait_for(&daemon, "ready");
    second = (struct daemon){ .data = daemon.data, .log = -1 };
    when_started(&second, "stop");
    then_it_exits(&second, 1);
    assert_non_null(strstr(second.text, "in use by another functiond"));
    kill(daemon.pid, SIGTERM);
    then_it_exits(&daemon, 0);
    directory_remove(&daemon);
}

static void test_serve__a_directory_full_of_other_things_is_left_alone(void **state)
{
    struct daemon daemon;
    struct stat info;
    struct error err;

    (void)state;
    given_directory(&daemon);
    assert_int_equal(mkdir(daemon.data, 0755), 0);
    auto_free char *path = xasprintf("%s/letter", daemon.data);
    assert_int_equal(fd_write_file(AT_FDCWD, path, "x", 1, 0644, &err), 0);

    when_started(&daemon, "stop");

    then_it_exits(&daemon, 1);
    assert_non_null(strstr(daemon.text, "is not empty"));
    assert_int_equal(stat(daemon.data, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
    directory_remove(&daemon);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serve__builds_seals_runs_kills_and_removes_in_full),
        cmocka_unit_test(test_serve__builds_seals_runs_kills_and_removes_in_container),
        cmocka_unit_test(test_serve__builds_seals_runs_kills_and_removes_in_basic),
        cmocka_unit_test(test_serve__a_spare_sees_the_tree_it_is_given_and_no_other_in_full),
        cmocka_unit_test(test_serve__a_spare_sees_the_tree_it_is_given_and_no_other_in_container),
        cmocka_unit_test(test_serve__too_much_memory_is_named_as_the_reason_in_full),
        cmocka_unit_test(test_serve__too_much_memory_is_named_as_the_reason_in_container),
        cmocka_unit_test(test_serve__too_much_memory_is_named_as_the_reason_in_basic),
        cmocka_unit_test(
            test_serve__a_full_temporary_directory_is_named_as_the_reason_in_container),
        cmocka_unit_test(test_serve__a_full_temporary_directory_is_named_as_the_reason_in_basic),
        cmocka_unit_test(test_serve__too_many_processes_are_named_as_the_reason),
        cmocka_unit_test(test_serve__a_dead_api_takes_its_workers_along_and_is_started_again),
        cmocka_unit_test(test_serve__an_api_that_breaks_the_protocol_is_ended),
        cmocka_unit_test(test_serve__an_api_that_cannot_serve_ends_everything),
        cmocka_unit_test(test_serve__term_lets_the_api_finish),
        cmocka_unit_test(test_serve__a_second_term_waits_for_nobody),
        cmocka_unit_test(test_serve__the_api_has_no_privilege_and_three_descriptors),
        cmocka_unit_test(test_serve__a_second_daemon_is_told_that_the_directory_is_taken),
        cmocka_unit_test(test_serve__a_directory_full_of_other_things_is_left_alone),
    };
    int status = fake_api_main(argc, argv);

    if (status >= 0)
        return status;
    if (geteuid() == 0 && getpwnam("daemon") == NULL) {
        printf("skipped: root, and no account \"daemon\" for the api to run as\n");
        return 77;
    }
    return cmocka_run_group_tests_name("supervisor/serve", tests, NULL, NULL);
}
