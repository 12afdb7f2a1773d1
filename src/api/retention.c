/*
 * Removes what has been kept long enough.
 *
 * Everything goes through the writer like any other write, a few rows at a time, so that a request
 * that comes meanwhile waits for one step and not for all of them.
 */
#include "retention.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "package.h"
#include "text.h"

enum {
    STEP_ROWS = 500,
    RUN_SECONDS = 10, /* a lane is gone for so long */
    USAGE_DAYS = 100, /* the longest range shown is 90 */
    HOURS_A_DAY = 24
};
static const int64_t second_us = 1000000, day_us = 86400000000;

struct retention {
    struct api *api;
    struct db *db;
    int64_t now_us, end_us; /* realtime; monotonic */
};

static bool is_time_up(const struct retention *retention)
{
    return clock_monotonic_us() >= retention->end_us;
}

/* ---- executions ------------------------------------------------------------------------------ */

struct expiry {
    int64_t before_us, count;
};

static int write_expiry(struct db *db, void *context, struct error *err)
{
    struct expiry *expiry = context;

    return store_execution_expire(db, expiry->before_us, STEP_ROWS, &expiry->count, err);
}

static void expire_executions(const struct retention *retention)
{
    int64_t days = retention->api->settings->execution_retention_days, removed = 0;
    struct expiry expiry = { .before_us = retention->now_us - days * day_us, .count = STEP_ROWS };
    struct error err;

    while (days > 0 && expiry.count == STEP_ROWS && !is_time_up(retention)) {
        if (store_write_wait(retention->api->store, write_expiry, &expiry, &err) < 0) {
            log_warning("old executions stay for now: %s", err.message);
            return;
        }
        removed += expiry.count;
    }
    if (removed > 0)
        log_info("%lld executions were older than %lld days; removed", (long long)removed,
                 (long long)days);
}

/* ---- deployments ----------------------------------------------------------------------------- */

/* One that is to go; of it only the ids. */
struct leaving {
    struct leaving *next;
    struct api *api;
    struct deployment deployment;
};

static void leaving_free(struct leaving *leaving)
{
    deployment_release(&leaving->deployment);
    free(leaving);
}

struct collecting {
    const struct retention *retention;
    const struct function *function;
    struct leaving *first;
};

static bool is_over(const struct deployment *deployment)
{
    return text_equals(deployment->status, "ready") || text_equals(deployment->status, "failed") ||
           text_equals(deployment->status, "canceled");
}

static void collect_deployment(void *context, const void *entity)
{
    struct collecting *collecting = context;
    const struct function *function = collecting->function;
    const struct deployment *row = entity;
    int64_t before_us = collecting->retention->now_us - function->deployment_retention * day_us;

    if (row->created_at >= before_us || !is_over(row) ||
        text_equals_nocase(row->id, function->deployment_id))
        return;
    struct leaving *leaving = xcalloc(1, sizeof(*leaving));
    *leaving = (struct leaving){ .next = collecting->first,
                                 .api = collecting->retention->api,
                                 .deployment = { .project_id = xstrdup(row->project_id),
                                                 .function_id = xstrdup(row->function_id),
                                                 .id = xstrdup(row->id) } };
    collecting->first = leaving;
}

/* Looks again: it may be in use by now. */
static int write_removal(struct db *db, void *context, struct error *err)
{
    const struct deployment *leaving = context;
    auto_function struct function function = { 0 };
    bool is_shown;

    if (store_function_get(db, leaving->project_id, leaving->function_id, &function, err) < 0 ||
        store_rule_shows(db, leaving->project_id, leaving->id, &is_shown, err) < 0)
        return -1;
    if (is_shown || text_equals_nocase(function.deployment_id, leaving->id))
        return fail(err, ERROR_BUILD_ALREADY_COMPLETED, NULL);
    return store_deployment_delete(db, leaving->project_id, leaving->function_id, leaving->id, err);
}

static void forget(void *context)
{
    struct leaving *leaving = context;

    if (leaving->api->builder != NULL)
        builder_forget(leaving->api->builder, leaving->deployment.id);
    leaving_free(leaving);
}

static void remove_deployment(const struct retention *retention, struct leaving *leaving)
{
    struct api *api = retention->api;
    struct error err;

    if (is_time_up(retention) ||
        store_write_wait(api->store, write_removal, &leaving->deployment, &err) < 0) {
        leaving_free(leaving);
        return;
    }
    upload_remove(api->settings->data, leaving->deployment.id);
    log_info("deployment %s of function %s was kept long enough; removed", leaving->deployment.id,
             leaving->deployment.function_id);
    loop_post(api->loop, forget, leaving);
}

static void remove_deployments(const struct retention *retention, const struct function *function)
{
    struct collecting collecting = { .retention = retention, .function = function };
    const struct list_query all = { .project_id = function->project_id,
                                    .function_id = function->id,
                                    .limit = INT64_MAX };
    struct error err;
    int64_t total;

    if (store_list(retention->db, LIST_DEPLOYMENTS, &all, collect_deployment, &collecting, &total,
                   &err) < 0)
        log_warning("old deployments of %s stay for now: %s", function->id, err.message);
    for (struct leaving *leaving = collecting.first, *next; leaving != NULL; leaving = next) {
        next = leaving->next;
        remove_deployment(retention, leaving);
    }
}

/* ---- usage ----------------------------------------------------------------------------------- */

struct folding {
    const char *project_id, *function_id;
    int64_t before_hour;
};

static int write_fold(struct db *db, void *context, struct error *err)
{
    const struct folding *folding = context;

    return store_usage_fold(db, folding->project_id, folding->function_id, folding->before_hour,
                            err);
}

static void fold_usage(const struct retention *retention, const char *project_id,
                       const char *function_id)
{
    int64_t day = retention->now_us / day_us - USAGE_DAYS;
    struct folding folding = { project_id, function_id, day * HOURS_A_DAY };
    struct error err;
    bool is_old;

    if (store_usage_is_old(retention->db, project_id, function_id, folding.before_hour, &is_old,
                           &err) == 0 &&
        (!is_old || store_write_wait(retention->api->store, write_fold, &folding, &err) == 0))
        return;
    log_warning("old usage of %s stays for now: %s", function_id, err.message);
}

/* ---- all of it ------------------------------------------------------------------------------- */

struct owners {
    struct function *functions; /* ids, retention and active deployment */
    size_t count, capacity;
};

static void add_owner(struct owners *owners, struct function owner)
{
    if (owners->count == owners->capacity) {
        owners->capacity = owners->capacity == 0 ? 64 : 2 * owners->capacity;
        owners->functions = xrealloc(owners->functions,
                                     owners->capacity * sizeof(*owners->functions));
    }
    owners->functions[owners->count++] = owner;
}

static void take_function(void *context, const void *entity)
{
    const struct function *function = entity;

    add_owner(context, (struct function){ .project_id = xstrdup(function->project_id),
                                          .id = xstrdup(function->id),
                                          .deployment_id = xstrdup(function->deployment_id),
                                          .deployment_retention = function->deployment_retention });
}

/* A project's own counters are under no function. */
static void take_project(void *context, const void *entity)
{
    const struct project *project = entity;

    add_owner(context, (struct function){ .project_id = xstrdup(project->id), .id = xstrdup("") });
}

void retention_run(struct api *api, struct db *db, int64_t now_us, bool with_usage)
{
    const struct retention retention = { api, db, now_us,
                                         clock_monotonic_us() + RUN_SECONDS * second_us };
    struct owners owners = { .count = 0 };
    struct error err;

    expire_executions(&retention);
    if (store_function_each(db, take_function, &owners, &err) < 0 ||
        store_project_each(db, take_project, &owners, &err) < 0)
        log_warning("what is old stays for now: %s", err.message);
    for (size_t i = 0; i < owners.count; i++) {
        struct function *owner = &owners.functions[i];
        if (with_usage && !is_time_up(&retention))
            fold_usage(&retention, owner->project_id, owner->id);
        if (owner->deployment_retention > 0 && !is_time_up(&retention))
            remove_deployments(&retention, owner);
        function_release(owner);
    }
    free(owners.functions);
}
