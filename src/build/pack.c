/*
 * Packing what a build left: our own binary inside the sandbox, writing a tar.gz to standard
 * output.
 *
 * The tree was made by foreign code and may change while it is read, so every step is by descriptor
 * and follows no link. Names are sorted and times left out: the same tree packs to the same bytes,
 * and the store keeps it once.
 */
#include "roles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_library.h"
#include "fd.h"
#include "mem.h"
#include "text.h"

enum { DEPTH_MOST = 128, READ_BYTES = 65536, GZIP_LEVEL = 1 };

struct pack {
    struct archive_library lib;
    struct archive *out;
    int64_t bytes, most_bytes;
    int depth;
    char *copy; /* READ_BYTES */
};

static int broken(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    return -1;
}

static int written(struct pack *p, const char *path, int result)
{
    if (result == ARCHIVE_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", path, p->lib.error_string(p->out));
    return -1;
}

static int pack_content(struct pack *p, const char *path, int fd, int64_t size)
{
    int64_t left = size;

    while (left > 0) {
        size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES;
        ssize_t got = read(fd, p->copy, want);
        if (got < 0)
            return broken(path, "read");
        if (got == 0) { /* it shrank: the header promised size bytes */
            memset(p->copy, 0, want);
            got = (ssize_t)want;
        }
        if (p->lib.write_data(p->out, p->copy, (size_t)got) < 0)
            return written(p, path, ARCHIVE_FATAL);
        left -= got;
    }
    return 0;
}

static int pack_file(struct pack *p, struct archive_entry *e, int dir, const char *name,
                     const char *path)
{
    auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return broken(path, "open");
    if (!S_ISREG(st.st_mode))
        return 0;
    p->bytes += st.st_size;
    if (p->bytes > p->most_bytes) {
        fprintf(stderr, "Build size should be less than %lld.%02lld MBs.\n",
                (long long)(p->most_bytes / 1000000), (long long)(p->most_bytes % 1000000 / 10000));
        return -1;
    }
    p->lib.entry_set_size(e, st.st_size);
    if (written(p, path, p->lib.write_header(p->out, e)) < 0)
        return -1;
    return pack_content(p, path, fd, st.st_size);
}

static int pack_link(struct pack *p, struct archive_entry *e, int dir, const char *name,
                     const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(dir, name, target, sizeof target - 1);

    if (length < 0)
        return broken(path, "readlink");
    target[length] = '\0';
    p->lib.entry_set_symlink(e, target);
    return written(p, path, p->lib.write_header(p->out, e));
}

static int pack_directory(struct pack *p, int fd, const char *path);

static int pack_entry(struct pack *p, int dir, const char *name, const char *path)
{
    struct stat st;
    int result = 0;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : broken(path, "stat");
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
        fprintf(stderr, "%s: skipped, it is neither a file nor a folder nor a link.\n", path);
        return 0;
    }

    struct archive_entry *e = p->lib.entry_new();
    p->lib.entry_set_pathname(e, path);
    p->lib.entry_set_filetype(e, st.st_mode & S_IFMT);
    p->lib.entry_set_perm(e, S_ISREG(st.st_mode) && !(st.st_mode & 0111) ? 0644 : 0755);
    if (S_ISREG(st.st_mode)) {
        result = pack_file(p, e, dir, name, path);
    } else if (S_ISLNK(st.st_mode)) {
        result = pack_link(p, e, dir, name, path);
    } else {
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = fd < 0 ? broken(path, "open") : written(p, path, p->lib.write_header(p->out, e));
        if (result == 0)
            result = pack_directory(p, fd, path); /* closes fd */
        else
            fd_close(&fd);
    }
    p->lib.entry_free(e);
    return result;
}

static int is_named(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Packs what is in fd (closed here) in the order of names. path is "" for the root. */
static int pack_directory(struct pack *p, int fd, const char *path)
{
    struct dirent **names = NULL;
    int count = scandirat(fd, ".", &names, is_named, alphasort),
        result = count < 0 ? broken(path, "list") : 0;

    if (result == 0 && ++p->depth > DEPTH_MOST) {
        fprintf(stderr, "%s: more than %d folders deep.\n", path, DEPTH_MOST);
        result = -1;
    }
    for (int i = 0; i < count; i++) {
        if (result == 0) {
            auto_free char *inner = xasprintf("%s%s%s", path, *path ? "/" : "", names[i]->d_name);
            result = pack_entry(p, fd, names[i]->d_name, inner);
        }
        free(names[i]);
    }
    free(names);
    fd_close(&fd);
    p->depth--;
    return result;
}

int build_pack_role(int argc, char **argv)
{
    struct pack p = { 0 };

    if (argc != 3 || text_to_int(argv[2], &p.most_bytes) < 0) {
        fprintf(stderr, "usage: pack DIRECTORY MAX_BYTES\n");
        return 2;
    }
    int root = open(argv[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0) {
        broken(argv[1], "open");
        return 1;
    }
    struct error err;
    if (archive_library_load(&p.lib, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        fd_close(&root);
        return 1;
    }
    char level[8];
    snprintf(level, sizeof level, "%d", GZIP_LEVEL);
    p.copy = xmalloc(READ_BYTES);
    p.out = p.lib.write_new();
    p.lib.write_set_format_pax_restricted(p.out);
    p.lib.write_add_filter_gzip(p.out);
    p.lib.write_set_bytes_in_last_block(p.out, 1); /* no padding */
    p.lib.write_set_filter_option(p.out, "gzip", "compression-level", level);
    p.lib.write_set_filter_option(p.out, "gzip", "timestamp", NULL);
    int result = written(&p, "output", p.lib.write_open_fd(p.out, STDOUT_FILENO));
    if (result == 0)
        result = pack_directory(&p, root, "");
    else
        fd_close(&root);
    if (result == 0)
        result = written(&p, "output", p.lib.write_close(p.out));
    p.lib.write_free(p.out);
    free(p.copy);
    return result < 0 ? 1 : 0;
}
