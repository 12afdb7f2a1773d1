/*
 * How much waits in which queue. Asynchronous executions and builds are the queues there are; what
 * others queue besides (mails, webhooks, statistics ...) does not exist here, and nothing waits in
 * it.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Health/Http/Health/Queue.
 */
#include <string.h>

#include "call.h"
#include "health.h"
#include "services.h"
#include "text.h"

struct queue_input {
    const char *name;
    int64_t threshold;
};

static size_t size_of(const struct api *api, const char *queue)
{
    struct run_figures figures;

    if (text_equals(queue, "builds"))
        return api->builder == NULL ? 0 : builder_waiting(api->builder);
    if (api->run == NULL || !text_equals(queue, "functions"))
        return 0;
    run_figures(api->run, &figures);
    return figures.queued;
}

static void answer_size(struct call *call, const char *queue, size_t size)
{
    const struct queue_input *in = call->params;
    const struct health_queue answer = { .size = (int64_t)size };
    struct error err;

    if (answer.size >= in->threshold)
        fail(&err, ERROR_HEALTH_QUEUE_SIZE_EXCEEDED,
             "Queue %s threshold hit. Current size is %lld and threshold is %lld.", queue,
             (long long)answer.size, (long long)in->threshold);
    else if (call_answer(call, &answer, NULL, &err) == 0) {
        call_finish(call);
        return;
    }
    call_fail(call, &err);
}

static void queue_size(struct call *call)
{
    const char *queue = strrchr(call->endpoint->path, '/') + 1;

    answer_size(call, queue, size_of(call->api, queue));
}

/* What failed is in its row and its log; no queue keeps it. */
static void queue_failed(struct call *call)
{
    answer_size(call, ((const struct queue_input *)call->params)->name, 0);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *const *choices_queues(struct call *call)
{
    static const char *const names[] = {
        "v1-database",        "v1-deletes",     "v1-audits",     "v1-mails",         "v1-functions",
        "v1-stats-resources", "v1-stats-usage", "v1-webhooks",   "v1-certificates",  "v1-builds",
        "v1-screenshots",     "v1-messaging",   "v1-migrations", "v1-notifications", NULL,
    };

    (void)call;
    return names;
}

#define THRESHOLD                                                                \
    INTEGER(struct queue_input, threshold, .optional = true, .fallback = "5000", \
            .text = "A size from which the answer is an error.")

static const struct param size_params[] = { THRESHOLD, { 0 } };
static const struct param database_params[] = {
    TEXT(struct queue_input, name, .optional = true, .max = 256, .fallback = "database_db_main",
         .text = "Of no consequence."),
    THRESHOLD,
    { 0 },
};
static const struct param failed_params[] = {
    TEXT(struct queue_input, name, .choices = choices_queues, .text = "Name of the queue."),
    THRESHOLD,
    { 0 },
};

#define QUEUE(id_, name_, rows, begin_)                                                        \
    .id = "health." id_, .path = "/v1/health/queue/" name_, .method = "GET", .auth = AUTH_KEY, \
    .scopes = SCOPES("health.read"), .status = 200, .answers = &model_health_queue,            \
    .params = rows, .params_size = sizeof(struct queue_input), .runs = RUNS_ON_LOOP,           \
    .begin = begin_, .summary = "Size of a queue"
#define SIZE(id_, name_) QUEUE(id_, name_, size_params, queue_size), .until = "1.9.6"

const struct endpoint health_queues_endpoints[] = {
    { SIZE("getQueueWebhooks", "webhooks") },
    { SIZE("getQueueLogs", "logs") },
    { SIZE("getQueueCertificates", "certificates") },
    { SIZE("getQueueFunctions", "functions") },
    { SIZE("getQueueBuilds", "builds"), .since = "1.4.0" },
    { QUEUE("getQueueDatabases", "databases", database_params, queue_size), .since = "1.4.0",
      .until = "1.9.6" },
    { SIZE("getQueueDeletes", "deletes"), .since = "1.4.0" },
    { SIZE("getQueueMails", "mails"), .since = "1.4.0" },
    { SIZE("getQueueMessaging", "messaging"), .since = "1.4.0" },
    { SIZE("getQueueMigrations", "migrations"), .since = "1.4.0" },
    { SIZE("getQueueStatsResources", "stats-resources"), .since = "1.6.0" },
    { SIZE("getQueueUsage", "stats-usage"), .aliases = PATHS("/v1/health/queue/usage"),
      .since = "1.5.0" },
    { SIZE("getQueueStatsUsageDump", "usage-dump"), .since = "1.5.0" },
    { SIZE("getQueueAudits", "audits"), .since = "1.8.0" },
    { QUEUE("getFailedJobs", "failed/{name}", failed_params, queue_failed), .since = "1.5.0" },
    { 0 },
};
