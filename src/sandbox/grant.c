/*
 * Giving code to a child that runs already.
 *
 * In `full` the supervisor has a mount namespace of its own with a small shared tmpfs, one
 * directory a spare; the child holds a slave copy of its directory, so a tree mounted there appears
 * inside at once. Elsewhere one entry in the access list of the tree's top directory lets exactly
 * one slot in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

enum { SLOT_PATH = 720 };

static void slot_path(const struct sandbox_host *host, uint64_t worker_id, const char *name,
                      char ret_path[SLOT_PATH])
{
    snprintf(ret_path, SLOT_PATH, "%s/%llu%s%.100s", host->inner->slots_directory,
             (unsigned long long)worker_id, name[0] != '\0' ? "/" : "", name);
}

int grant_prepare(struct sandbox_host *host, struct error *err)
{
    struct sandbox_private *inner = host->inner;
    char path[SLOT_PATH];
    if (unshare(CLONE_NEWNS) != 0) {
        return fail_errno(err, "mount namespace");
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        return fail_errno(err, "mount namespace: make the tree ours");
    }
    snprintf(path, sizeof(path), "%s/run", inner->data_directory);
    if (fd_mkdir(AT_FDCWD, path, 0700, err) != 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/run/slots", inner->data_directory);
    if (fd_mkdir(AT_FDCWD, path, 0700, err) != 0) {
        return -1;
    }
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=1m,nr_inodes=32768") !=
            0 ||
        mount(NULL, path, NULL, MS_SHARED, NULL) != 0) {
        return fail_errno(err, "%s", path);
    }
    snprintf(inner->slots_directory, sizeof(inner->slots_directory), "%s/run/slots",
             inner->data_directory);
    return 0;
}

void grant_release(struct sandbox_host *host)
{
    if (host->inner->slots_directory[0] != '\0') {
        umount2(host->inner->slots_directory, MNT_DETACH);
        host->inner->slots_directory[0] = '\0';
    }
}

int grant_make_slot(struct sandbox_host *host, uint64_t worker_id, struct error *err)
{
    char path[SLOT_PATH];
    if (host->inner->slots_directory[0] == '\0') {
        return fail(err, ERROR_INTERNAL, "sandbox: code cannot be given later on this host");
    }
    slot_path(host, worker_id, "", path);
    if (fd_mkdir(AT_FDCWD, path, 0755, err) != 0) {
        return -1;
    }
    return chmod(path, 0755) == 0
               ? 0
               : fail_errno(err, "sandbox: %s", path); /* whatever the umask says */
}

void grant_remove_slot(struct sandbox_host *host, uint64_t worker_id)
{
    char path[SLOT_PATH];
    if (host->inner->slots_directory[0] == '\0') {
        return;
    }
    slot_path(host, worker_id, "", path);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            slot_path(host, worker_id, entry->d_name, path);
            umount2(path, MNT_DETACH);
            rmdir(path);
        }
    }
    closedir(directory);
    slot_path(host, worker_id, "", path);
    rmdir(path);
}

static int mount_code(struct sandbox_host *host, uint64_t worker_id, const char *source,
                      const char *name, struct error *err)
{
    char path[SLOT_PATH];
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > 100) {
        return fail(err, ERROR_INTERNAL, "sandbox: \"%s\" is no name for a directory", name);
    }
    slot_path(host, worker_id, name, path);
    auto_fd int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source,
                                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                                MOUNT_ATTR_NODEV };
    if (tree < 0 ||
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) != 0) {
        return fail_errno(err, "sandbox: code: %s", source);
    }
    if (fd_mkdir(AT_FDCWD, path, 0755, err) != 0) {
        return -1;
    }
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        return fail_errno(err, "sandbox: code: mount at %s", path);
    }
    return 0;
}

static acl_entry_t find_entry(acl_t list, uint32_t uid)
{
    acl_entry_t entry;
    for (int found = acl_get_entry(list, ACL_FIRST_ENTRY, &entry); found == 1;
         found = acl_get_entry(list, ACL_NEXT_ENTRY, &entry)) {
        acl_tag_t tag;
        if (acl_get_tag_type(entry, &tag) != 0 || tag != ACL_USER) {
            continue;
        }
        uid_t *qualifier = acl_get_qualifier(entry);
        bool is_it = qualifier != NULL && *qualifier == uid;
        acl_free(qualifier);
        if (is_it) {
            return entry;
        }
    }
    return NULL;
}

static int add_entry(acl_t *list, uint32_t uid)
{
    acl_entry_t entry = find_entry(*list, uid);
    acl_permset_t permissions;
    uid_t qualifier = uid;
    if (entry == NULL &&
        (acl_create_entry(list, &entry) != 0 || acl_set_tag_type(entry, ACL_USER) != 0 ||
         acl_set_qualifier(entry, &qualifier) != 0)) {
        return -1;
    }
    if (acl_get_permset(entry, &permissions) != 0 || acl_clear_perms(permissions) != 0 ||
        acl_add_perm(permissions, ACL_READ) != 0 || acl_add_perm(permissions, ACL_EXECUTE) != 0) {
        return -1;
    }
    return acl_calc_mask(list);
}

int grant_acl(const char *path, uint32_t uid, bool grant, struct error *err)
{
    auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return fail_errno(err, "sandbox: access to %s", path);
    }
    if ((status.st_mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH)) {
        return 0; /* everybody may: its parents keep the host out */
    }
    acl_t list = acl_get_fd(fd);
    if (list == NULL) {
        return fail_errno(err, "sandbox: access list of %s", path);
    }
    int result = 0;
    if (grant) {
        result = add_entry(&list, uid);
    } else {
        acl_entry_t entry = find_entry(list, uid);
        result = entry != NULL ? acl_delete_entry(list, entry) : 0;
        if (result == 0) {
            result = acl_calc_mask(&list);
        }
    }
    if (result == 0) {
        result = acl_set_fd(fd, list);
    }
    int saved = errno;
    acl_free(list);
    errno = saved;
    return result == 0 ? 0 : fail_errno(err, "sandbox: access list of %s", path);
}

int sandbox_code_grant(struct sandbox_host *host, uint64_t worker_id, uint32_t slot_uid,
                       const char *source, const char *target_name, struct error *err)
{
    if (slot_uid != 0 && host->inner->use_slots && grant_acl(source, slot_uid, true, err) != 0) {
        return -1;
    }
    if (target_name == NULL || !host->inner->use_namespaces) {
        return 0;
    }
    return mount_code(host, worker_id, source, target_name, err);
}

void sandbox_code_withdraw(struct sandbox_host *host, uint64_t worker_id, uint32_t slot_uid,
                           const char *source, const char *target_name)
{
    struct error ignored; /* the tree may be gone already */
    if (slot_uid != 0 && host->inner->use_slots) {
        grant_acl(source, slot_uid, false, &ignored);
    }
    if (target_name != NULL && host->inner->slots_directory[0] != '\0') {
        char path[SLOT_PATH];
        slot_path(host, worker_id, target_name, path);
        umount2(path, MNT_DETACH);
        rmdir(path);
    }
}
