/*
 * What functions used. Every counter is in a document twice: its sum since ever, and a point for
 * each hour or day of the range.
 */
#include "services/usage.h"
#include "clock.h"
#include "json_text.h"
#include "model.h"

/* Only for the documents: points are written as they are below. */
struct point {
    int64_t value, date;
};
static const struct field point_fields[] = {
    F_INTEGER("value", struct point, value, .text = "Amount."),
    F_DATE("date", struct point, date, .text = "Begin of the hour or day."),
    { 0 },
};
const struct model model_metric = { "metric", NULL, point_fields };

static void write_points(const struct writing *writing, const struct usage *usage,
                         const struct usage_series *series)
{
    struct buffer *out = writing->out;
    char date[CLOCK_TEXT];

    for (size_t i = 0; i < usage->count; i++) {
        size_t bytes = clock_format(usage->begin_us + (int64_t)i * usage->step_us, date);
        buffer_add_text(out, i == 0 ? "[{\"value\":" : ",{\"value\":");
        buffer_add_int(out, series->points[i]);
        buffer_add_text(out, ",\"date\":");
        json_text_string(out, date, bytes);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

#define SERIES(name, metric)                                                            \
    static void write_##name(const struct writing *writing, const void *entity)         \
    {                                                                                   \
        write_points(writing, entity, &((const struct usage *)entity)->series[metric]); \
    }
SERIES(functions, USAGE_METRIC_FUNCTIONS)
SERIES(deployments, USAGE_METRIC_DEPLOYMENTS)
SERIES(deployments_storage, USAGE_METRIC_DEPLOYMENTS_STORAGE)
SERIES(builds, USAGE_METRIC_BUILDS)
SERIES(builds_success, USAGE_METRIC_BUILDS_SUCCESS)
SERIES(builds_failed, USAGE_METRIC_BUILDS_FAILED)
SERIES(builds_storage, USAGE_METRIC_BUILDS_STORAGE)
SERIES(builds_time, USAGE_METRIC_BUILDS_TIME)
SERIES(builds_mb_seconds, USAGE_METRIC_BUILDS_MB_SECONDS)
SERIES(executions, USAGE_METRIC_EXECUTIONS)
SERIES(executions_failed, USAGE_METRIC_EXECUTIONS_FAILED)
SERIES(executions_time, USAGE_METRIC_EXECUTIONS_TIME)
SERIES(executions_mb_seconds, USAGE_METRIC_EXECUTIONS_MB_SECONDS)

static void write_executions_success(const struct writing *writing, const void *entity)
{
    const struct usage *usage = entity;
    struct usage_series success = usage->series[USAGE_METRIC_EXECUTIONS];

    for (size_t i = 0; i < usage->count; i++)
        success.points[i] -= usage->series[USAGE_METRIC_EXECUTIONS_FAILED].points[i];
    write_points(writing, usage, &success);
}

static void write_builds_average(const struct writing *writing, const void *entity)
{
    const struct usage_series *series = ((const struct usage *)entity)->series;
    int64_t builds = series[USAGE_METRIC_BUILDS].total;

    buffer_add_int(writing->out, builds == 0 ? 0 : series[USAGE_METRIC_BUILDS_TIME].total / builds);
}

#define RANGE F_TEXT("range", struct usage, range, .text = "Time the points cover.")
#define TOTAL(name_, metric, text_)                                                         \
    {                                                                                       \
        .name = name_, .kind = FIELD_INTEGER,                                               \
        .offset = offsetof(struct usage, series) + (metric) * sizeof(struct usage_series) + \
                  offsetof(struct usage_series, total),                                     \
        .text = text_                                                                       \
    }
#define POINTS(name_, write_, text_) F_OWN(name_, "array:metric", write_, .text = text_)

/* clang-format off: one counter a line */
#define COUNTERS                                                                                  \
    TOTAL("deploymentsTotal", USAGE_METRIC_DEPLOYMENTS, "Deployments that are there."),           \
        TOTAL("deploymentsStorageTotal", USAGE_METRIC_DEPLOYMENTS_STORAGE, "Bytes of packages."), \
        TOTAL("buildsTotal", USAGE_METRIC_BUILDS, "Builds."),                                     \
        TOTAL("buildsSuccessTotal", USAGE_METRIC_BUILDS_SUCCESS, "Builds that ended well."),      \
        TOTAL("buildsFailedTotal", USAGE_METRIC_BUILDS_FAILED, "Builds that failed."),            \
        TOTAL("buildsStorageTotal", USAGE_METRIC_BUILDS_STORAGE, "Bytes of build outputs."),      \
        TOTAL("buildsTimeTotal", USAGE_METRIC_BUILDS_TIME, "Milliseconds of building."),          \
        TOTAL("buildsMbSecondsTotal", USAGE_METRIC_BUILDS_MB_SECONDS,                             \
              "MiB times seconds times CPUs."),                                                   \
        TOTAL("executionsTotal", USAGE_METRIC_EXECUTIONS, "Executions."),                         \
        TOTAL("executionsTimeTotal", USAGE_METRIC_EXECUTIONS_TIME, "Milliseconds of executing."), \
        TOTAL("executionsMbSecondsTotal", USAGE_METRIC_EXECUTIONS_MB_SECONDS,                     \
              "MiB times seconds times CPUs."),                                                   \
        POINTS("deployments", write_deployments, "Deployments."),                                 \
        POINTS("deploymentsStorage", write_deployments_storage, "Bytes."),                        \
        POINTS("builds", write_builds, "Builds."),                                                \
        POINTS("buildsSuccess", write_builds_success, "Builds that ended well."),                 \
        POINTS("buildsFailed", write_builds_failed, "Builds that failed."),                       \
        POINTS("buildsStorage", write_builds_storage, "Bytes."),                                  \
        POINTS("buildsTime", write_builds_time, "Milliseconds."),                                 \
        POINTS("buildsMbSeconds", write_builds_mb_seconds, "MiB times seconds times CPUs."),      \
        POINTS("executions", write_executions, "Executions."),                                    \
        POINTS("executionsTime", write_executions_time, "Milliseconds."),                         \
        POINTS("executionsMbSeconds", write_executions_mb_seconds,                                \
               "MiB times seconds times CPUs.")
/* clang-format on */

static const struct field functions_fields[] = {
    RANGE,
    TOTAL("functionsTotal", USAGE_METRIC_FUNCTIONS, "Functions that are there."),
    POINTS("functions", write_functions, "Functions."),
    COUNTERS,
    { 0 },
};
const struct model model_usage_functions = { "usageFunctions", NULL, functions_fields };

static const struct field function_fields[] = {
    RANGE,
    COUNTERS,
    F_OWN("buildsTimeAverage", "integer", write_builds_average, .text = "Milliseconds a build."),
    { 0 },
};
const struct model model_usage_function = { "usageFunction", NULL, function_fields };

/* Below 1.5.0, of one function and of all. */
static const struct field old_fields[] = {
    RANGE,
    POINTS("executionsTotal", write_executions, "Executions."),
    POINTS("executionsFailure", write_executions_failed, "Executions that failed."),
    POINTS("executionsSuccess", write_executions_success, "Executions that did not."),
    POINTS("executionsTime", write_executions_time, "Milliseconds."),
    POINTS("buildsTotal", write_builds, "Builds."),
    POINTS("buildsFailure", write_builds_failed, "Builds that failed."),
    POINTS("buildsSuccess", write_builds_success, "Builds that ended well."),
    POINTS("buildsTime", write_builds_time, "Milliseconds."),
    { 0 },
};
const struct model model_usage_old = { "usageFunctionsOld", NULL, old_fields };
