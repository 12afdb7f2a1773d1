/* Code that reaches a child after its start, and rights on a tree that come and go. */
#include "box.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

struct spare {
    struct sandbox_child child;
    int talk;
    char parent[200]; /* of the trees */
    char tree[220];
    char other[220];
};

static void make_tree(const char *path, const char *text)
{
    struct error err;
    char file[260];
    snprintf(file, sizeof(file), "%s/code", path);
    assert_int_equal(fd_mkdir(AT_FDCWD, path, 0700, &err), 0);
    assert_int_equal(fd_write_file(AT_FDCWD, file, text, strlen(text), 0644, &err), 0);
    assert_int_equal(chmod(path, box.profile == SANDBOX_FULL ? 0755 : 0700), 0);
}

/* A spare reads a path from its channel and answers with the first line of the file, or "no". */
static void start_spare(struct spare *spare)
{
    static char script[] =
        "while read path <&3; do line=no; read line <$path || line=no; echo $line >&3; done";
    char *argv[] = { (char *)(uintptr_t) "/bin/bash", (char *)(uintptr_t) "-c", script, NULL };
    struct error err;
    int pair[2];
    if (!box.host.late_code) {
        box_skip("late code is not available in this profile");
    }
    snprintf(spare->parent, sizeof(spare->parent), "%s/builds", box.data);
    snprintf(spare->tree, sizeof(spare->tree), "%s/one", spare->parent);
    snprintf(spare->other, sizeof(spare->other), "%s/two", spare->parent);
    assert_int_equal(fd_mkdir(AT_FDCWD, spare->parent, 0711, &err), 0);
    make_tree(spare->tree, "first\n");
    make_tree(spare->other, "second\n");
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair, &err), 0);
    struct sandbox_path path = { .source = spare->parent, .target = "/code", .late = true };
    struct sandbox_plan plan = box_plan();
    plan.kind = SANDBOX_SPARE;
    plan.argv = argv;
    plan.paths = &path;
    plan.path_count = 1;
    plan.channel_fd = pair[1];
    if (sandbox_start(&box.host, &plan, &spare->child, &err) != 0) {
        fail_msg("%s", err.message);
    }
    close(pair[1]);
    spare->talk = pair[0];
}

static const char *ask(const struct spare *spare, const char *tree)
{
    static char answer[64];
    char question[300];
    int bytes = box.profile == SANDBOX_FULL
                    ? snprintf(question, sizeof(question), "/code/%s/code\n",
                               strrchr(tree, '/') + 1)
                    : snprintf(question, sizeof(question), "%s/code\n", tree);
    assert_int_equal(send(spare->talk, question, (size_t)bytes, 0), bytes);
    struct pollfd readable = { .fd = spare->talk, .events = POLLIN };
    assert_int_equal(poll(&readable, 1, 10000), 1);
    ssize_t got = recv(spare->talk, answer, sizeof(answer) - 1, 0);
    answer[got > 0 ? got - 1 : 0] = '\0';
    return answer;
}

static void end_spare(struct spare *spare)
{
    struct error err;
    assert_true(box_end(&spare->child, box_slot(0)));
    close(spare->talk);
    assert_int_equal(fd_remove_tree(AT_FDCWD, spare->parent, &err), 0);
}

static void test_late__code_appears_in_a_running_child(void **state)
{
    (void)state;
    struct spare spare;
    struct error err;
    start_spare(&spare);
    uint64_t id = spare.child.worker_id;
    assert_string_equal(ask(&spare, spare.tree), "no");

    assert_int_equal(sandbox_code_grant(&box.host, id, box_slot(0), spare.tree, "one", &err), 0);
    assert_string_equal(ask(&spare, spare.tree), "first");
    assert_string_equal(ask(&spare, spare.other), "no");

    sandbox_code_withdraw(&box.host, id, box_slot(0), spare.tree, "one");
    assert_string_equal(ask(&spare, spare.tree), "no");
    end_spare(&spare);
}

static void test_late__burial_unmounts_what_was_not_withdrawn(void **state)
{
    (void)state;
    struct spare spare;
    struct error err;
    start_spare(&spare);
    char slot[700];
    snprintf(slot, sizeof(slot), "%s/%llu", box.host.inner->slots_directory,
             (unsigned long long)spare.child.worker_id);
    assert_int_equal(
        sandbox_code_grant(&box.host, spare.child.worker_id, box_slot(0), spare.tree, "one", &err),
        0);

    end_spare(&spare);

    if (box.profile == SANDBOX_FULL) {
        assert_int_equal(access(slot, F_OK), -1);
    }
}

static void test_late__refuses_a_name_with_a_slash(void **state)
{
    (void)state;
    struct error err;
    if (box.profile != SANDBOX_FULL || !box.host.late_code) {
        box_skip("nothing is mounted in this profile");
    }
    assert_int_equal(sandbox_code_grant(&box.host, 1, box_slot(0), box.data, "../x", &err), -1);
    assert_int_equal(sandbox_code_grant(&box.host, 1, box_slot(0), box.data, "..", &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late__code_appears_in_a_running_child),
        cmocka_unit_test(test_late__burial_unmounts_what_was_not_withdrawn),
        cmocka_unit_test(test_late__refuses_a_name_with_a_slash),
    };
    return box_run_all("late", tests, COUNT(tests));
}
