/* links: PkgConfig::ARCHIVE */
/* What a package may hold, and what makes a deployment fail: each hostile archive is a row. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "fd.h"
#include "mem.h"
#include "roles.h"

struct member {
    const char *path;
    mode_t type; /* AE_IF..., 0: regular */
    const char *content, *symlink, *hardlink;
    mode_t mode;
    int64_t claimed_size; /* 0: the content's */
};

struct box {
    char directory[64];
    char archive[80];
    char output[1024];
};

static void box_open(struct box *box)
{
    memset(box, 0, sizeof *box);
    strcpy(box->directory, "/tmp/functiond-unpack-XXXXXX");
    assert_non_null(mkdtemp(box->directory));
    snprintf(box->archive, sizeof box->archive, "%s.archive", box->directory);
}

static void box_close(struct box *box)
{
    struct error err;

    assert_int_equal(fd_remove_tree(AT_FDCWD, box->directory, &err), 0);
    unlink(box->archive);
}

/* An entry that claims more than it has is written plainly and left unfinished: finishing it would
 * fill it up. */
static void write_archive(const struct box *box, const struct member *members, bool zip)
{
    struct archive *a = archive_write_new();
    const bool lies = members->claimed_size > 0;

    if (zip) {
        archive_write_set_format_zip(a);
    } else {
        archive_write_set_format_pax_restricted(a);
        if (!lies)
            archive_write_add_filter_gzip(a);
    }
    if (lies)
        archive_write_set_bytes_per_block(a, 0);
    assert_int_equal(archive_write_open_filename(a, box->archive), ARCHIVE_OK);
    for (; members->path; members++) {
        struct archive_entry *e = archive_entry_new();
        const char *content = members->content ? members->content : "";
        archive_entry_set_pathname(e, members->path);
        archive_entry_set_filetype(e, members->type ? members->type : AE_IFREG);
        archive_entry_set_perm(e, members->mode ? members->mode : 0644);
        if (members->symlink)
            archive_entry_set_symlink(e, members->symlink);
        if (members->hardlink)
            archive_entry_set_hardlink(e, members->hardlink);
        archive_entry_set_size(e, members->claimed_size ? members->claimed_size
                                                        : (int64_t)strlen(content));
        archive_write_header(a, e);
        archive_write_data(a, content, strlen(content));
        archive_entry_free(e);
    }
    if (lies)
        archive_write_fail(a);
    archive_write_close(a);
    archive_write_free(a);
}

/* Runs the role as the sandbox would: a process of its own, the archive as standard input. Returns
 * its exit status. root NULL: without the last two arguments. */
static int unpack_wrapped(struct box *box, const char *most_bytes, const char *most_entries,
                          const char *root)
{
    char program[] = "unpack", ratio[] = "200", strip[] = "1";
    auto_free char *bytes = xstrdup(most_bytes), *entries = xstrdup(most_entries);
    auto_free char *folder = xstrdup(root ? root : "");
    char *argv[] = { program, box->directory, bytes, entries, ratio, strip, folder, NULL };
    int pipe_fds[2], status;

    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open(box->archive, O_RDONLY), 0);
        dup2(pipe_fds[1], 1);
        int result = build_unpack_role(root ? 7 : 5, argv);
        fflush(stdout);
        _exit(result);
    }
    close(pipe_fds[1]);
    ssize_t got = fd_read_all(pipe_fds[0], box->output, sizeof box->output - 1);
    box->output[got > 0 ? got : 0] = '\0';
    close(pipe_fds[0]);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int unpack(struct box *box, const char *most_bytes, const char *most_entries)
{
    return unpack_wrapped(box, most_bytes, most_entries, NULL);
}

static char *read_back(const struct box *box, const char *path)
{
    auto_free char *full = xasprintf("%s/%s", box->directory, path);
    struct error err;
    char *data = NULL;
    size_t size;

    assert_int_equal(fd_read_file(AT_FDCWD, full, 1 << 20, &data, &size, &err), 0);
    return data;
}

static mode_t mode_of(const struct box *box, const char *path)
{
    auto_free char *full = xasprintf("%s/%s", box->directory, path);
    struct stat st;

    assert_int_equal(lstat(full, &st), 0);
    return st.st_mode;
}

static struct member good[] = {
    { .path = "./", .type = AE_IFDIR },
    { .path = "./src/main.js", .content = "first" },
    { .path = "src/main.js", .content = "second" }, /* the last one wins */
    { .path = "run.sh", .content = "#!", .mode = 04777 },
    { .path = "private", .type = AE_IFDIR, .mode = 01000 },
    { .path = "private/inner", .content = "x", .mode = 0200 },
    { .path = "bin/tool", .type = AE_IFLNK, .symlink = "../run.sh" },
    { .path = "twin", .hardlink = "src/main.js" },
    { 0 },
};

static void unpack_takes_an_ordinary_package(void **state)
{
    (void)state;
    for (int zip = 0; zip < 2; zip++) {
        struct box box;
        box_open(&box);
        struct member members[COUNT(good)];
        memcpy(members, good, sizeof good);
        if (zip) /* zip knows no hard links */
            members[7] = (struct member){ .path = "twin", .content = "second" };
        write_archive(&box, members, zip);

        int status = unpack(&box, "1000000", "100");

        assert_string_equal(box.output, "");
        assert_int_equal(status, 0);
        auto_free char *main_js = read_back(&box, "src/main.js"), *twin = read_back(&box, "twin");
        assert_string_equal(main_js, "second");
        assert_string_equal(twin, "second");
        assert_int_equal(mode_of(&box, "run.sh") & 07777, 0755);
        assert_int_equal(mode_of(&box, "private") & 07777, 0755);
        assert_int_equal(mode_of(&box, "private/inner") & 07777, 0644);
        assert_true(S_ISLNK(mode_of(&box, "bin/tool")));
        box_close(&box);
    }
}

/* As a git host packs it: everything in one folder. */
static struct member wrapped[] = {
    { .path = "shop-1.0/", .type = AE_IFDIR },
    { .path = "shop-1.0/README.md", .content = "read" },
    { .path = "shop-1.0/node/", .type = AE_IFDIR },
    { .path = "shop-1.0/node/main.js", .content = "main" },
    { .path = "shop-1.0/node/lib/a.js", .content = "a" },
    { .path = "shop-1.0/node/link.js", .type = AE_IFLNK, .symlink = "lib/a.js" },
    { .path = "shop-1.0/node/twin.js", .hardlink = "shop-1.0/node/main.js" },
    { .path = "shop-1.0/node-other/main.js", .content = "other" },
    { .path = "top.txt", .content = "beside the folder" },
    { 0 },
};

static bool is_there(const struct box *box, const char *path)
{
    auto_free char *full = xasprintf("%s/%s", box->directory, path);

    return access(full, F_OK) == 0;
}

static void the_folder_around_a_package_is_left_off(void **state)
{
    static const char *const roots[] = { "", ".", "./", "/" };

    (void)state;
    for (size_t i = 0; i < COUNT(roots); i++) {
        struct box box;
        box_open(&box);
        write_archive(&box, wrapped, false);

        assert_int_equal(unpack_wrapped(&box, "1000", "100", roots[i]), 0);
        auto_free char *main_js = read_back(&box, "node/twin.js");
        assert_string_equal(main_js, "main");
        assert_true(is_there(&box, "README.md"));
        assert_false(is_there(&box, "shop-1.0"));
        assert_false(is_there(&box, "top.txt"));
        box_close(&box);
    }
}

static void only_the_root_directory_is_unpacked(void **state)
{
    static const char *const roots[] = { "node", "./node/", "/node", "node//" };

    (void)state;
    for (size_t i = 0; i < COUNT(roots); i++) {
        struct box box;
        box_open(&box);
        write_archive(&box, wrapped, false);

        assert_int_equal(unpack_wrapped(&box, "9", "100", roots[i]), 0); /* bytes of the rest */
        auto_free char *main_js = read_back(&box, "main.js"), *a_js = read_back(&box, "link.js");
        assert_string_equal(main_js, "main"); /* count for nothing */
        assert_string_equal(a_js, "a");
        assert_false(is_there(&box, "README.md"));
        assert_false(is_there(&box, "node"));
        box_close(&box);
    }
}

static void a_root_directory_that_leads_out_or_is_not_there_is_refused(void **state)
{
    static const struct {
        const char *root, *sentence;
    } rows[] = {
        { "absent", "\"absent\": No source code found in this folder" },
        { "nod", "No source code found" },
        { "node/main.js", "No source code found" },
        { "../node", "\"../node\": leads out of the package." },
        { "node/../..", "leads out of the package." },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct box box;
        box_open(&box);
        write_archive(&box, wrapped, false);

        assert_int_equal(unpack_wrapped(&box, "1000", "100", rows[i].root), 1);
        if (!strstr(box.output, rows[i].sentence))
            fail_msg("%s: %s", rows[i].root, box.output);
        box_close(&box);
    }
}

/* What is left off is checked as well, and what leads into it is not taken. */
static void the_rules_hold_for_a_wrapped_package(void **state)
{
    static const struct {
        struct member members[4];
        const char *sentence;
    } rows[] = {
        { { { .path = "w/node/a", .content = "a" }, { .path = "w/../../x", .content = "x" } },
          "leads out of the package." },
        { { { .path = "/w/x", .content = "x" } }, "is an absolute path." },
        { { { .path = "w/node/a", .type = AE_IFLNK, .symlink = "../x" } },
          "is a link that leads out" },
        { { { .path = "w/x", .content = "x" }, { .path = "w/node/h", .hardlink = "w/x" } },
          "is a hard link to something" },
        { { { .path = "w/node/d", .type = AE_IFDIR },
            { .path = "w/node/l", .type = AE_IFLNK, .symlink = "d" },
            { .path = "v/node/l/x", .content = "x" } },
          "is written through a link." },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct box box;
        box_open(&box);
        write_archive(&box, rows[i].members, false);

        assert_int_equal(unpack_wrapped(&box, "1000", "100", "node"), 1);
        if (!strstr(box.output, rows[i].sentence))
            fail_msg("%zu: %s", i, box.output);
        box_close(&box);
    }
}

static const struct {
    const char *what;
    struct member members[5];
    const char *sentence;
} bad[] = {
    { "parent", { { .path = "../x", .content = "x" } }, "\"../x\": leads out of the package." },
    { "parent inside", { { .path = "a/../../x", .content = "x" } }, "leads out of the package." },
    { "absolute", { { .path = "/etc/x", .content = "x" } }, "is an absolute path." },
    { "control character",
      { { .path = "a\nb", .content = "x" } },
      "\"a\\x0ab\": has a control character" },
    { "link to absolute",
      { { .path = "l", .type = AE_IFLNK, .symlink = "/etc/passwd" } },
      "is a link that leads out" },
    { "link to parent",
      { { .path = "a/l", .type = AE_IFLNK, .symlink = "../../x" } },
      "is a link that leads out" },
    { "link through a name",
      { { .path = "l", .type = AE_IFLNK, .symlink = "a/../../x" } },
      "is a link that leads out" },
    { "write through a link",
      { { .path = "d", .type = AE_IFDIR },
        { .path = "l", .type = AE_IFLNK, .symlink = "d" },
        { .path = "l/x", .content = "x" } },
      "is written through a link." },
    { "hard link outside", { { .path = "h", .hardlink = "../x" } }, "leads out of the package." },
    { "hard link absolute",
      { { .path = "h", .hardlink = "/etc/passwd" } },
      "is an absolute path." },
    { "hard link to nothing",
      { { .path = "h", .hardlink = "absent" } },
      "is a hard link to something" },
    { "hard link to a link",
      { { .path = "l", .type = AE_IFLNK, .symlink = "x" }, { .path = "h", .hardlink = "l" } },
      "is a hard link to something" },
    { "device",
      { { .path = "dev", .type = AE_IFCHR } },
      "is neither a file nor a folder nor a link." },
    { "fifo",
      { { .path = "pipe", .type = AE_IFIFO } },
      "is neither a file nor a folder nor a link." },
    { "file as folder",
      { { .path = "a", .content = "x" }, { .path = "a/b", .content = "x" } },
      "cannot be written" },
    { "a lie about the size",
      { { .path = "a", .content = "x", .claimed_size = 1000000000000 } },
      "is larger than" },
    { "too much",
      { { .path = "a", .content = "0123456789012345678901234567890123456789" } },
      "(setting package_unpacked)" },
    { "too many",
      { { .path = "a" }, { .path = "b" }, { .path = "c" }, { .path = "d" } },
      "(setting package_entries)" },
    { "root is a file",
      { { .path = "./", .type = AE_IFLNK, .symlink = "x" } },
      "is not a folder." },
    { "nothing", { { .path = "empty", .type = AE_IFDIR } }, "No source code found" },
};

static void unpack_refuses_and_names_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct box box;
        box_open(&box);
        write_archive(&box, bad[i].members, false);

        int status = unpack(&box, "32", "3");

        if (status != 1 || !strstr(box.output, bad[i].sentence))
            fail_msg("%s: status %d, said: %s", bad[i].what, status, box.output);
        box_close(&box);
    }
}

static void write_bytes(const struct box *box, const void *data, size_t bytes)
{
    auto_fd int fd = open(box->archive, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(fd_write_all(fd, data, bytes), 0);
}

static void unpack_refuses_what_is_no_archive(void **state)
{
    static const char *const texts[] = { "", "hello", "\x1f\x8bnot gzip at all",
                                         "PK\x03\x04 not zip" };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct box box;
        box_open(&box);
        write_bytes(&box, texts[i], strlen(texts[i]));

        assert_int_equal(unpack(&box, "1000", "10"), 1);
        assert_true(strlen(box.output) > 10);
        box_close(&box);
    }
}

static void unpack_refuses_a_package_cut_short(void **state)
{
    static const struct member members[] = {
        { .path = "a", .content = "the quick brown fox jumps over the lazy dog" }, { 0 }
    };
    struct box box;
    struct stat st;

    (void)state;
    box_open(&box);
    write_archive(&box, members, false);
    assert_int_equal(stat(box.archive, &st), 0);
    assert_int_equal(truncate(box.archive, st.st_size / 2), 0);

    assert_int_equal(unpack(&box, "1000", "10"), 1);
    box_close(&box);
}

static void unpack_stops_a_bomb(void **state)
{
    struct box box;
    enum { MEGABYTE = 1 << 20 };
    auto_free char *zeros = xcalloc(1, MEGABYTE);

    (void)state;
    box_open(&box);
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_gzip(a);
    archive_write_open_filename(a, box.archive);
    archive_entry_set_pathname(e, "zeros");
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, 100 * MEGABYTE);
    archive_write_header(a, e);
    for (int i = 0; i < 100; i++)
        archive_write_data(a, zeros, MEGABYTE);
    archive_entry_free(e);
    archive_write_close(a);
    archive_write_free(a);

    assert_int_equal(unpack(&box, "1000000000", "10"), 1);
    assert_non_null(strstr(box.output, "(setting package_ratio)"));
    box_close(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpack_takes_an_ordinary_package),
        cmocka_unit_test(the_folder_around_a_package_is_left_off),
        cmocka_unit_test(only_the_root_directory_is_unpacked),
        cmocka_unit_test(a_root_directory_that_leads_out_or_is_not_there_is_refused),
        cmocka_unit_test(the_rules_hold_for_a_wrapped_package),
        cmocka_unit_test(unpack_refuses_and_names_what_is_wrong),
        cmocka_unit_test(unpack_refuses_what_is_no_archive),
        cmocka_unit_test(unpack_refuses_a_package_cut_short),
        cmocka_unit_test(unpack_stops_a_bomb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
