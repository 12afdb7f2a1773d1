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

struct health_queue {
    int64_t size;
};

struct health_time {
    int64_t remote, local, diff; /* seconds since the epoch; seconds */
};

struct health_certificate {
    char *name, *subject, *issuer, *from, *until, *signature;
};

extern const struct model model_health_report;
extern const struct model model_health_queue, model_health_time, model_health_antivirus;
extern const struct model model_health_certificate;

#endif
