/*
 * Packages by content: DIR/packages/<hash>. A file is in there whole and on disk, or not at all.
 */
#include "package.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "text.h"

enum { HASH_BYTES = 32, READ_BYTES = 262144 };

static char *package_path(const char *data_directory, const char *hash)
{
    return xasprintf("%s/packages/%s", data_directory, hash);
}

static int hash_file(int fd, char ret_hash[PACKAGE_HASH], int64_t *ret_size, struct error *err)
{
    unsigned char digest[HASH_BYTES];
    auto_free unsigned char *block = xmalloc(READ_BYTES);
    crypto_generichash_state state;
    int64_t size = 0;
    ssize_t got;

    crypto_generichash_init(&state, NULL, 0, sizeof digest);
    while ((got = read(fd, block, READ_BYTES)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, "read the package");
        crypto_generichash_update(&state, block, (unsigned long long)got);
        size += got;
    }
    crypto_generichash_final(&state, digest, sizeof digest);
    text_hex(digest, sizeof digest, ret_hash);
    *ret_size = size;
    return 0;
}

/* -1 with errno. Its lock keeps package_remove_old() from a file that arrives while it looks. */
static int open_directory(const char *data_directory, int lock)
{
    auto_free char *path = xasprintf("%s/packages", data_directory);
    auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    while (fd >= 0 && flock(fd, lock) < 0)
        if (errno != EINTR)
            return -1;
    return fd_steal(&fd);
}

int package_take(const char *data_directory, const char *temp_path, char ret_hash[PACKAGE_HASH],
                 int64_t *ret_size, struct error *err)
{
    auto_fd int fd = open(temp_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char hash[PACKAGE_HASH];
    int64_t size = 0;

    if (fd < 0)
        return fail_errno(err, "open %s", temp_path);
    if (hash_file(fd, hash, &size, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return fail_errno(err, "sync %s", temp_path);

    auto_fd int directory = open_directory(data_directory, LOCK_SH);
    if (directory < 0 || renameat(AT_FDCWD, temp_path, directory, hash) < 0)
        return fail_errno(err, "move %s", temp_path);
    unlink(temp_path);         /* still there if the package was this very file */
    flock(directory, LOCK_UN); /* others need not wait for the disk */
    if (fsync(directory) < 0)
        return fail_errno(err, "sync %s/packages", data_directory);
    memcpy(ret_hash, hash, sizeof hash);
    *ret_size = size;
    return 0;
}

int package_open(const char *data_directory, const char *hash, int *ret_fd, int64_t *ret_size,
                 struct error *err)
{
    struct stat st;

    if (strlen(hash) != PACKAGE_HASH - 1)
        return fail(err, ERROR_DEPLOYMENT_NOT_FOUND, NULL);
    auto_free char *path = package_path(data_directory, hash);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return fail(err, ERROR_DEPLOYMENT_NOT_FOUND, NULL);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail_errno(err, "open %s", path);
    *ret_size = st.st_size;
    *ret_fd = fd_steal(&fd);
    return 0;
}

bool package_renew(const char *data_directory, const char *hash)
{
    auto_free char *path = package_path(data_directory, hash);

    return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

bool package_remove_old(const char *data_directory, const char *hash, int64_t before_us)
{
    auto_fd int directory = open_directory(data_directory, LOCK_EX);
    struct stat st;

    return directory >= 0 && fstatat(directory, hash, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) &&
           st.st_ctim.tv_sec * 1000000 + st.st_ctim.tv_nsec / 1000 < before_us &&
           unlinkat(directory, hash, 0) == 0;
}

const char *package_kind(const unsigned char *head, size_t bytes)
{
    static const struct {
        const char *magic;
        size_t bytes;
        const char *kind;
    } kinds[] = {
        { "\x1f\x8b", 2, "tar.gz" },
        { "PK\x03\x04", 4, "zip" },
        { "\x28\xb5\x2f\xfd", 4, "tar.zst" },
        { "\xfd"
          "7zXZ\0",
          6, "tar.xz" },
        { "BZh", 3, "tar.bz2" },
    };

    for (size_t i = 0; i < COUNT(kinds); i++)
        if (bytes >= kinds[i].bytes && memcmp(head, kinds[i].magic, kinds[i].bytes) == 0)
            return kinds[i].kind;
    if (bytes >= 262 && memcmp(head + 257, "ustar", 5) == 0)
        return "tar";
    return NULL;
}

int package_room(const char *data_directory, int64_t reserve_mb, int64_t wanted_bytes,
                 struct error *err)
{
    struct statvfs vfs;

    if (statvfs(data_directory, &vfs) < 0)
        return fail_errno(err, "statvfs %s", data_directory);
    int64_t free_bytes = (int64_t)(vfs.f_bavail * vfs.f_frsize);
    if (free_bytes - wanted_bytes < reserve_mb * 1048576)
        return fail(err, ERROR_GENERAL_STORAGE_FULL, NULL);
    return 0;
}
