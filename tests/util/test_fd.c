/* Descriptors, small files, trees and packets, in a directory of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

static char place[] = "/tmp/test_fd_XXXXXX";
static int dir = -1;
static struct error err;

static int group_setup(void **state)
{
    (void)state;
    if (mkdtemp(place) == NULL)
        return -1;
    dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    fd_close(&dir);
    return fd_remove_tree(AT_FDCWD, place, &err);
}

static bool exists(const char *path)
{
    struct stat status;
    return fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_fd__closes_once_and_hands_over(void **state)
{
    (void)state;
    int read_end, write_end;
    assert_int_equal(fd_pipe(&read_end, &write_end, &err), 0);
    assert_true((fcntl(read_end, F_GETFD) & FD_CLOEXEC) != 0);

    int taken = fd_steal(&read_end);
    assert_int_equal(read_end, -1);
    fd_close(&read_end);
    assert_int_equal(fd_set_blocking(taken, false), 0);
    assert_true((fcntl(taken, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(fd_set_blocking(taken, true), 0);
    assert_true((fcntl(taken, F_GETFL) & O_NONBLOCK) == 0);

    fd_close(&taken);
    errno = EBUSY;
    fd_close(&write_end);
    assert_int_equal(errno, EBUSY);
    assert_int_equal(write_end, -1);
}

static void test_fd__a_memory_file_is_sealed_and_read_whole(void **state)
{
    (void)state;
    auto_fd int fd = fd_memfd("test", "hello", 5, &err);
    assert_true(fd >= 0);
    auto_free char *text = NULL;
    size_t size = 0;

    assert_int_equal(write(fd, "x", 1), -1);
    for (int i = 0; i < 2; i++) { /* reading does not move it */
        free(steal(text));
        assert_int_equal(fd_read_file(fd, "", 5, &text, &size, &err), 0);
        assert_int_equal(size, 5);
        assert_string_equal(text, "hello");
    }
}

static void test_fd__a_file_is_written_whole_and_with_its_mode(void **state)
{
    (void)state;
    auto_free char *text = NULL;
    struct stat status;
    mode_t kept = umask(077);

    assert_int_equal(fd_write_file(dir, "note", "old", 3, 0600, &err), 0);
    assert_int_equal(fd_write_file(dir, "note", "newer", 5, 0644, &err), 0);
    umask(kept);

    assert_int_equal(fd_read_file(dir, "note", 100, &text, NULL, &err), 0);
    assert_string_equal(text, "newer");
    assert_int_equal(fstatat(dir, "note", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_false(exists("note.new"));
    assert_int_equal(fd_write_file(dir, "absent/note", "x", 1, 0600, &err), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_fd__a_file_above_the_limit_is_refused(void **state)
{
    (void)state;
    char block[9000];
    memset(block, 'x', sizeof(block));
    assert_int_equal(fd_write_file(dir, "large", block, sizeof(block), 0600, &err), 0);
    char *text = NULL;
    size_t size = 0;

    assert_int_equal(fd_read_file(dir, "large", 8999, &text, &size, &err), -1);
    assert_string_equal(err.message, "large is larger than 8999 bytes");
    assert_int_equal(fd_read_file(dir, "large", 0, &text, &size, &err), -1);
    assert_null(text);
    assert_int_equal(fd_read_file(dir, "large", 9000, &text, &size, &err), 0);
    assert_int_equal(size, 9000);
    free(text);
    assert_int_equal(fd_read_file(dir, "absent", 10, &text, &size, &err), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_fd__a_file_of_proc_has_no_size_but_is_read(void **state)
{
    (void)state;
    auto_free char *text = NULL;
    size_t size = 0;

    assert_int_equal(fd_read_file(AT_FDCWD, "/proc/self/status", 65536, &text, &size, &err), 0);

    assert_true(size > 100);
    assert_memory_equal(text, "Name:", 5);
}

static void test_fd__an_existing_directory_is_fine_but_no_file(void **state)
{
    (void)state;
    struct stat status;

    assert_int_equal(fd_mkdir(dir, "made", 0775, &err), 0);
    assert_int_equal(fd_mkdir(dir, "made", 0700, &err), 0);
    assert_int_equal(fstatat(dir, "made", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0775);
    assert_int_equal(fd_write_file(dir, "plain", "", 0, 0600, &err), 0);
    assert_int_equal(fd_mkdir(dir, "plain", 0700, &err), -1);
}

static void test_fd_remove_tree__takes_all_and_follows_no_link(void **state)
{
    (void)state;
    assert_int_equal(fd_mkdir(dir, "kept", 0700, &err), 0);
    assert_int_equal(fd_write_file(dir, "kept/file", "x", 1, 0600, &err), 0);
    assert_int_equal(fd_mkdir(dir, "tree", 0700, &err), 0);
    assert_int_equal(fd_mkdir(dir, "tree/a", 0700, &err), 0);
    assert_int_equal(fd_write_file(dir, "tree/a/file", "x", 1, 0600, &err), 0);
    assert_int_equal(symlinkat("../../kept", dir, "tree/a/link"), 0);
    assert_int_equal(symlinkat("kept", dir, "link"), 0);
    assert_int_equal(fd_mkdir(dir, "tree/closed", 0700, &err), 0);
    assert_int_equal(fd_write_file(dir, "tree/closed/file", "x", 1, 0600, &err), 0);
    assert_int_equal(fchmodat(dir, "tree/closed", 0, 0), 0);

    assert_int_equal(fd_remove_tree(dir, "tree", &err), 0);
    assert_int_equal(fd_remove_tree(dir, "link", &err), 0);
    assert_int_equal(fd_remove_tree(dir, "absent", &err), 0);

    assert_false(exists("tree"));
    assert_false(exists("link"));
    assert_true(exists("kept/file"));
}

static void test_fd_remove_tree__depth_is_no_obstacle(void **state)
{
    (void)state;
    auto_fd int at = fcntl(dir, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 3000; i++) { /* deeper than a path may be long, were the names longer */
        assert_int_equal(mkdirat(at, "directory", 0700), 0);
        int next = openat(at, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(&at);
        at = next;
    }

    assert_int_equal(fd_remove_tree(dir, "directory", &err), 0);

    assert_false(exists("directory"));
}

static void test_fd_packet__carries_descriptors(void **state)
{
    (void)state;
    int pair[2];
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    char data[16];
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair, &err), 0);
    const int sent[] = { dir, dir };

    assert_int_equal(fd_send_packet(pair[0], "ab", 2, sent, 2), 0);
    assert_int_equal(fd_send_packet(pair[0], "cde", 3, NULL, 0), 0);

    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), fds, &count), 2);
    assert_int_equal(count, 2);
    assert_memory_equal(data, "ab", 2);
    for (size_t i = 0; i < count; i++) {
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        fd_close(&fds[i]);
    }
    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), fds, &count), 3);
    assert_int_equal(count, 0);
    fd_close(&pair[0]);
    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), fds, &count), 0);
    fd_close(&pair[1]);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* As fd_send_packet() does not allow it, built by hand. */
static void send_many(int socket, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(32 * sizeof(int))];
    } control = { 0 };
    struct iovec piece = { .iov_base = place, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(fd_count * sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    for (size_t i = 0; i < fd_count; i++)
        memcpy(CMSG_DATA(header) + i * sizeof(int), &dir, sizeof(int));
    assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static void test_fd_packet__too_large_ones_fail_and_leak_nothing(void **state)
{
    (void)state;
    int pair[2];
    int fds[FD_MAX_PASSED + 1];
    size_t count = 0;
    char data[4];
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = dir;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair, &err), 0);
    size_t before = open_descriptors();

    assert_int_equal(fd_send_packet(pair[0], "ab", 2, fds, FD_MAX_PASSED + 1), -1);
    assert_int_equal(fd_send_packet(pair[0], "12345", 5, fds, FD_MAX_PASSED), 0);
    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), fds, &count), -1);
    assert_int_equal(errno, EMSGSIZE);
    send_many(pair[0], FD_MAX_PASSED + 1);
    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), fds, &count), -1);
    send_many(pair[0], 1);
    assert_int_equal(fd_receive_packet(pair[1], data, sizeof(data), NULL, NULL), -1);

    assert_int_equal(open_descriptors(), before);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fd__closes_once_and_hands_over),
        cmocka_unit_test(test_fd__a_memory_file_is_sealed_and_read_whole),
        cmocka_unit_test(test_fd__a_file_is_written_whole_and_with_its_mode),
        cmocka_unit_test(test_fd__a_file_above_the_limit_is_refused),
        cmocka_unit_test(test_fd__a_file_of_proc_has_no_size_but_is_read),
        cmocka_unit_test(test_fd__an_existing_directory_is_fine_but_no_file),
        cmocka_unit_test(test_fd_remove_tree__takes_all_and_follows_no_link),
        cmocka_unit_test(test_fd_remove_tree__depth_is_no_obstacle),
        cmocka_unit_test(test_fd_packet__carries_descriptors),
        cmocka_unit_test(test_fd_packet__too_large_ones_fail_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
