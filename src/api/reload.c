#include "reload.h"

#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "mem.h"

enum { RETRY_US = 50000, READS_MOST = 8, FIRST_PAUSE_MS = 10 };

struct registry_change *reload_read(struct db *db, enum change_kind kind, const char *project_id,
                                    const char *id)
{
    for (long tries = 1, pause_ms = FIRST_PAUSE_MS;; tries++, pause_ms *= 2) {
        const struct timespec pause = { .tv_sec = pause_ms / 1000,
                                        .tv_nsec = pause_ms % 1000 * 1000000 };
        struct registry_change *change;
        struct error err;

        if (registry_change_read(db, kind, project_id, id, &change, &err) == 0)
            return change;
        if (tries == READS_MOST) {
            log_error("project %s: what changed cannot be read, starting anew: %s", project_id,
                      err.message);
            abort(); /* the supervisor starts us again */
        }
        log_warning("project %s: what changed cannot be read yet: %s", project_id, err.message);
        nanosleep(&pause, NULL);
    }
}

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

    registry_apply(api->registry, reload->change, function_replaced, api);
    /* manual rules follow the active deployment */
    registry_apply(api->registry, reload->rules, function_replaced, api);
    reload_free(reload);
}

static void read_again(void *context, void *lane_state)
{
    struct reload *reload = context;

    reload->change = reload_read(lane_state, CHANGE_FUNCTION, reload->project_id,
                                 reload->function_id);
    reload->rules = reload_read(lane_state, CHANGE_RULES, reload->project_id, NULL);
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
