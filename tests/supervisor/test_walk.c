/* Work on whole trees made by somebody hostile. */
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "walk.h"

struct place {
    char path[64];
    int fd;
};

static int given_place(void **state)
{
    struct place *place = xcalloc(1, sizeof(*place));

    snprintf(place->path, sizeof(place->path), "/tmp/functiond-walk-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->fd >= 0);
    *state = place;
    return 0;
}

static int place_gone(void **state)
{
    struct place *place = *state;
    struct error err;

    assert_int_equal(walk_remove(AT_FDCWD, place->path, &err), 0);
    assert_int_equal(access(place->path, F_OK), -1);
    fd_close(&place->fd);
    free(place);
    return 0;
}

static void make_file(int dir, const char *name, mode_t mode)
{
    struct error err;

    assert_int_equal(fd_write_file(dir, name, "content\n", 8, mode, &err), 0);
    assert_int_equal(fchmodat(dir, name, mode, 0), 0);
}

static void make_deep(int top, int depth)
{
    auto_fd int at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < depth; i++) {
        int next;

        assert_int_equal(mkdirat(at, "d", 0755), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(&at);
        at = next;
    }
}

static mode_t mode_of(int dir, const char *name)
{
    struct stat status;

    assert_int_equal(fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode & 07777;
}

static void test_walk__removes_a_tree_of_any_depth(void **state)
{
    const struct place *place = *state;
    struct error err;

    assert_int_equal(mkdirat(place->fd, "tree", 0755), 0);
    auto_fd int tree = openat(place->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_deep(tree, 3000);

    assert_int_equal(walk_remove(place->fd, "tree", &err), 0);

    assert_int_equal(faccessat(place->fd, "tree", F_OK, 0), -1);
}

static void test_walk__removes_closed_directories_and_follows_no_link(void **state)
{
    const struct place *place = *state;
    struct error err;

    make_file(place->fd, "outside", 0644);
    assert_int_equal(mkdirat(place->fd, "tree", 0755), 0);
    assert_int_equal(mkdirat(place->fd, "tree/closed", 0755), 0);
    make_file(place->fd, "tree/closed/file", 0000);
    assert_int_equal(symlinkat("..", place->fd, "tree/closed/link"), 0);
    assert_int_equal(symlinkat("../outside", place->fd, "tree/link"), 0);
    assert_int_equal(fchmodat(place->fd, "tree/closed", 0000, 0), 0);

    assert_int_equal(walk_remove(place->fd, "tree", &err), 0);

    assert_int_equal(faccessat(place->fd, "tree", F_OK, 0), -1);
    assert_int_equal(faccessat(place->fd, "outside", F_OK, 0), 0);
    assert_int_equal(walk_remove(place->fd, "never", &err), 0);
}

static void test_walk__a_sealed_tree_can_be_read_by_all_and_written_by_none(void **state)
{
    static const struct walk_owner same = { .change = false };
    const struct place *place = *state;
    struct error err;

    make_file(place->fd, "outside", 0600);
    assert_int_equal(mkdirat(place->fd, "tree", 0777), 0);
    assert_int_equal(mkdirat(place->fd, "tree/sub", 0755), 0);
    make_file(place->fd, "tree/sub/private", 0600);
    make_file(place->fd, "tree/sub/program", 0700);
    make_file(place->fd, "tree/open", 0666);
    make_file(place->fd, "tree/setuid", 0666);
    assert_int_equal(fchmodat(place->fd, "tree/setuid", 06777, 0), 0);
    assert_int_equal(mkfifoat(place->fd, "tree/sub/fifo", 0666), 0);
    assert_int_equal(symlinkat("../outside", place->fd, "tree/link"), 0);
    assert_int_equal(fchmodat(place->fd, "tree/sub", 0300, 0), 0);

    assert_int_equal(walk_seal(place->fd, "tree", &same, 0700, &err), 0);

    assert_int_equal(mode_of(place->fd, "tree"), 0700);
    assert_int_equal(mode_of(place->fd, "tree/sub"), 0755);
    assert_int_equal(mode_of(place->fd, "tree/sub/private"), 0644);
    assert_int_equal(mode_of(place->fd, "tree/sub/program"), 0755);
    assert_int_equal(mode_of(place->fd, "tree/open"), 0644);
    assert_int_equal(mode_of(place->fd, "tree/setuid"), 0755);
    assert_int_equal(faccessat(place->fd, "tree/sub/fifo", F_OK, 0), -1);
    assert_int_equal(mode_of(place->fd, "outside"), 0600);
}

static void test_walk__what_belongs_to_somebody_else_leaves_the_tree(void **state)
{
    static const struct walk_owner owner = {
        .change = true, .user = 1, .group = 1, .first = 42000, .last = 42000
    };
    const struct place *place = *state;
    struct stat status;
    struct error err;

    if (geteuid() != 0) {
        print_message("skipped: only root can give files away\n");
        skip();
    }
    assert_int_equal(mkdirat(place->fd, "tree", 0755), 0);
    make_file(place->fd, "tree/theirs", 0644);
    make_file(place->fd, "tree/foreign", 0644);
    assert_int_equal(fchownat(place->fd, "tree/theirs", 42000, 42000, 0), 0);

    assert_int_equal(walk_seal(place->fd, "tree", &owner, 0755, &err), 0);

    assert_int_equal(fstatat(place->fd, "tree/theirs", &status, 0), 0);
    assert_int_equal(status.st_uid, 1);
    assert_int_equal(faccessat(place->fd, "tree/foreign", F_OK, 0), -1);
}

static void test_walk__a_tree_that_is_too_deep_is_not_sealed(void **state)
{
    static const struct walk_owner same = { .change = false };
    const struct place *place = *state;
    struct error err;

    make_deep(place->fd, 400);

    assert_int_equal(walk_seal(place->fd, "d", &same, 0755, &err), -1);
}

static void test_walk__measures_up_to_its_limit(void **state)
{
    const struct place *place = *state;
    uint64_t bytes, entries;
    char name[32];

    assert_int_equal(mkdirat(place->fd, "tree", 0755), 0);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "tree/%d", i);
        make_file(place->fd, name, 0644);
    }

    walk_measure(place->fd, "tree", 100, &bytes, &entries);
    assert_int_equal(entries, 20);
    assert_true(bytes >= 20 * 8);
    walk_measure(place->fd, "tree", 5, &bytes, &entries);
    assert_int_equal(entries, 6);
    walk_measure(place->fd, "never", 5, &bytes, &entries);
    assert_int_equal(entries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_walk__removes_a_tree_of_any_depth, given_place,
                                        place_gone),
        cmocka_unit_test_setup_teardown(test_walk__removes_closed_directories_and_follows_no_link,
                                        given_place, place_gone),
        cmocka_unit_test_setup_teardown(
            test_walk__a_sealed_tree_can_be_read_by_all_and_written_by_none, given_place,
            place_gone),
        cmocka_unit_test_setup_teardown(test_walk__what_belongs_to_somebody_else_leaves_the_tree,
                                        given_place, place_gone),
        cmocka_unit_test_setup_teardown(test_walk__a_tree_that_is_too_deep_is_not_sealed,
                                        given_place, place_gone),
        cmocka_unit_test_setup_teardown(test_walk__measures_up_to_its_limit, given_place,
                                        place_gone),
    };

    return cmocka_run_group_tests_name("supervisor/walk", tests, NULL, NULL);
}
