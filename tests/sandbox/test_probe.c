/* What a host is found to be, who holds which user ids, and what is said about it. */
#include "box.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

static struct sandbox_options options_of(const char *data)
{
    return (struct sandbox_options){ .profile = sandbox_profile_name(box.profile),
                                     .profile_minimum = "none",
                                     .limits_minimum = "watch",
                                     .uid_range = "",
                                     .data_directory = data };
}

static void make_data(char *path, size_t bytes)
{
    char run[200];
    struct error err;
    snprintf(path, bytes, "/tmp/sandbox-test-%d-probe", getpid());
    snprintf(run, sizeof(run), "%s/run", path);
    assert_int_equal(fd_mkdir(AT_FDCWD, path, 0711, &err), 0);
    assert_int_equal(fd_mkdir(AT_FDCWD, run, 0700, &err), 0);
}

static void test_probe__two_daemons_take_different_ids(void **state)
{
    (void)state;
    char data[160];
    struct error err;
    struct sandbox_host other;
    if (box.host.uid_count == 0) {
        box_skip("no slots here");
    }
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);

    assert_int_equal(sandbox_probe(&options, &other, &err), 0);

    assert_true(other.uid_first >= box.host.uid_first + box.host.uid_count ||
                other.uid_first + other.uid_count <= box.host.uid_first);
    sandbox_release(&other);
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_probe__keeps_its_ids_over_a_restart(void **state)
{
    (void)state;
    char data[160];
    struct error err;
    struct sandbox_host first, second;
    if (box.host.uid_count == 0) {
        box_skip("no slots here");
    }
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);
    bool kept = false;
    /* In between, another daemon on this host may take the block that was left: then once more. */
    for (int turn = 0; turn < 10 && !kept; turn++) {
        assert_int_equal(sandbox_probe(&options, &first, &err), 0);
        uint32_t before = first.uid_first;
        sandbox_release(&first);

        assert_int_equal(sandbox_probe(&options, &second, &err), 0);

        kept = second.uid_first == before;
        sandbox_release(&second);
    }
    assert_true(kept);
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_probe__refuses_ids_that_belong_to_others(void **state)
{
    (void)state;
    static const char *const ranges[] = { "0-100", "1-100",  "61000-62000",          "50-40",
                                          "x",     "65000-", "4294967290-4294967295" };
    char data[160];
    struct error err;
    struct sandbox_host host;
    make_data(data, sizeof(data));
    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct sandbox_options options = options_of(data);
        options.uid_range = ranges[i];
        assert_int_equal(sandbox_probe(&options, &host, &err), -1);
        assert_non_null(strstr(err.message, "uid_range"));
    }
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_probe__says_what_is_missing_below_the_minimum(void **state)
{
    (void)state;
    char data[160];
    struct error err;
    struct sandbox_host host;
    if (box.profile == SANDBOX_FULL) {
        box_skip("nothing is stronger");
    }
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);
    options.profile_minimum = "full";
    assert_int_equal(sandbox_probe(&options, &host, &err), -1);
    assert_non_null(strstr(err.message, "full is required"));
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_probe__says_when_limits_are_too_weak(void **state)
{
    (void)state;
    char data[160];
    struct error err;
    struct sandbox_host host;
    if (box.host.limits != LIMITS_WATCH) {
        box_skip("cgroups are available");
    }
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);
    options.limits_minimum = "cgroup";
    assert_int_equal(sandbox_probe(&options, &host, &err), -1);
    assert_non_null(strstr(err.message, "cgroup is required"));
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_probe__refuses_an_unknown_profile(void **state)
{
    (void)state;
    char data[160];
    struct error err;
    struct sandbox_host host;
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);
    options.profile = "fortress";
    assert_int_equal(sandbox_probe(&options, &host, &err), -1);
    assert_non_null(strstr(err.message, "fortress"));
    fd_remove_tree(AT_FDCWD, data, &err);
}

static void test_report__is_one_line_and_valid_json(void **state)
{
    (void)state;
    auto_buffer struct buffer line = { 0 }, json = { 0 };
    buffer_init(&line, 4096);
    buffer_init(&json, 16384);

    sandbox_report_line(&box.host, &line);
    sandbox_report_json(&box.host, &json);

    assert_null(strchr(line.data, '\n'));
    assert_memory_equal(line.data, "sandbox ", 8);
    assert_non_null(strstr(line.data, "limits "));
    assert_non_null(strstr(json.data, "\"layers\":["));
    assert_int_equal(json.data[json.size - 1], '}');
}

static void test_protect__a_changed_api_is_accepted(void **state)
{
    (void)state;
    sandbox_protect(&box.host, getpid());
    sandbox_protect(&box.host, getppid());
    struct box_result result = box_shell("exit 3");
    assert_int_equal(result.end.status, 3);
}

struct victim {
    pid_t pid;
};

static int signal_victim(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct victim *victim = context;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool worked = kill(victim->pid, 0) == 0 || kill(-1, 0) == 0 ||
                  fcntl(fd, F_SETOWN, victim->pid) == 0 || fcntl(fd, F_SETOWN, -victim->pid) == 0;
    snprintf(ret_detail, detail_bytes, "a signal to the daemon");
    errno = 0;
    return worked ? -1 : 0;
}

/* As on a kernel without scopes: the filter alone must keep the daemon safe. */
static void test_protect__the_filter_alone_refuses_signals_to_the_daemon(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct victim victim = { .pid = getpid() };
    if (box.profile != SANDBOX_BASIC || box.host.uid_count != 0) {
        box_skip("only where children share the daemon's user");
    }
    int abi = box.host.landlock_abi;
    box.host.landlock_abi = 2;
    box.host.inner->refuse_signals = true;
    sandbox_protect(&box.host, getppid());

    int result = box_inside(signal_victim, &victim, NETWORK_NONE, 0, &err);

    box.host.landlock_abi = abi;
    if (result != 0) {
        fail_msg("%s", err.message);
    }
}

/* Older kernels know less; what is left must still apply. */
static void test_landlock__every_older_interface_applies(void **state)
{
    (void)state;
    int abi = box.host.landlock_abi;
    for (int older = 1; older <= abi; older++) {
        box.host.landlock_abi = older;
        struct box_result result = box_shell("cat /etc/shadow 2>/dev/null; exit 5");
        assert_int_equal(result.end.status, 5);
        assert_string_equal(result.output, "");
    }
    box.host.landlock_abi = abi;
}

struct doors {
    struct sockaddr_in api, other;
};

static int knock(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct doors *doors = context;
    const struct sockaddr *api = (const struct sockaddr *)&doors->api;
    const struct sockaddr *other = (const struct sockaddr *)&doors->other;
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool api_open = connect(first, api, sizeof(doors->api)) == 0;
    bool other_open = connect(second, other, sizeof(doors->other)) == 0;
    snprintf(ret_detail, detail_bytes, "api %d, other %d", api_open, other_open);
    errno = 0;
    return api_open && !other_open ? 0 : -1;
}

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
    socklen_t bytes = sizeof(*ret_address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, bytes), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &bytes), 0);
    return fd;
}

static bool has_layer(const struct sandbox_host *host, const char *name)
{
    for (size_t i = 0; i < host->layer_count; i++) {
        if (strcmp(host->layers[i].name, name) == 0) {
            return host->layers[i].on;
        }
    }
    return false;
}

/* As a daemon does that is killed: the next one takes its ids, and must not be shut in by it. */
static void leave_a_table_behind(const char *uid_range)
{
    char data[160];
    struct error err;
    make_data(data, sizeof(data));
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_host host;
        struct sandbox_options options = options_of(data);
        options.api_port = 1;
        options.uid_range = uid_range;
        _exit(sandbox_probe(&options, &host, &err) == 0 ? 0
              : strstr(err.message, "not mapped")       ? 2
                                                        : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    fd_remove_tree(AT_FDCWD, data, &err);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
        box_skip("only the usual user ids are mapped here");
    }
    assert_int_equal(status, 0);
}

/* Both listeners must be reached, although a table that shuts one of them was left behind. */
static int knock_at_both(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct doors *doors = context;
    const struct sockaddr_in *all[] = { &doors->api, &doors->other };
    for (size_t i = 0; i < COUNT(all); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)all[i], sizeof(*all[i])) != 0) {
            snprintf(ret_detail, detail_bytes, "a listener is shut");
            return -1;
        }
        close(fd);
    }
    return 0;
}

/* What a child of a new daemon sees that finds a table left behind: knocks() says what must be so.
 * The ranges are the setting of the one that left it, and of the new one. */
static void after_a_table_was_left_behind(const char *left_range, const char *range,
                                          bool egress_private, sandbox_trial *knocks)
{
    char data[160];
    struct doors doors;
    struct error err = { 0 };
    struct sandbox_host host;
    if (!has_layer(&box.host, "egress filter")) {
        box_skip("the egress filter is not available");
    }
    leave_a_table_behind(left_range);
    make_data(data, sizeof(data));
    auto_fd int api = listen_on_loopback(&doors.api);
    auto_fd int other = listen_on_loopback(&doors.other);
    struct sandbox_options options = options_of(data);
    options.api_port = ntohs(doors.api.sin_port);
    options.egress_private = egress_private;
    options.uid_range = range;
    assert_true(api >= 0 && other >= 0);
    assert_int_equal(sandbox_probe(&options, &host, &err), 0);

    int result = probe_trial(&host, NETWORK_OUTBOUND, knocks, &doors, &err);

    sandbox_release(&host);
    fd_remove_tree(AT_FDCWD, data, &err);
    assert_string_equal(result == 0 ? "" : err.message, "");
}

static void test_egress__only_the_api_is_reached_on_loopback(void **state)
{
    (void)state;
    after_a_table_was_left_behind("", "", false, knock);
}

/* A few ids further on, and so many that the lock is another one; ids that no daemon has. */
static void test_egress__a_table_left_behind_by_other_ids_shuts_nobody_in(void **state)
{
    (void)state;
    const unsigned first = 1024 * (1000 + (unsigned)getpid() % 1000 * 4);
    char left[64], near[64], far[64];
    snprintf(left, sizeof(left), "%u-%u", first, first + 2000);
    snprintf(near, sizeof(near), "%u-%u", first + 40, first + 60);
    snprintf(far, sizeof(far), "%u-%u", first + 1500, first + 2500);
    after_a_table_was_left_behind(left, near, false, knock);
    after_a_table_was_left_behind(left, far, false, knock);
    after_a_table_was_left_behind(left, far, true, knock_at_both);
}

static bool has_table(uint32_t first)
{
    char command[128];
    snprintf(command, sizeof(command), "nft list table inet functiond_%u >/dev/null 2>&1", first);
    return system(command) == 0;
}

static void test_egress__the_table_of_a_living_daemon_stays(void **state)
{
    (void)state;
    char data[160], range[64];
    struct error err = { 0 };
    struct sandbox_host host;
    if (!has_layer(&box.host, "egress filter")) {
        box_skip("the egress filter is not available");
    }
    uint32_t last = box.host.uid_first + box.host.uid_count - 1;
    snprintf(range, sizeof(range), "%u-%u", last - 2, last);
    make_data(data, sizeof(data));
    struct sandbox_options options = options_of(data);
    options.uid_range = range;
    assert_true(has_table(box.host.uid_first));

    int status = sandbox_probe(&options, &host, &err);
    if (status != 0 && strstr(err.message, "another daemon uses it") != NULL) {
        fd_remove_tree(AT_FDCWD, data, &err);
        box_skip("a test beside this one uses those ids");
    }
    if (status != 0) {
        fail_msg("%s", err.message);
    }
    sandbox_release(&host);

    fd_remove_tree(AT_FDCWD, data, &err);
    assert_true(has_table(box.host.uid_first));
}

static void test_egress__a_table_left_behind_is_gone_without_the_filter_too(void **state)
{
    (void)state;
    after_a_table_was_left_behind("", "", true, knock_at_both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe__two_daemons_take_different_ids),
        cmocka_unit_test(test_probe__keeps_its_ids_over_a_restart),
        cmocka_unit_test(test_probe__refuses_ids_that_belong_to_others),
        cmocka_unit_test(test_probe__says_what_is_missing_below_the_minimum),
        cmocka_unit_test(test_probe__says_when_limits_are_too_weak),
        cmocka_unit_test(test_probe__refuses_an_unknown_profile),
        cmocka_unit_test(test_report__is_one_line_and_valid_json),
        cmocka_unit_test(test_protect__a_changed_api_is_accepted),
        cmocka_unit_test(test_protect__the_filter_alone_refuses_signals_to_the_daemon),
        cmocka_unit_test(test_landlock__every_older_interface_applies),
        cmocka_unit_test(test_egress__only_the_api_is_reached_on_loopback),
        cmocka_unit_test(test_egress__a_table_left_behind_by_other_ids_shuts_nobody_in),
        cmocka_unit_test(test_egress__the_table_of_a_living_daemon_stays),
        cmocka_unit_test(test_egress__a_table_left_behind_is_gone_without_the_filter_too),
    };
    return box_run_all("probe", tests, COUNT(tests));
}
