/* Pieces of uploads: any order, repeated, overlapping. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd.h"
#include "mem.h"
#include "package.h"

static void ranges_merge_in_any_order(void **state)
{
    static const struct {
        uint64_t first, last;
        const char *after;
        bool complete;
    } rows[] = {
        { 10, 19, "[[10,19]]", false },         { 10, 19, "[[10,19]]", false },
        { 30, 39, "[[10,19],[30,39]]", false }, { 0, 4, "[[0,4],[10,19],[30,39]]", false },
        { 18, 29, "[[0,4],[10,39]]", false },   { 5, 9, "[[0,39]]", true },
    };
    auto_free char *ranges = xstrdup("[]");

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *merged = NULL;
        bool complete = false;
        struct error err;

        assert_int_equal(
            upload_add(ranges, rows[i].first, rows[i].last, 40, &merged, &complete, &err), 0);

        assert_string_equal(merged, rows[i].after);
        assert_int_equal(complete, rows[i].complete);
        free(ranges);
        ranges = merged;
    }
}

static void make_data_directory(char directory[64])
{
    struct error err;

    strcpy(directory, "/tmp/functiond-upload-XXXXXX");
    assert_non_null(mkdtemp(directory));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fd_mkdir(fd, "uploads", 0700, &err), 0);
    assert_int_equal(fd_mkdir(fd, "packages", 0700, &err), 0);
    close(fd);
}

static char *write_piece(const char *directory, const char *text)
{
    char *path = xasprintf("%s/uploads/piece", directory);
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    return path;
}

static void pieces_become_a_package_named_by_its_content(void **state)
{
    char directory[64], hash[PACKAGE_HASH], again[PACKAGE_HASH], text[16] = "";
    auto_free char *path = NULL;
    struct error err;
    int64_t size;
    int fd;

    (void)state;
    make_data_directory(directory);
    auto_free char *tail = write_piece(directory, "__world");
    assert_int_equal(upload_write(directory, "d1", tail, 2, 5, 5, &err), 0);
    auto_free char *head = write_piece(directory, "hello");
    assert_int_equal(upload_write(directory, "d1", head, 0, 0, 5, &err), 0);

    upload_path(directory, "d1", &path);
    assert_int_equal(package_take(directory, path, hash, &size, &err), 0);

    assert_int_equal(size, 10);
    assert_int_equal(package_open(directory, hash, &fd, &size, &err), 0);
    assert_int_equal(read(fd, text, sizeof text), 10);
    assert_string_equal(text, "helloworld");
    close(fd);
    auto_free char *same = write_piece(directory, "helloworld");
    assert_int_equal(package_take(directory, same, again, &size, &err), 0);
    assert_string_equal(hash, again);
    assert_true(package_renew(directory, hash));
    assert_true(package_remove_old(directory, hash, INT64_MAX));
    assert_false(package_renew(directory, hash));
    assert_int_equal(package_open(directory, hash, &fd, &size, &err), -1);
    assert_int_equal(err.type, ERROR_DEPLOYMENT_NOT_FOUND);
    assert_int_equal(fd_remove_tree(AT_FDCWD, directory, &err), 0);
}

/* As when two requests end the same upload: rename() leaves two names of one file as they are. */
static void another_name_of_a_package_goes_into_it(void **state)
{
    char directory[64], hash[PACKAGE_HASH], again[PACKAGE_HASH];
    auto_free char *first = NULL, *second = NULL;
    struct error err;
    int64_t size;

    (void)state;
    make_data_directory(directory);
    auto_free char *upload = write_piece(directory, "helloworld");
    first = xasprintf("%s.1", upload);
    second = xasprintf("%s.2", upload);
    assert_int_equal(link(upload, first), 0);
    assert_int_equal(link(upload, second), 0);

    assert_int_equal(package_take(directory, first, hash, &size, &err), 0);
    assert_int_equal(package_take(directory, second, again, &size, &err), 0);

    assert_string_equal(hash, again);
    assert_int_equal(access(first, F_OK), -1);
    assert_int_equal(access(second, F_OK), -1);
    assert_int_equal(access(upload, F_OK), 0);
    assert_true(package_renew(directory, hash));
    assert_int_equal(fd_remove_tree(AT_FDCWD, directory, &err), 0);
}

static void archives_are_known_by_their_first_bytes(void **state)
{
    unsigned char tar[300] = { 0 };

    (void)state;
    memcpy(tar + 257, "ustar", 5);
    assert_string_equal(package_kind((const unsigned char *)"\x1f\x8b\x08", 3), "tar.gz");
    assert_string_equal(package_kind((const unsigned char *)"PK\x03\x04", 4), "zip");
    assert_string_equal(package_kind(tar, sizeof tar), "tar");
    assert_null(package_kind((const unsigned char *)"hello", 5));
    assert_null(package_kind((const unsigned char *)"", 0));
}

static void room_is_refused_below_the_reserve(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(package_room("/tmp", 0, 1, &err), 0);
    assert_int_equal(package_room("/tmp", 1048576, INT64_MAX / 4, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_STORAGE_FULL);
}

static void pieces_are_counted_when_whole(void **state)
{
    (void)state;
    assert_int_equal(upload_whole_pieces("[]", 25, 10), 0);
    assert_int_equal(upload_whole_pieces("[[0,8]]", 25, 10), 0);
    assert_int_equal(upload_whole_pieces("[[0,9]]", 25, 10), 1);
    assert_int_equal(upload_whole_pieces("[[0,9],[20,24]]", 25, 10), 2);
    assert_int_equal(upload_whole_pieces("[[1,18]]", 25, 10), 0);
    assert_int_equal(upload_whole_pieces("[[5,24]]", 25, 10), 2);
    assert_int_equal(upload_whole_pieces("[[0,24]]", 25, 10), 3);
    assert_int_equal(upload_whole_pieces("[[0,29]]", 30, 10), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_merge_in_any_order),
        cmocka_unit_test(pieces_are_counted_when_whole),
        cmocka_unit_test(pieces_become_a_package_named_by_its_content),
        cmocka_unit_test(another_name_of_a_package_goes_into_it),
        cmocka_unit_test(archives_are_known_by_their_first_bytes),
        cmocka_unit_test(room_is_refused_below_the_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
