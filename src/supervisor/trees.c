/*
 * Build trees: named by the api, made for a slot, sealed for all, removed. Long work is done by
 * helpers on a tree that no name reaches any more: what goes is renamed to .trash.* first, so that
 * its name is free at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "text.h"
#include "trees.h"
#include "walk.h"

static const char trash_prefix[] = ".trash.";

struct tree_job { /* what a helper on a tree needs, and what to do afterwards */
    int dirfd;
    char name[96];
    char tree[MESSAGE_NAME];
    struct walk_owner owner;
    mode_t top_mode;
    uint64_t api; /* generation of the api to be told; 0: none */
    struct message_tree message;
};

/* ---- putting away ---------------------------------------------------------------------------- */

static int trash_work(void *context, struct error *err)
{
    const struct tree_job *job = context;

    return walk_remove(job->dirfd, job->name, err);
}

static void answer(struct supervisor *supervisor, const struct message_tree *message,
                   const char *error)
{
    struct message_tree reply = *message;

    reply.type = message->type == MESSAGE_SEAL ? MESSAGE_SEALED : MESSAGE_REMOVED;
    snprintf(reply.error, sizeof(reply.error), "%s", error);
    api_process_send(supervisor, &reply, sizeof(reply));
}

static void lease_drop(struct supervisor *supervisor, const char *tree)
{
    for (struct lease **link = &supervisor->leases; *link != NULL; link = &(*link)->next) {
        struct lease *lease = *link;

        if (!text_equals(lease->tree, tree))
            continue;
        *link = lease->next;
        slots_give_back(&supervisor->slots, lease->slot_uid);
        free(lease);
        return;
    }
}

static void trash_done(struct supervisor *supervisor, void *context, const char *error)
{
    struct tree_job *job = context;

    if (error[0] != '\0')
        log_warning("%s: %s", job->name, error);
    if (job->tree[0] != '\0')
        lease_drop(supervisor, job->tree);
    if (job->api == supervisor->api.generation)
        answer(supervisor, &job->message, error);
    free(job);
}

int trees_put_away(struct supervisor *supervisor, int dirfd, const char *name, struct error *err)
{
    struct tree_job *job = xcalloc(1, sizeof(*job));

    job->dirfd = dirfd;
    if (trees_rename_away(supervisor, dirfd, name, job->name, sizeof(job->name), err) < 0 ||
        (job->name[0] != '\0' && helper_start(supervisor, trash_work, trash_done, job, err) < 0)) {
        free(job);
        return -1;
    }
    if (job->name[0] == '\0')
        free(job);
    return 0;
}

int trees_rename_away(struct supervisor *supervisor, int dirfd, const char *name, char *ret_name,
                      size_t name_bytes, struct error *err)
{
    char away[96];

    snprintf(away, sizeof(away), "%s%" PRId64 ".%" PRIu64, trash_prefix, clock_realtime_us(),
             ++supervisor->last_serial);
    if (renameat(dirfd, name, dirfd, away) < 0) {
        if (errno != ENOENT)
            return fail_errno(err, "cannot put %s away", name);
        away[0] = '\0';
    }
    snprintf(ret_name, name_bytes, "%s", away);
    return 0;
}

/* ---- leases --------------------------------------------------------------------------------- */

struct lease *trees_lease(const struct supervisor *supervisor, const char *tree)
{
    for (struct lease *lease = supervisor->leases; lease != NULL; lease = lease->next)
        if (text_equals(lease->tree, tree))
            return lease;
    return NULL;
}

int trees_check(const struct supervisor *supervisor, const char *tree, struct error *err)
{
    struct stat status;

    if (trees_lease(supervisor, tree) != NULL)
        return fail(err, ERROR_INTERNAL, "build tree %s is not sealed", tree);
    if (fstatat(supervisor->data.builds_fd, tree, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(status.st_mode))
        return fail(err, ERROR_INTERNAL, "there is no build tree %s", tree);
    return 0;
}

int trees_create(struct supervisor *supervisor, const char *tree, struct lease **ret_lease,
                 struct error *err)
{
    int builds = supervisor->data.builds_fd;
    struct lease *lease;
    uint32_t uid;

    if (trees_lease(supervisor, tree) != NULL)
        return fail(err, ERROR_INTERNAL, "build tree %s is being built already", tree);
    if (trees_put_away(supervisor, builds, tree, err) < 0 ||
        slots_take(&supervisor->slots, &uid, err) < 0)
        return -1;
    if (mkdirat(builds, tree, 0700) < 0 ||
        (uid != 0 && fchownat(builds, tree, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)) {
        fail_errno(err, "cannot create the build tree %s", tree);
        slots_give_back(&supervisor->slots, uid);
        return -1;
    }
    lease = xcalloc(1, sizeof(*lease));
    snprintf(lease->tree, sizeof(lease->tree), "%s", tree);
    lease->slot_uid = uid;
    lease->next = supervisor->leases;
    supervisor->leases = lease;
    *ret_lease = lease;
    return 0;
}

/* Root in `full` relies on the closed DIR and on mounts; elsewhere the top directory itself is
 * closed but for an ACL. */
static mode_t sealed_mode(const struct supervisor *supervisor)
{
    return supervisor->host.profile == SANDBOX_FULL && supervisor->slots.count > 0 ? 0755 : 0700;
}

static int seal_work(void *context, struct error *err)
{
    const struct tree_job *job = context;

    return walk_seal(job->dirfd, job->name, &job->owner, job->top_mode, err);
}

static void seal_done(struct supervisor *supervisor, void *context, const char *error)
{
    struct tree_job *job = context;
    struct lease *lease = trees_lease(supervisor, job->tree);

    if (lease != NULL)
        lease->busy = false;
    if (lease != NULL && error[0] == '\0')
        lease_drop(supervisor, job->tree);
    else
        trees_collect(supervisor);
    if (job->api == supervisor->api.generation)
        answer(supervisor, &job->message, error);
    free(job);
}

static int seal_begin(struct supervisor *supervisor, const struct message_tree *message,
                      struct error *err)
{
    struct lease *lease = trees_lease(supervisor, message->tree);
    struct tree_job *job;

    if (lease == NULL)
        return fail(err, ERROR_INTERNAL, "no build tree %s waits to be sealed", message->tree);
    if (lease->busy || children_use_tree(supervisor, message->tree))
        return fail(err, ERROR_INTERNAL, "build tree %s is in use", message->tree);
    job = xcalloc(1, sizeof(*job));
    job->dirfd = supervisor->data.builds_fd;
    job->owner = (struct walk_owner){ .change = lease->slot_uid != 0,
                                      .user = supervisor->data.owner,
                                      .group = supervisor->data.group,
                                      .first = lease->slot_uid,
                                      .last = lease->slot_uid };
    job->top_mode = sealed_mode(supervisor);
    job->api = supervisor->api.generation;
    job->message = *message;
    snprintf(job->name, sizeof(job->name), "%s", message->tree);
    snprintf(job->tree, sizeof(job->tree), "%s", message->tree);
    if (helper_start(supervisor, seal_work, seal_done, job, err) < 0) {
        free(job);
        return -1;
    }
    lease->busy = true;
    return 0;
}

void trees_seal(struct supervisor *supervisor, const struct message_tree *message)
{
    struct error err;

    if (seal_begin(supervisor, message, &err) < 0)
        answer(supervisor, message, err.message);
}

/* ---- removing ------------------------------------------------------------------------------- */

static int remove_build(struct supervisor *supervisor, const struct message_tree *message,
                        uint64_t api, struct error *err)
{
    struct lease *lease = trees_lease(supervisor, message->tree);
    struct tree_job *job;

    if (lease != NULL && (lease->busy || children_use_tree(supervisor, message->tree)))
        return fail(err, ERROR_INTERNAL, "build tree %s is in use", message->tree);
    job = xcalloc(1, sizeof(*job));
    job->dirfd = supervisor->data.builds_fd;
    job->api = api;
    job->message = *message;
    if (lease != NULL)
        snprintf(job->tree, sizeof(job->tree), "%s", message->tree);
    if (trees_rename_away(supervisor, job->dirfd, message->tree, job->name, sizeof(job->name),
                          err) < 0) {
        free(job);
        return -1;
    }
    if (job->name[0] == '\0') { /* it was not there */
        trash_done(supervisor, job, "");
        return 0;
    }
    if (helper_start(supervisor, trash_work, trash_done, job, err) < 0) {
        free(job);
        return -1;
    }
    if (lease != NULL)
        lease->busy = true;
    return 0;
}

void trees_remove(struct supervisor *supervisor, const struct message_tree *message)
{
    struct error err;

    if (message->place == TREE_BUILD) {
        if (remove_build(supervisor, message, supervisor->api.generation, &err) < 0)
            answer(supervisor, message, err.message);
        return;
    }
    answer(supervisor, message,
           caches_remove(supervisor, message->tree, &err) < 0 ? err.message : "");
}

void trees_collect(struct supervisor *supervisor)
{
    struct lease *next;

    for (struct lease *lease = supervisor->leases; lease != NULL; lease = next) {
        struct message_tree message = { .type = MESSAGE_REMOVE };
        struct error err;

        next = lease->next;
        if (!lease->abandoned || lease->busy || children_use_tree(supervisor, lease->tree))
            continue;
        snprintf(message.tree, sizeof(message.tree), "%s", lease->tree);
        if (remove_build(supervisor, &message, 0, &err) < 0)
            log_warning("build tree %s: %s", message.tree, err.message);
    }
}

void trees_abandon(struct supervisor *supervisor)
{
    for (struct lease *lease = supervisor->leases; lease != NULL; lease = lease->next)
        lease->abandoned = true;
    trees_collect(supervisor);
}

void trees_release(struct supervisor *supervisor)
{
    while (supervisor->leases != NULL)
        lease_drop(supervisor, supervisor->leases->tree);
}

/* ---- at start ------------------------------------------------------------------------------- */

static int tidy_work(void *context, struct error *err)
{
    const int *dirfds = context;

    for (size_t i = 0; dirfds[i] >= 0; i++) {
        DIR *stream = fdopendir(openat(dirfds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

        if (stream == NULL)
            return fail_errno(err, "tidy");
        for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
            if (text_starts(entry->d_name, trash_prefix) &&
                walk_remove(dirfds[i], entry->d_name, err) < 0)
                log_warning("cannot remove what an earlier start left: %s", err->message);
        closedir(stream);
    }
    return 0;
}

static void tidy_done(struct supervisor *supervisor, void *context, const char *error)
{
    (void)supervisor;
    if (error[0] != '\0')
        log_warning("cannot remove what an earlier start left: %s", error);
    free(context);
}

/* A tree of an unfinished build still belongs to a slot. Rights that ended workers were given go,
 * modes follow the profile. */
static int tidy_tree(struct supervisor *supervisor, int dirfd, const char *name,
                     const struct stat *status, struct error *err)
{
    char away[96];
    auto_fd int fd = -1;

    if (status->st_uid != supervisor->data.owner)
        return trees_rename_away(supervisor, dirfd, name, away, sizeof(away), err);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "build tree %s", name);
    fremovexattr(fd, "system.posix_acl_access");
    if (fchmod(fd, sealed_mode(supervisor)) < 0)
        return fail_errno(err, "build tree %s", name);
    return 0;
}

static int tidy_cache(struct supervisor *supervisor, int dirfd, const char *name,
                      const struct stat *status, struct error *err)
{
    if (status->st_uid == supervisor->data.owner || supervisor->slots.count == 0)
        return 0;
    if (fchownat(dirfd, name, supervisor->data.owner, supervisor->data.group, AT_SYMLINK_NOFOLLOW) <
        0)
        return fail_errno(err, "package cache %s", name);
    return 0;
}

static int tidy_tmp(struct supervisor *supervisor, int dirfd, const char *name,
                    const struct stat *status, struct error *err)
{
    char away[96];

    (void)status;
    return trees_rename_away(supervisor, dirfd, name, away, sizeof(away), err);
}

typedef int tidy_entry(struct supervisor *supervisor, int dirfd, const char *name,
                       const struct stat *status, struct error *err);

static int tidy_each(struct supervisor *supervisor, int dirfd, tidy_entry *visit, struct error *err)
{
    DIR *stream = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int result = 0;

    if (stream == NULL)
        return fail_errno(err, "tidy");
    for (const struct dirent *entry; result == 0 && (entry = readdir(stream)) != NULL;) {
        char away[96];
        struct stat status;

        if (text_starts(entry->d_name, trash_prefix) || text_equals(entry->d_name, ".") ||
            text_equals(entry->d_name, "..") ||
            fstatat(dirfd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        result = S_ISDIR(status.st_mode)
                     ? visit(supervisor, dirfd, entry->d_name, &status, err)
                     : trees_rename_away(supervisor, dirfd, entry->d_name, away, sizeof(away), err);
    }
    closedir(stream);
    return result;
}

int trees_tidy(struct supervisor *supervisor, struct error *err)
{
    const struct data_directory *data = &supervisor->data;
    int *dirfds;

    if (tidy_each(supervisor, data->builds_fd, tidy_tree, err) < 0 ||
        tidy_each(supervisor, data->cache_fd, tidy_cache, err) < 0 ||
        tidy_each(supervisor, data->tmp_fd, tidy_tmp, err) < 0)
        return -1;
    dirfds = xcalloc(4, sizeof(*dirfds));
    dirfds[0] = data->builds_fd;
    dirfds[1] = data->cache_fd;
    dirfds[2] = data->tmp_fd;
    dirfds[3] = -1;
    if (helper_start(supervisor, tidy_work, tidy_done, dirfds, err) < 0) {
        free(dirfds);
        return -1;
    }
    return 0;
}
