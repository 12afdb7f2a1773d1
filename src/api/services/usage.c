/*
 * What functions used, by hours or days.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Functions/Http/Usage.
 */
#include "services/usage.h"

#include <string.h>

#include "call.h"
#include "clock.h"
#include "mem.h"
#include "services.h"

enum { HOURS_A_DAY = 24 };
static const int64_t hour_us = 3600000000;

static const char *const metrics[USAGE_METRICS] = {
    [USAGE_METRIC_FUNCTIONS] = "functions",
    [USAGE_METRIC_DEPLOYMENTS] = "deployments",
    [USAGE_METRIC_DEPLOYMENTS_STORAGE] = "deployments.storage",
    [USAGE_METRIC_BUILDS] = "builds",
    [USAGE_METRIC_BUILDS_SUCCESS] = "builds.success",
    [USAGE_METRIC_BUILDS_FAILED] = "builds.failed",
    [USAGE_METRIC_BUILDS_STORAGE] = "builds.storage",
    [USAGE_METRIC_BUILDS_TIME] = "builds.compute",
    [USAGE_METRIC_BUILDS_MB_SECONDS] = "builds.mbSeconds",
    [USAGE_METRIC_EXECUTIONS] = "executions",
    [USAGE_METRIC_EXECUTIONS_FAILED] = "executions.failed",
    [USAGE_METRIC_EXECUTIONS_TIME] = "executions.compute",
    [USAGE_METRIC_EXECUTIONS_MB_SECONDS] = "executions.mbSeconds",
};

static const struct range {
    const char *name;
    size_t count;
    int64_t step_hours;
} ranges[] = {
    { "24h", 24, 1 },
    { "7d", 7, HOURS_A_DAY },
    { "30d", 30, HOURS_A_DAY },
    { "90d", USAGE_POINTS, HOURS_A_DAY },
};

struct usage_input {
    const char *functionId;
    const char *range;
};

static const char *const *choices_ranges(struct call *call)
{
    static const char *const words[] = { "24h", "30d", "90d", NULL };
    static const char *const old_words[] = { "24h", "7d", "30d", "90d", NULL };

    return call_below(call, "1.5.0") ? old_words : words;
}

struct filling {
    struct usage_series *series;
    int64_t first_hour, step_hours;
};

static void fill_point(void *context, int64_t hour, int64_t amount)
{
    const struct filling *filling = context;

    filling->series->points[(hour - filling->first_hour) / filling->step_hours] += amount;
}

/* function_id NULL: all of the project. */
static int read_usage(struct call *call, const char *function_id, const struct range *range,
                      struct usage *usage, struct error *err)
{
    int64_t step = range->step_hours, now = clock_realtime_us() / hour_us;
    int64_t first = (now / step - (int64_t)range->count + 1) * step;

    *usage = (struct usage){ .range = call_textf(call, "%s", range->name),
                             .count = range->count,
                             .begin_us = first * hour_us,
                             .step_us = step * hour_us };
    for (size_t i = 0; i < USAGE_METRICS; i++) {
        struct filling filling = { &usage->series[i], first, step };
        if (store_usage_each(call->db, call->project_id, function_id, metrics[i], first,
                             first + step * (int64_t)range->count, fill_point, &filling, err) < 0 ||
            store_usage_total(call->db, call->project_id, function_id, metrics[i],
                              &usage->series[i].total, err) < 0)
            return -1;
    }
    return 0;
}

static int usage_get(struct call *call, struct error *err)
{
    const struct usage_input *in = call->params;
    auto_function struct function function = { 0 };
    const struct range *range = ranges;
    struct usage usage;

    if (in->functionId != NULL &&
        store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0)
        return -1;
    while (strcmp(range->name, in->range) != 0)
        range++; /* it is one of them */
    store_flush(call->store);
    if (read_usage(call, in->functionId == NULL ? NULL : function.id, range, &usage, err) < 0)
        return -1;
    if (call_below(call, "1.5.0"))
        return call_answer_model(call, &model_usage_old, &usage, NULL, err);
    return call_answer(call, &usage, NULL, err);
}

#define RANGE                                                                    \
    TEXT(struct usage_input, range, .optional = true, .choices = choices_ranges, \
         .fallback = "30d", .text = "Time to cover: 24h, 30d or 90d.")

static const struct param all_params[] = { RANGE, { 0 } };
static const struct param one_params[] = {
    TEXT(struct usage_input, functionId, .check = check_uid, .text = "Function ID."),
    RANGE,
    { 0 },
};

#define USAGE                                                              \
    .method = "GET", .auth = AUTH_KEY, .scopes = SCOPES("functions.read"), \
    .params_size = sizeof(struct usage_input), .status = 200, .handle = usage_get

const struct endpoint usage_endpoints[] = {
    { .id = "functions.listUsage",
      .path = "/v1/functions/usage",
      USAGE,
      .params = all_params,
      .answers = &model_usage_functions,
      .summary = "What all functions used" },
    { .id = "functions.getUsage",
      .path = "/v1/functions/{functionId}/usage",
      USAGE,
      .params = one_params,
      .answers = &model_usage_function,
      .summary = "What a function used" },
    { 0 },
};
