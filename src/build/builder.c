/*
 * The builder's queue: which deployment is built next, and what a restart makes of those that were
 * under way.
 */
#include "builder_private.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"

enum { RETRY_US = 500000, STORAGE_RETRY_US = 5000000, ATTEMPTS_MOST = 2 };

static const char interrupted[] =
    "Build interrupted twice by a restart of the server. Please redeploy.\n";

static struct job *builder_find(const struct builder *builder, const char *deployment_id)
{
    for (struct job *job = builder->first; job; job = job->next)
        if (strcmp(job->deployment_id, deployment_id) == 0)
            return job;
    return NULL;
}

static void job_free(struct job *job)
{
    loop_timer_cancel(job->builder->options.loop, &job->deadline);
    loop_timer_cancel(job->builder->options.loop, &job->again);
    job_log_close(job);
    deployment_release(&job->deployment);
    for (char **secret = job->secrets; secret && *secret; secret++)
        free(*secret);
    free(job->secrets);
    free(job->project_id);
    free(job->function_id);
    free(job->deployment_id);
    free(job->output_path);
    free(job);
}

static void builder_unlink(struct builder *builder, struct job *job)
{
    *(job->previous ? &job->previous->next : &builder->first) = job->next;
    *(job->next ? &job->next->previous : &builder->last) = job->previous;
    *(job->running ? &builder->running : &builder->waiting) -= 1;
}

static void builder_next(struct builder *builder);

void builder_job_done(struct job *job)
{
    struct builder *builder = job->builder;

    builder_unlink(builder, job);
    job_free(job);
    builder_next(builder);
}

static void builder_retry(void *context)
{
    builder_next(context);
}

static void builder_next(struct builder *builder)
{
    const struct settings *settings = builder->options.settings;
    struct error err;

    if (builder->stopping || builder->waiting == 0 || builder->running >= (size_t)settings->builds)
        return;
    if (package_room(settings->data, settings->disk_reserve_mb, 0, &err) < 0) {
        log_warning("no build begins: %s", err.message);
        loop_timer_arm(builder->options.loop, &builder->retry,
                       loop_now_us(builder->options.loop) + STORAGE_RETRY_US, builder_retry,
                       builder);
        return;
    }
    for (struct job *job = builder->first, *next;
         job && builder->running < (size_t)settings->builds; job = next) {
        next = job->next;
        if (job->running)
            continue;
        job->running = true;
        builder->waiting--;
        builder->running++;
        job_start(job);
    }
}

void builder_add(struct builder *builder, const char *project_id, const char *function_id,
                 const char *deployment_id)
{
    if (builder->stopping || builder_find(builder, deployment_id))
        return;
    struct job *job = xcalloc(1, sizeof *job);
    job->builder = builder;
    job->project_id = xstrdup(project_id);
    job->function_id = xstrdup(function_id);
    job->deployment_id = xstrdup(deployment_id);
    job->log_fd = job->package_fd = job->output_fd = -1;
    job_log_open(job);
    job->previous = builder->last;
    *(builder->last ? &builder->last->next : &builder->first) = job;
    builder->last = job;
    builder->waiting++;
    builder_next(builder);
}

bool builder_has(const struct builder *builder, const char *deployment_id)
{
    return builder_find(builder, deployment_id) != NULL;
}

void builder_cancel(struct builder *builder, const char *deployment_id)
{
    struct job *job = builder_find(builder, deployment_id);

    if (!job)
        return;
    job->canceled = true;
    if (job->running)
        job_abort(job);
    else
        builder_job_done(job);
}

static void tree_removed(void *context, const char *error)
{
    (void)context;
    if (*error)
        log_warning("a deployment's tree was not removed: %s", error);
}

void builder_forget(struct builder *builder, const char *deployment_id)
{
    builder_cancel(builder, deployment_id);
    run_tree_remove(builder->options.run, deployment_id, tree_removed, NULL);
}

/* ---- start ----------------------------------------------------------------------------------- */

struct restart {
    struct builder *builder;
    struct deployment *rows;
    size_t count;
    bool waiting; /* these rows only need to be queued */
};

static void keep_row(void *context, const void *entity)
{
    struct restart *restart = context;
    const struct deployment *row = entity;
    struct deployment *kept;

    if (!*row->source_hash) /* its upload is not whole yet */
        return;
    restart->rows = xrealloc(restart->rows, (restart->count + 1) * sizeof *restart->rows);
    kept = &restart->rows[restart->count++];
    memset(kept, 0, sizeof *kept);
    kept->project_id = xstrdup(row->project_id);
    kept->function_id = xstrdup(row->function_id);
    kept->id = xstrdup(row->id);
    kept->status = xstrdup(row->status);
    kept->build_attempts = row->build_attempts;
}

static int settle_row(struct db *db, void *context, struct error *err)
{
    const struct deployment *row = context;
    const bool again = row->build_attempts < ATTEMPTS_MOST;

    if (!again && store_deployment_log(db, row->project_id, row->id, interrupted,
                                       strlen(interrupted), 1000000, err) < 0)
        return -1;
    return store_deployment_move(db, row->project_id, row->id, row->status,
                                 again ? "waiting" : "failed", err);
}

static int restart_status(struct builder *builder, struct db *db, const char *status,
                          struct error *err)
{
    struct restart restart = { .builder = builder, .waiting = strcmp(status, "waiting") == 0 };
    int result = store_deployment_each(db, status, keep_row, &restart, err);

    for (size_t i = 0; i < restart.count; i++) {
        struct deployment *row = &restart.rows[i];
        if (result == 0 && !restart.waiting)
            result = store_write_wait(builder->options.store, settle_row, row, err);
        if (result == 0 && (restart.waiting || row->build_attempts < ATTEMPTS_MOST))
            builder_add(builder, row->project_id, row->function_id, row->id);
        deployment_release(row);
    }
    free(restart.rows);
    return result;
}

int builder_new(const struct builder_options *options, struct db *db, struct builder **ret_builder,
                struct error *err)
{
    struct builder *builder = xcalloc(1, sizeof *builder);
    static const char *const statuses[] = { "processing", "building", "waiting" };

    builder->options = *options;
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (restart_status(builder, db, statuses[i], err) < 0) {
            builder_free(builder);
            return -1;
        }
    *ret_builder = builder;
    return 0;
}

void builder_stop(struct builder *builder)
{
    builder->stopping = true;
    for (struct job *job = builder->first, *next; job; job = next) {
        next = job->next;
        if (job->running)
            job_abort(job);
    }
}

void builder_free(struct builder *builder)
{
    if (!builder)
        return;
    loop_timer_cancel(builder->options.loop, &builder->retry);
    for (struct job *job = builder->first, *next; job; job = next) {
        next = job->next;
        builder_unlink(builder, job);
        job_free(job);
    }
    free(builder);
}

size_t builder_waiting(const struct builder *builder)
{
    return builder->waiting;
}
