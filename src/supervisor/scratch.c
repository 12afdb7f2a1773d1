/*
 * Places a child may write to: its temporary directory where it has no /tmp of its own, and the
 * package cache of its project. Two builds of one project at the same time get two caches: NAME and
 * NAME~1.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "privilege.h"
#include "text.h"
#include "trees.h"
#include "walk.h"

enum { CACHES_OF_PROJECT = 64 };

struct scratch_job {
    int dirfd;
    char name[CACHE_NAME];
    uint32_t slot_uid;
    struct walk_owner owner;
    helper_done *done;
    void *context;
};

static void scratch_done(struct supervisor *supervisor, void *context, const char *error)
{
    struct scratch_job *job = context;

    job->done(supervisor, job->context, error);
    free(job);
}

static int scratch_start(struct supervisor *supervisor, const struct scratch_job *row,
                         helper_work *work, struct error *err)
{
    struct scratch_job *job = xmalloc(sizeof(*job));

    *job = *row;
    if (helper_start(supervisor, work, scratch_done, job, err) == 0)
        return 0;
    free(job);
    return -1;
}

/* ---- temporary directories ------------------------------------------------------------------- */

int trees_tmp_create(struct supervisor *supervisor, struct child *child, struct error *err)
{
    int tmp = supervisor->data.tmp_fd;
    char name[sizeof(child->tmp)];

    if (child->slot_uid != 0)
        snprintf(name, sizeof(name), "%u", child->slot_uid);
    else
        snprintf(name, sizeof(name), "w%" PRIu64, child->serial);
    if (trees_put_away(supervisor, tmp, name, err) < 0)
        return -1;
    if (mkdirat(tmp, name, 0700) < 0 ||
        (child->slot_uid != 0 &&
         fchownat(tmp, name, child->slot_uid, child->slot_uid, AT_SYMLINK_NOFOLLOW) < 0))
        return fail_errno(err, "cannot create a temporary directory");
    snprintf(child->tmp, sizeof(child->tmp), "%s", name);
    return 0;
}

/*
 * As the slot itself: whatever trick the directory holds, nothing but the slot's own files can go.
 */
static int tmp_work(void *context, struct error *err)
{
    const struct scratch_job *job = context;

    if (job->slot_uid != 0 && privilege_take_identity(job->slot_uid, job->slot_uid) < 0)
        return fail_errno(err, "cannot become user id %u", job->slot_uid);
    return walk_empty(job->dirfd, job->name, err);
}

int trees_tmp_remove(struct supervisor *supervisor, struct child *child, helper_done *done,
                     struct error *err)
{
    struct scratch_job job = { .dirfd = supervisor->data.tmp_fd,
                               .slot_uid = child->slot_uid,
                               .done = done,
                               .context = child };

    /* Under another name, for the next child of this slot makes its own while the helper still
     * works. */
    if (trees_rename_away(supervisor, job.dirfd, child->tmp, job.name, sizeof(job.name), err) < 0)
        return -1;
    snprintf(child->tmp, sizeof(child->tmp), "%s", job.name);
    return scratch_start(supervisor, &job, tmp_work, err);
}

/* ---- package caches -------------------------------------------------------------------------- */

static void cache_name(char name[CACHE_NAME], const char *project, int number)
{
    if (number == 0)
        snprintf(name, CACHE_NAME, "%s", project);
    else
        snprintf(name, CACHE_NAME, "%s~%d", project, number);
}

static int cache_work(void *context, struct error *err)
{
    const struct scratch_job *job = context;

    return walk_own(job->dirfd, job->name, &job->owner, err);
}

int trees_cache_take(struct supervisor *supervisor, struct child *child, const char *project,
                     helper_done *done, struct error *err)
{
    const struct slots *slots = &supervisor->slots;
    struct scratch_job job = { .dirfd = supervisor->data.cache_fd, .done = done, .context = child };
    int number = 0;

    for (cache_name(job.name, project, number); children_use_cache(supervisor, job.name);
         cache_name(job.name, project, number))
        if (++number == CACHES_OF_PROJECT)
            return fail(err, ERROR_INTERNAL, "too many builds of project %s at once", project);
    if (mkdirat(job.dirfd, job.name, 0700) < 0 && errno != EEXIST)
        return fail_errno(err, "cannot create a package cache");
    /* Files that a sealed tree shares by hard link belong to the owner by now and leave the cache
     * here. */
    if (child->slot_uid != 0)
        job.owner = (struct walk_owner){ .change = true,
                                         .user = child->slot_uid,
                                         .group = child->slot_uid,
                                         .first = slots->first,
                                         .last = slots->first + slots->count - 1 };
    if (scratch_start(supervisor, &job, cache_work, err) < 0)
        return -1;
    snprintf(child->cache, sizeof(child->cache), "%s", job.name);
    return 0;
}

void trees_cache_return(struct supervisor *supervisor, const struct child *child)
{
    if (child->slot_uid != 0 &&
        fchownat(supervisor->data.cache_fd, child->cache, supervisor->data.owner,
                 supervisor->data.group, AT_SYMLINK_NOFOLLOW) < 0)
        log_warning("package cache %s: cannot close it", child->cache);
}

int caches_remove(struct supervisor *supervisor, const char *project, struct error *err)
{
    char name[CACHE_NAME];

    for (int number = 0; number < CACHES_OF_PROJECT; number++) {
        cache_name(name, project, number);
        if (children_use_cache(supervisor, name))
            return fail(err, ERROR_INTERNAL, "the package cache of %s is in use", project);
        if (trees_put_away(supervisor, supervisor->data.cache_fd, name, err) < 0)
            return -1;
    }
    return 0;
}
