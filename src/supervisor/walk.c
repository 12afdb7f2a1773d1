/* Work on whole trees. See walk.h for what must not happen. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

enum {
    DEPTH_REMOVE = 48, /* deeper directories are moved up and emptied there */
    DEPTH_MAX = 128,   /* deeper trees are refused by what must see every entry */
    PASSES = 1000
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory of mode 000 opens after a chmod; fchmodat cannot be led astray, the name was just
 * seen to be one. */
static int open_directory(int dirfd, const char *name)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat status;
    int fd = openat(dirfd, name, flags);

    if (fd >= 0 || errno != EACCES)
        return fd;
    if (fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode) ||
        fchmodat(dirfd, name, 0700, 0) < 0)
        return -1;
    return openat(dirfd, name, flags);
}

/* The stream takes the descriptor over. */
static DIR *open_stream(int dirfd, const char *name)
{
    int fd = open_directory(dirfd, name);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (stream == NULL)
        fd_close(&fd);
    return stream;
}

/* ---- removing ------------------------------------------------------------------------------- */

struct removal {
    int top;
    unsigned moved;
};

static int remove_contents(struct removal *removal, DIR *stream, int depth);

static int remove_directory(struct removal *removal, int dirfd, const char *name, int depth)
{
    char place[32];
    DIR *stream;
    int result;

    if (depth >= DEPTH_REMOVE) {
        snprintf(place, sizeof(place), ".deep.%u", removal->moved++);
        /* A move rewrites its "..", for which it must be writable. */
        if (fchmodat(dirfd, name, 0700, 0) < 0)
            return -1;
        return renameat(dirfd, name, removal->top, place);
    }
    stream = open_stream(dirfd, name);
    if (stream == NULL)
        return errno == ENOENT ? 0 : -1;
    result = remove_contents(removal, stream, depth + 1);
    closedir(stream);
    if (result < 0)
        return -1;
    return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

static int remove_contents(struct removal *removal, DIR *stream, int depth)
{
    int fd = dirfd(stream);
    bool chmodded = false;

    for (const struct dirent *entry; errno = 0, (entry = readdir(stream)) != NULL;) {
        if (is_dots(entry->d_name))
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EACCES && !chmodded) {
            chmodded = true;
            if (fchmod(fd, 0700) < 0)
                return -1;
            rewinddir(stream);
            continue;
        }
        if (errno != EISDIR || remove_directory(removal, fd, entry->d_name, depth) < 0)
            return -1;
    }
    return errno == 0 ? 0 : -1;
}

int walk_empty(int dir, const char *name, struct error *err)
{
    DIR *stream = open_stream(dir, name);
    struct removal removal = { 0 };
    unsigned seen;
    int result = -1;

    if (stream == NULL)
        return errno == ENOENT ? 0 : fail_errno(err, "remove %s", name);
    removal.top = dirfd(stream);
    for (int pass = 0; pass < PASSES; pass++) {
        seen = removal.moved;
        rewinddir(stream);
        result = remove_contents(&removal, stream, 0);
        if (result < 0 || removal.moved == seen)
            break;
    }
    if (result < 0)
        fail_errno(err, "remove %s", name);
    closedir(stream);
    return result;
}

int walk_remove(int dir, const char *name, struct error *err)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return fail_errno(err, "remove %s", name);
    if (walk_empty(dir, name, err) < 0)
        return -1;
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return fail_errno(err, "remove %s", name);
    return 0;
}

/* ---- owners and modes ------------------------------------------------------------------------ */

struct visit {
    const struct walk_owner *owner;
    bool seal; /* also set modes */
};

static bool is_kept(const struct visit *visit, const struct stat *status)
{
    const struct walk_owner *owner = visit->owner;

    if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode) && !S_ISLNK(status->st_mode))
        return false;
    return !owner->change || (status->st_uid >= owner->first && status->st_uid <= owner->last);
}

static int visit_file(const struct visit *visit, int dir, const char *name,
                      const struct stat *status)
{
    const struct walk_owner *owner = visit->owner;
    mode_t mode = (status->st_mode & 0111) != 0 ? 0755 : 0644;

    /* Nobody else is at work in the tree any more, so the entry is still the file that was looked
     * at. */
    if (owner->change && fchownat(dir, name, owner->user, owner->group, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!visit->seal || !S_ISREG(status->st_mode) || (status->st_mode & 07777) == mode)
        return 0;
    return fchmodat(dir, name, mode, 0);
}

static int visit_contents(const struct visit *visit, DIR *stream, int depth, struct error *err);

static int visit_directory(const struct visit *visit, int dir, const char *name, mode_t mode,
                           int depth, struct error *err)
{
    const struct walk_owner *owner = visit->owner;
    DIR *stream = open_stream(dir, name);
    int result;

    if (stream == NULL)
        return fail_errno(err, "%s", name);
    result = visit_contents(visit, stream, depth, err);
    if (result == 0 && ((owner->change && fchown(dirfd(stream), owner->user, owner->group) < 0) ||
                        (mode != 0 && fchmod(dirfd(stream), mode) < 0)))
        result = fail_errno(err, "%s", name);
    closedir(stream);
    return result;
}

static int visit_entry(const struct visit *visit, int dir, const char *name, int depth,
                       struct error *err)
{
    struct stat status;

    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail_errno(err, "%s", name);
    if (!is_kept(visit, &status))
        return walk_remove(dir, name, err);
    if (!S_ISDIR(status.st_mode))
        return visit_file(visit, dir, name, &status) < 0 ? fail_errno(err, "%s", name) : 0;
    if (depth >= DEPTH_MAX)
        return fail(err, ERROR_INTERNAL, "directories are nested more than %d deep", DEPTH_MAX);
    return visit_directory(visit, dir, name, visit->seal ? 0755 : 0, depth + 1, err);
}

static int visit_contents(const struct visit *visit, DIR *stream, int depth, struct error *err)
{
    for (const struct dirent *entry; errno = 0, (entry = readdir(stream)) != NULL;)
        if (!is_dots(entry->d_name) &&
            visit_entry(visit, dirfd(stream), entry->d_name, depth, err) < 0)
            return -1;
    return errno == 0 ? 0 : fail_errno(err, "read a directory");
}

int walk_seal(int dir, const char *name, const struct walk_owner *owner, mode_t top_mode,
              struct error *err)
{
    const struct visit visit = { .owner = owner, .seal = true };

    return visit_directory(&visit, dir, name, top_mode, 0, err);
}

int walk_own(int dir, const char *name, const struct walk_owner *owner, struct error *err)
{
    const struct visit visit = { .owner = owner };

    return visit_directory(&visit, dir, name, 0700, 0, err);
}

/* ---- measuring ------------------------------------------------------------------------------ */

struct measure {
    uint64_t entry_limit, bytes, entries;
};

static void measure_contents(struct measure *measure, int dir, const char *name, int depth)
{
    /* The owner is alive and may swap names under us: nothing here changes anything. */
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (stream == NULL) {
        fd_close(&fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        struct stat status;

        if (measure->entries > measure->entry_limit)
            break;
        if (is_dots(entry->d_name) || fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        measure->entries++;
        measure->bytes += (uint64_t)status.st_blocks * 512;
        if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
            measure_contents(measure, fd, entry->d_name, depth + 1);
    }
    closedir(stream);
}

void walk_measure(int dir, const char *name, uint64_t entry_limit, uint64_t *ret_bytes,
                  uint64_t *ret_entries)
{
    struct measure measure = { .entry_limit = entry_limit };

    measure_contents(&measure, dir, name, 0);
    *ret_bytes = measure.bytes;
    *ret_entries = measure.entries;
}
