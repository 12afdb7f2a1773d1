/* What health checks answer with. */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdint.h>

#include "model.h"

struct health_status {
    const char *name;
    int64_t ping_ms;
    const char *status; /* pass or fail */
    const char *host;   /* the host report, a JSON object; NULL: none */
};

extern const struct model model_health_report;

#endif
