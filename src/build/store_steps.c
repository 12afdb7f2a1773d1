/*
 * What a build reads from and writes to the store. Runs on lanes; every move of a status is a
 * compare-and-set, so that a cancel that came first is never overwritten.
 */
#include "builder_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"

struct secrets {
    char **values;
    size_t count;
};

static void keep_secret(void *context, const void *entity)
{
    struct secrets *secrets = context;
    const struct variable *variable = entity;

    if (!variable->secret)
        return;
    secrets->values = xrealloc(secrets->values, (secrets->count + 2) * sizeof *secrets->values);
    secrets->values[secrets->count++] = xstrdup(variable->value);
    secrets->values[secrets->count] = NULL;
}

static int mark_processing(struct db *db, void *context, struct error *err)
{
    struct job *job = context;
    struct deployment *d = &job->deployment;
    /* a source that was fetched is processing already */
    const char *from = strcmp(d->status, "processing") == 0 ? "processing" : "waiting";

    if (store_deployment_move(db, job->project_id, d->id, from, "processing", err) < 0)
        return -1;
    free(d->status);
    d->status = xstrdup("processing");
    d->build_attempts++;
    d->build_started_at = clock_realtime_us();
    return store_deployment_update(db, d, err);
}

int job_load(struct job *job, struct db *db, struct error *err)
{
    struct secrets secrets = { 0 };
    int64_t size;

    if (store_deployment_get(db, job->project_id, job->function_id, job->deployment_id, false,
                             &job->deployment, err) < 0)
        return -1;
    if (store_variable_each(db, job->project_id, "", keep_secret, &secrets, err) < 0 ||
        store_variable_each(db, job->project_id, job->function_id, keep_secret, &secrets, err) <
            0) {
        for (size_t i = 0; i < secrets.count; i++)
            free(secrets.values[i]);
        free(secrets.values);
        return -1;
    }
    job->secrets = secrets.values;
    if (package_open(job->builder->options.settings->data, job->deployment.source_hash,
                     &job->package_fd, &size, err) < 0)
        return fail_add(err, "source");
    return store_write_wait(job->builder->options.store, mark_processing, job, err);
}

static int write_building(struct db *db, void *context, struct error *err)
{
    struct job *job = context;

    return store_deployment_move(db, job->project_id, job->deployment_id, "processing", "building",
                                 err);
}

int job_mark_building(struct job *job, struct db *db, struct error *err)
{
    (void)db;
    return store_write_wait(job->builder->options.store, write_building, job, err);
}

/* A new file, even if another deployment had the same: too young to be removed before the row that
 * refers to it is written. */
int job_keep_output(struct job *job, struct db *db, struct error *err)
{
    char hash[PACKAGE_HASH];
    int64_t size;

    (void)db;
    if (package_take(job->builder->options.settings->data, job->output_path, hash, &size, err) < 0)
        return -1;
    free(job->deployment.output_hash);
    job->deployment.output_hash = xstrdup(hash);
    job->deployment.build_size = size;
    return 0;
}

/* The row as it is now, with what the build found out; refuses when the row was canceled or deleted
 * meanwhile. */
static int finish_row(struct db *db, struct job *job, const char *status, struct error *err)
{
    auto_deployment struct deployment row = { 0 };

    if (store_deployment_get(db, job->project_id, job->function_id, job->deployment_id, false, &row,
                             err) < 0)
        return -1;
    if (strcmp(row.status, "building") != 0 && strcmp(row.status, "processing") != 0)
        return fail(err, ERROR_BUILD_ALREADY_COMPLETED, NULL);
    free(row.output_hash);
    row.output_hash = xstrdup(job->deployment.output_hash ? job->deployment.output_hash : "");
    row.build_size = job->deployment.build_size;
    row.build_duration = (clock_realtime_us() - row.build_started_at + 999999) / 1000000;
    if (store_deployment_update(db, &row, err) < 0 ||
        store_deployment_move(db, job->project_id, row.id, row.status, status, err) < 0)
        return -1;
    job->deployment.activate = row.activate;
    job->deployment.created_at = row.created_at;
    return 0;
}

static int count_build(struct db *db, const struct job *job, const char *outcome, struct error *err)
{
    const int64_t hour = clock_realtime_us() / 3600000000,
                  took_ms = (clock_monotonic_us() - job->started_us) / 1000;
    const int64_t mb_seconds = job->memory_mb * job->cpus_milli / 1000 * took_ms / 1000;
    const struct {
        const char *metric;
        int64_t amount;
    } rows[] = {
        { "builds", 1 },
        { outcome, 1 },
        { "builds.compute", took_ms },
        { "builds.mbSeconds", mb_seconds },
        { "builds.storage", job->deployment.build_size },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].amount != 0 && store_usage_add(db, job->project_id, job->function_id,
                                                   rows[i].metric, hour, rows[i].amount, err) < 0)
            return -1;
    return 0;
}

/* An older deployment that finishes late never replaces a newer one. */
static int activate_row(struct db *db, const struct job *job, struct error *err)
{
    auto_function struct function function = { 0 };

    if (!job->deployment.activate)
        return 0;
    if (store_function_get(db, job->project_id, job->function_id, &function, err) < 0)
        return -1;
    if (*function.deployment_id && function.deployment_created_at > job->deployment.created_at)
        return 0;
    return store_deployment_activate(db, job->project_id, job->function_id, job->deployment_id,
                                     err);
}

static int write_ready(struct db *db, void *context, struct error *err)
{
    struct job *job = context;

    if (finish_row(db, job, "ready", err) < 0 || activate_row(db, job, err) < 0)
        return -1;
    return count_build(db, job, "builds.success", err);
}

int job_mark_ready(struct job *job, struct db *db, struct error *err)
{
    (void)db;
    return store_write_wait(job->builder->options.store, write_ready, job, err);
}

static int write_failed(struct db *db, void *context, struct error *err)
{
    struct job *job = context;

    if (finish_row(db, job, "failed", err) < 0)
        return -1;
    return count_build(db, job, "builds.failed", err);
}

int job_mark_failed(struct job *job, struct db *db, struct error *err)
{
    (void)db;
    return store_write_wait(job->builder->options.store, write_failed, job, err);
}
