#include "catalog.h"

#include <stdlib.h>

#include "mem.h"
#include "services.h"

const struct endpoint *const catalog[] = {
    functions_endpoints,  runtimes_endpoints,      deployments_endpoints,
    executions_endpoints, activation_endpoints,    variables_endpoints,
    health_endpoints,     health_queues_endpoints, locale_endpoints,
    users_endpoints,      rules_endpoints,         usage_endpoints,
    account_endpoints,    console_endpoints,       deployment_sources_endpoints,
    templates_endpoints,  graphql_endpoints,       NULL,
};

const struct endpoint *catalog_next(size_t *position)
{
    size_t at = (*position)++;

    for (size_t array = 0; catalog[array] != NULL; array++)
        for (const struct endpoint *row = catalog[array]; row->id != NULL; row++)
            if (at-- == 0)
                return row;
    return NULL;
}

static size_t count_routes(void)
{
    size_t count = 0, position = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL; count++)
        for (size_t i = 0; row->aliases != NULL && row->aliases[i] != NULL; i++)
            count++;
    return count;
}

int catalog_router(struct router **ret_router, struct route **ret_routes, struct error *err)
{
    struct route *routes = xcalloc(count_routes(), sizeof(*routes)), *route = routes;
    struct router *router;
    size_t position = 0;
    int status = router_new(&router);

    for (const struct endpoint *row; status == 0 && (row = catalog_next(&position)) != NULL;) {
        *route = (struct route){ .endpoint = row };
        status = router_add(router, row->method, row->path, route++, err);
        for (size_t i = 0; status == 0 && row->aliases != NULL && row->aliases[i] != NULL; i++) {
            *route = (struct route){ .endpoint = row, .alias = i + 1 };
            status = router_add(router, row->method, row->aliases[i], route++, err);
        }
    }
    if (status < 0) {
        router_free(router);
        free(routes);
        return -1;
    }
    *ret_router = router;
    *ret_routes = routes;
    return 0;
}
