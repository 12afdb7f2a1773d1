/*
 * Unpacking a package: our own binary inside the sandbox, reading a foreign archive from standard
 * input.
 *
 * One bad entry fails the whole package and the sentence names it. The sandbox bounds what a bug in
 * here or in libarchive could reach; these rules bound what an honest-looking archive may do: no
 * path or link leads out of the directory, only files, directories and links exist, sizes are
 * counted as they come and never believed.
 */
#include "roles.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_library.h"
#include "map.h"
#include "mem.h"
#include "text.h"

enum {
    PATH_MOST = 1024,
    NAME_MOST = 255,
    DEPTH_MOST = 64,
    READ_BYTES = 65536,
};
static const int64_t file_most_bytes = 1000000000;
static const int64_t ratio_free_bytes = 64000000; /* below this a package may grow as it likes */

struct unpack {
    struct archive_library lib;
    struct archive *in, *out;
    struct map files; /* regular files written so far: what a hard link may name */
    struct map links; /* symbolic links: nothing may be written through one */
    int64_t most_bytes, most_entries, most_ratio;
    int64_t strip;          /* 1: everything is in one folder that is not wanted, as git hosts do */
    char *root;             /* only what is below this folder is wanted; "": everything */
    int64_t bytes, entries; /* logical bytes, holes included */
    char sentence[600];
};

/* Entry names go into the build log: anything unusual is shown as \xNN. */
static void escape(const char *name, char *ret_text, size_t room)
{
    size_t used = 0;

    for (const unsigned char *c = (const unsigned char *)name; *c && used + 5 < room; c++) {
        if (*c >= 0x20 && *c < 0x7f)
            ret_text[used++] = (char)*c;
        else
            used += (size_t)snprintf(ret_text + used, room - used, "\\x%02x", *c);
    }
    ret_text[used] = '\0';
}

__attribute__((format(printf, 3, 4))) static void set_sentence(struct unpack *u, const char *entry,
                                                               const char *format, ...)
{
    char name[200] = "", reason[300];
    va_list list;

    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    if (entry)
        escape(entry, name, sizeof name);
    snprintf(u->sentence, sizeof u->sentence, "%s%s%s%s", entry ? "\"" : "", name,
             entry ? "\": " : "", reason);
}

#define refuse(...) (set_sentence(__VA_ARGS__), -1)
#define NAMELESS    "The package has an entry without a name."

/* Walks the components of a path; -1 when one is "..", too long, or there are too many. */
static int check_components(struct unpack *u, const char *entry)
{
    int depth = 0;

    for (const char *part = entry; *part;) {
        size_t length = strcspn(part, "/");
        if (length == 2 && memcmp(part, "..", 2) == 0)
            return refuse(u, entry, "leads out of the package.");
        if (length > NAME_MOST)
            return refuse(u, entry, "has a name longer than %d bytes.", NAME_MOST);
        if (length > 0 && ++depth > DEPTH_MOST)
            return refuse(u, entry, "is more than %d folders deep.", DEPTH_MOST);
        part += length + (part[length] == '/');
    }
    return 0;
}

static int check_path(struct unpack *u, const char *entry)
{
    if (!*entry)
        return refuse(u, NULL, NAMELESS);
    if (entry[0] == '/')
        return refuse(u, entry, "is an absolute path.");
    if (strlen(entry) > PATH_MOST)
        return refuse(u, entry, "is longer than %d bytes.", PATH_MOST);
    for (const unsigned char *c = (const unsigned char *)entry; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return refuse(u, entry, "has a control character in its name.");
    return check_components(u, entry);
}

/* Where a link at `entry` points, followed by eye alone: never above the root at any step. */
static int check_link(struct unpack *u, const char *entry, const char *target)
{
    int depth = -1;
    bool named = false; /* ".." behind a name could be undone by a link of that name: not taken */

    if (!target || !*target || target[0] == '/' || strlen(target) > PATH_MOST)
        return refuse(u, entry, "is a link that leads out of the package.");
    for (const char *part = entry; *part; part += strspn(part, "/")) {
        size_t length = strcspn(part, "/");
        depth += !(length == 1 && *part == '.');
        part += length;
    }
    for (const char *part = target; *part; part += strspn(part, "/")) {
        size_t length = strcspn(part, "/");
        if (length == 2 && memcmp(part, "..", 2) == 0)
            depth = named ? -1 : depth - 1;
        else if (!(length == 1 && *part == '.'))
            named = true;
        if (depth < 0)
            return refuse(u, entry, "is a link that leads out of the package.");
        part += length;
    }
    return 0;
}

static const char *without_dot(const char *path)
{
    while (path != NULL && path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    return path;
}

/* What a checked path of the archive is called in the directory; NULL: it is not wanted there. */
static const char *path_inside(const struct unpack *u, const char *path)
{
    const size_t length = strlen(u->root);

    if (u->strip) {
        path += strcspn(path, "/");
        path += strspn(path, "/");
    }
    if (length > 0) {
        if (strncmp(path, u->root, length) != 0 || path[length] != '/')
            return NULL;
        path += length;
        path += strspn(path, "/");
    }
    return *path ? path : NULL;
}

/* The folder as it was asked for, without what means nothing: "./a/" is a. */
static int take_root(struct unpack *u, const char *text)
{
    text = without_dot(text + strspn(text, "/"));
    if (strcmp(text, ".") == 0)
        text++;
    if (*text && check_path(u, text) < 0)
        return -1;
    u->root = xstrdup(text);
    for (size_t length = strlen(text); length > 0 && u->root[length - 1] == '/'; length--)
        u->root[length - 1] = '\0';
    return 0;
}

static int check_parents(struct unpack *u, const char *entry)
{
    for (const char *slash = strchr(entry, '/'); slash; slash = strchr(slash + 1, '/'))
        if (map_get_sized(&u->links, entry, (size_t)(slash - entry)))
            return refuse(u, entry, "is written through a link.");
    return 0;
}

static int check_growth(struct unpack *u, const char *entry, int64_t file_bytes)
{
    if (file_bytes > file_most_bytes)
        return refuse(u, entry, "is larger than %lld bytes.", (long long)file_most_bytes);
    if (u->bytes + file_bytes > u->most_bytes)
        return refuse(u, NULL,
                      "The package unpacks to more than %lld bytes (setting package_unpacked).",
                      (long long)u->most_bytes);
    if (u->bytes + file_bytes > ratio_free_bytes &&
        u->bytes + file_bytes > u->most_ratio * (u->lib.filter_bytes(u->in, -1) + 1))
        return refuse(
            u, NULL,
            "The package grows more than %lld times when unpacked (setting package_ratio).",
            (long long)u->most_ratio);
    return 0;
}

static int copy_data(struct unpack *u, const char *entry, int64_t declared)
{
    int64_t end = 0;

    for (;;) {
        const void *block;
        size_t size;
        la_int64_t offset;
        int result = u->lib.read_data_block(u->in, &block, &size, &offset);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK)
            return refuse(u, entry, "cannot be read: %s", u->lib.error_string(u->in));
        if (offset < 0 || offset > file_most_bytes)
            return refuse(u, entry, "is larger than %lld bytes.", (long long)file_most_bytes);
        if (offset + (int64_t)size > end)
            end = offset + (int64_t)size;
        if (check_growth(u, entry, end) < 0)
            return -1;
        if (u->lib.write_data_block(u->out, block, size, offset) != ARCHIVE_OK)
            return refuse(u, entry, "cannot be written: %s", u->lib.error_string(u->out));
    }
    if (declared > end) /* a hole at the end is no data, but it is size */
        end = declared;
    if (check_growth(u, entry, end) < 0)
        return -1;
    u->bytes += end;
    return 0;
}

/* Fixes type, mode and owner of an entry; -1 when it is of a kind a package may not hold. */
static int prepare(struct unpack *u, struct archive_entry *e, const char *path)
{
    const char *link = u->lib.entry_hardlink(e);

    if (u->lib.entry_is_encrypted(e))
        return refuse(u, path, "is encrypted.");
    if (link) {
        link = without_dot(link);
        if (check_path(u, link) < 0)
            return -1;
        link = path_inside(u, link);
        if (!link || !map_get(&u->files, link))
            return refuse(u, path, "is a hard link to something that is no file of the package.");
        u->lib.entry_set_hardlink(e, link);
        return 0;
    }
    switch (u->lib.entry_filetype(e)) {
    case AE_IFREG:
        if (u->lib.entry_size_is_set(e) && check_growth(u, path, u->lib.entry_size(e)) < 0)
            return -1;
        u->lib.entry_set_perm(e, u->lib.entry_perm(e) & 0111 ? 0755 : 0644);
        map_set(&u->files, path, u);
        return 0;
    case AE_IFDIR:
        u->lib.entry_set_perm(e, 0755);
        return 0;
    case AE_IFLNK:
        map_remove(&u->files, path); /* no hard link may name it any more */
        map_set(&u->links, path, u);
        return check_link(u, path, u->lib.entry_symlink(e));
    default:
        return refuse(u, path, "is neither a file nor a folder nor a link.");
    }
}

static int extract(struct unpack *u, struct archive_entry *e)
{
    const char *path = without_dot(u->lib.entry_pathname(e));

    if (++u->entries > u->most_entries)
        return refuse(u, NULL, "The package has more than %lld entries (setting package_entries).",
                      (long long)u->most_entries);
    if (path == NULL)
        return refuse(u, NULL, NAMELESS);
    if (!*path || strcmp(path, ".") == 0)
        return u->lib.entry_filetype(e) == AE_IFDIR ? 0 : refuse(u, ".", "is not a folder.");
    if (check_path(u, path) < 0)
        return -1;
    path = path_inside(u, path);
    if (!path)
        return 0; /* its data is passed over by the next header */
    if (check_parents(u, path) < 0 || prepare(u, e, path) < 0)
        return -1;

    char *name = xstrdup(path);
    u->lib.entry_set_pathname(e, name);
    int result = u->lib.write_header(u->out, e);
    if (result != ARCHIVE_OK)
        result = refuse(u, name, "cannot be written: %s", u->lib.error_string(u->out));
    else if (!u->lib.entry_hardlink(e) && u->lib.entry_filetype(e) == AE_IFREG)
        result = copy_data(u, name, u->lib.entry_size_is_set(e) ? u->lib.entry_size(e) : 0);
    if (result == 0 && u->lib.write_finish_entry(u->out) != ARCHIVE_OK)
        result = refuse(u, name, "cannot be written: %s", u->lib.error_string(u->out));
    free(name);
    return result;
}

static int open_archives(struct unpack *u)
{
    const int safe = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK |
                     ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                     ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    struct error err;

    if (archive_library_load(&u->lib, &err) < 0)
        return refuse(u, NULL, "%s", err.message);
    u->in = u->lib.read_new();
    u->out = u->lib.write_disk_new();
    if (!u->in || !u->out)
        return refuse(u, NULL, "Out of memory.");
    u->lib.read_support_filter_gzip(u->in);
    u->lib.read_support_filter_bzip2(u->in);
    u->lib.read_support_filter_xz(u->in);
    u->lib.read_support_filter_zstd(u->in);
    u->lib.read_support_format_tar(u->in);
    u->lib.read_support_format_zip(u->in);
    u->lib.write_disk_set_options(u->out, safe);
    if (u->lib.read_open_fd(u->in, STDIN_FILENO, READ_BYTES) != ARCHIVE_OK)
        return refuse(u, NULL, "The package is not an archive (tar.gz, tgz or zip): %s",
                      u->lib.error_string(u->in));
    return 0;
}

static int unpack_all(struct unpack *u)
{
    struct archive_entry *e;
    int result;

    if (open_archives(u) < 0)
        return -1;
    while ((result = u->lib.read_next_header(u->in, &e)) == ARCHIVE_OK || result == ARCHIVE_WARN) {
        if (u->lib.filter_count(u->in) > 2)
            return refuse(u, NULL, "The package is compressed more than once.");
        if (extract(u, e) < 0)
            return -1;
    }
    if (result != ARCHIVE_EOF && u->entries == 0)
        return refuse(u, NULL, "The package is not an archive (tar.gz, tgz or zip): %s",
                      u->lib.error_string(u->in));
    if (result != ARCHIVE_EOF)
        return refuse(u, NULL, "The package is damaged: %s", u->lib.error_string(u->in));
    if (u->lib.write_close(u->out) != ARCHIVE_OK)
        return refuse(u, NULL, "The package cannot be written: %s", u->lib.error_string(u->out));
    if (u->files.count == 0 && *u->root)
        return refuse(u, u->root, "No source code found in this folder of the package.");
    if (u->files.count == 0)
        return refuse(u, NULL, "Error: No source code found. Ensure your source isn't empty.");
    return 0;
}

int build_unpack_role(int argc, char **argv)
{
    struct unpack u = { 0 };

    if ((argc != 5 && argc != 7) || text_to_int(argv[2], &u.most_bytes) < 0 ||
        text_to_int(argv[3], &u.most_entries) < 0 || text_to_int(argv[4], &u.most_ratio) < 0 ||
        (argc == 7 && text_to_int(argv[5], &u.strip) < 0)) {
        fprintf(stderr, "usage: unpack DIRECTORY MAX_BYTES MAX_ENTRIES MAX_RATIO [STRIP ROOT]\n");
        return 2;
    }
    if (chdir(argv[1]) < 0) {
        printf("The directory of the deployment cannot be entered: %s\n", strerror(errno));
        return 1;
    }
    map_init(&u.files);
    map_init(&u.links);
    int result = take_root(&u, argc == 7 ? argv[6] : "");
    if (result == 0)
        result = unpack_all(&u);
    if (result < 0)
        printf("%s\n", u.sentence);
    map_release(&u.files);
    map_release(&u.links);
    free(u.root);
    if (u.out)
        u.lib.write_free(u.out);
    if (u.in)
        u.lib.read_free(u.in);
    return result < 0 ? 1 : 0;
}
