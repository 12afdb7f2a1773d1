/* The arrays of endpoint rows, each closed by { 0 }. */
#ifndef SERVICES_H
#define SERVICES_H

#include "endpoint.h"

extern const struct endpoint functions_endpoints[], runtimes_endpoints[], deployments_endpoints[];
extern const struct endpoint executions_endpoints[], variables_endpoints[], health_endpoints[];
extern const struct endpoint rules_endpoints[], usage_endpoints[], account_endpoints[];
extern const struct endpoint console_endpoints[];
extern const struct endpoint graphql_endpoints[];
extern const struct endpoint health_queues_endpoints[], locale_endpoints[];
extern const struct endpoint activation_endpoints[], users_endpoints[];
extern const struct endpoint deployment_sources_endpoints[], templates_endpoints[];

#endif
