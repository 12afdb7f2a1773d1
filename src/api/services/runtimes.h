/* Which runtimes functions may have. */
#ifndef SERVICES_RUNTIMES_H
#define SERVICES_RUNTIMES_H

#include "call.h"

/* 0: a published id that settings allow and that this host can run. Errors:
 * FUNCTION_RUNTIME_UNSUPPORTED. */
int runtime_check(const struct call *call, const char *id, struct error *err);

#endif
