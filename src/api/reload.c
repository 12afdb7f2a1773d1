#include "reload.h"

#include <stdlib.h>

#include "log.h"
#include "mem.h"

enum { RETRY_US = 50000 };

struct reload {
    struct api *api;
    char *project_id, *function_id;
    struct registry_change *change, *rules;
    struct loop_timer timer;
};

static void reload_free(struct reload *reload)
{
    free(reload->project_id);
    free(reload->function_id);
    free(reload);
}

static void function_replaced(void *context, struct live_function *old, struct live_function *new)
{
    struct api *api = context;

    if (api->run != NULL)
        run_function_changed(api->run, old, new);
}

static void apply(void *context)
{
    struct reload *reload = context;
    struct api *api = reload->api;

    if (reload->change != NULL)
        registry_apply(api->registry, reload->change, function_replaced, api);
    if (reload->rules != NULL) /* manual rules follow the active deployment */
        registry_apply(api->registry, reload->rules, function_replaced, api);
    reload_free(reload);
}

static void read_again(void *context, void *lane_state)
{
    struct reload *reload = context;
    struct error err;

    if (registry_change_read(lane_state, CHANGE_FUNCTION, reload->project_id, reload->function_id,
                             &reload->change, &err) < 0 ||
        registry_change_read(lane_state, CHANGE_RULES, reload->project_id, NULL, &reload->rules,
                             &err) < 0)
        log_error("function %s: cannot be read again: %s", reload->function_id, err.message);
    loop_post(reload->api->loop, apply, reload);
}

static void start(void *context)
{
    struct reload *reload = context;
    struct loop *loop = reload->api->loop;

    if (lanes_add(reload->api->lanes, read_again, reload) < 0)
        loop_timer_arm(loop, &reload->timer, loop_now_us(loop) + RETRY_US, start, reload);
}

void reload_function(struct api *api, const char *project_id, const char *function_id)
{
    struct reload *reload = xcalloc(1, sizeof(*reload));

    reload->api = api;
    reload->project_id = xstrdup(project_id);
    reload->function_id = xstrdup(function_id);
    start(reload);
}
