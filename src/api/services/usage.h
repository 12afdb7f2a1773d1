/* What the usage documents are written from. */
#ifndef USAGE_H
#define USAGE_H

#include <stddef.h>
#include <stdint.h>

enum { USAGE_POINTS = 90 };

/* One counter over a range, oldest first, and since ever. */
struct usage_series {
    int64_t total;
    int64_t points[USAGE_POINTS];
};

enum usage_metric {
    USAGE_METRIC_FUNCTIONS,
    USAGE_METRIC_DEPLOYMENTS,
    USAGE_METRIC_DEPLOYMENTS_STORAGE,
    USAGE_METRIC_BUILDS,
    USAGE_METRIC_BUILDS_SUCCESS,
    USAGE_METRIC_BUILDS_FAILED,
    USAGE_METRIC_BUILDS_STORAGE,
    USAGE_METRIC_BUILDS_TIME,
    USAGE_METRIC_BUILDS_MB_SECONDS,
    USAGE_METRIC_EXECUTIONS,
    USAGE_METRIC_EXECUTIONS_FAILED,
    USAGE_METRIC_EXECUTIONS_TIME,
    USAGE_METRIC_EXECUTIONS_MB_SECONDS,
    USAGE_METRICS
};

struct usage {
    char *range;  /* 24h, 7d, 30d, 90d */
    size_t count; /* of points */
    int64_t begin_us, step_us;
    struct usage_series series[USAGE_METRICS];
};

#endif
