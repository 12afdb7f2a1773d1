/* Removes what nobody comes back for. */
#include "sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "package.h"
#include "retention.h"
#include "sweep_files.h"
#include "text.h"

static const int64_t second_us = 1000000, period_us = 900000000, day_us = 86400000000;
/* What an earlier process left is older than this before the sweep's birth: fetches and builds
 * began a moment before it. */
static const int64_t start_us = 2000000;

struct sweep {
    struct api *api;
    struct loop_timer timer;
    bool is_running;           /* the loop's: a run may last longer than the period */
    int64_t now_us, oldest_us; /* of the run that is under way */
    int64_t born_us;           /* realtime */
    int64_t usage_day;         /* of the last one that looked for old usage */
    struct unowned unowned;
    struct deployment *stale; /* ids only */
    size_t count;
};

void sweep_leftovers(const char *data_directory)
{
    auto_free char *path = xasprintf("%s/uploads", data_directory);
    DIR *directory = opendir(path);

    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (text_starts(entry->d_name, "part-") || strchr(entry->d_name, '.'))
            unlinkat(dirfd(directory), entry->d_name, 0); /* "." and ".." are no files: refused */
    closedir(directory);
}

static void keep_stale(void *context, const void *entity)
{
    struct sweep *sweep = context;
    const struct deployment *row = entity;

    /* One that is fetched has no upload; the fetcher ends it. */
    if (*row->source_hash || *row->source_url || row->updated_at >= sweep->oldest_us)
        return;
    sweep->stale = xrealloc(sweep->stale, (sweep->count + 1) * sizeof *sweep->stale);
    sweep->stale[sweep->count++] = (struct deployment){
        .project_id = xstrdup(row->project_id),
        .function_id = xstrdup(row->function_id),
        .id = xstrdup(row->id),
    };
}

/* Looks again inside the writer: a piece may have come meanwhile. */
static int delete_stale(struct db *db, void *context, struct error *err)
{
    const struct deployment *stale = context;
    auto_deployment struct deployment row = { 0 };

    if (store_deployment_get(db, stale->project_id, stale->function_id, stale->id, false, &row,
                             err) < 0)
        return -1;
    if (*row.source_hash || row.updated_at > clock_realtime_us() - period_us)
        return fail(err, ERROR_BUILD_NOT_READY, NULL);
    return store_deployment_delete(db, row.project_id, row.function_id, row.id, err);
}

static void sweep_done(void *context)
{
    struct sweep *sweep = context;

    unowned_remove(sweep->api, &sweep->unowned);
    sweep->is_running = false;
}

/*
 * Whatever is about to be referred to is younger than both: a file that is taken into packages/
 * again is a new one, even if its name was there before, and a row that refers to one that is there
 * already renews it first. So nothing of a deleted row goes before the deletion is committed, and
 * nothing between a file and its row.
 */
static int64_t unowned_before_us(const struct sweep *sweep)
{
    const struct settings *settings = sweep->api->settings;
    int64_t age_us = (settings->leftover_minutes * 60 + settings->build_seconds) * second_us;
    int64_t earlier_us = sweep->born_us - start_us, old_us = sweep->now_us - age_us;

    return old_us > earlier_us ? old_us : earlier_us;
}

static void sweep_run(void *context, void *lane_state)
{
    struct sweep *sweep = context;
    struct api *api = sweep->api;
    struct error err;

    if (store_deployment_each(lane_state, "waiting", keep_stale, sweep, &err) < 0)
        log_warning("unfinished uploads were not looked through: %s", err.message);
    for (size_t i = 0; i < sweep->count; i++) {
        struct deployment *stale = &sweep->stale[i];
        if (store_write_wait(api->store, delete_stale, stale, &err) == 0) {
            upload_remove(api->settings->data, stale->id);
            log_info("deployment %s: its upload was never finished; removed", stale->id);
        }
        deployment_release(stale);
    }
    sweep->count = 0;
    int64_t day = sweep->now_us / day_us;
    retention_run(api, lane_state, sweep->now_us, day != sweep->usage_day);
    sweep->usage_day = day;
    unowned_find(api, lane_state, unowned_before_us(sweep), &sweep->unowned);
    loop_post(api->loop, sweep_done, sweep);
}

static void sweep_due(void *context)
{
    struct sweep *sweep = context;
    struct loop *loop = sweep->api->loop;

    if (!sweep->is_running) {
        sweep->now_us = loop_realtime_us(loop);
        sweep->oldest_us = sweep->now_us - sweep->api->settings->upload_hours * 3600000000;
        sweep->is_running = lanes_add(sweep->api->lanes, sweep_run, sweep) == 0;
        if (!sweep->is_running)
            log_warning("unfinished uploads were not looked through: the lanes are full");
    }
    loop_timer_arm(loop, &sweep->timer, loop_now_us(loop) + period_us, sweep_due, sweep);
}

struct sweep *sweep_new(struct api *api)
{
    struct sweep *sweep = xcalloc(1, sizeof *sweep);

    sweep->api = api;
    sweep->born_us = loop_realtime_us(api->loop);
    loop_timer_arm(api->loop, &sweep->timer, loop_now_us(api->loop) + 1000000, sweep_due, sweep);
    return sweep;
}

void sweep_free(struct sweep *sweep)
{
    if (!sweep)
        return;
    loop_timer_cancel(sweep->api->loop, &sweep->timer);
    free(sweep->stale);
    unowned_release(&sweep->unowned);
    free(sweep);
}
