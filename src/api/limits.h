/*
 * Rate limits of endpoint rows, counted in fixed windows by endpoint, project, address and user, or
 * by endpoint and project alone. Loop only.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include "call.h"

struct limits;
struct limits *limits_new(void);
void limits_free(struct limits *limits);

/*
 * Counts the call and adds the X-RateLimit headers. Errors: GENERAL_RATE_LIMIT_EXCEEDED with the
 * name of the setting.
 */
int limits_check(struct limits *limits, struct call *call, struct error *err);

#endif
