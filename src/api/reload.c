/* Reading what changed, and who is refused until it was taken over. */
#include "reload.h"

#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

enum { RETRY_US = 50000, FIRST_PAUSE_MS = 10, PAUSE_MOST_MS = 1000 };
static const int64_t late_us = 1000000, hopeless_us = 60000000;

static void pause_for(long ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

static void tell(struct unread *unread, int64_t waited_us, const char *project_id,
                 const struct error *err)
{
    if (unread->told)
        return;
    if (waited_us <= late_us) {
        log_warning("project %s: what changed cannot be read yet: %s", project_id, err->message);
        return;
    }
    log_error("project %s: what changed cannot be read; all requests are refused until it can: %s",
              project_id, err->message);
    unread->told = true;
    atomic_fetch_add(&unread->freshness->behind, 1);
}

struct registry_change *reload_read(struct unread *unread, struct db *db, enum change_kind kind,
                                    const char *project_id, const char *id)
{
    const struct freshness *freshness = unread->freshness;
    struct registry_change *change = NULL;
    long pause_ms = FIRST_PAUSE_MS;
    struct error err;

    if (unread->since_us == 0)
        unread->since_us = clock_monotonic_us();
    while (registry_change_read(db, kind, project_id, id, &change, &err) < 0) {
        const int64_t waited_us = clock_monotonic_us() - unread->since_us;

        if (atomic_load(&freshness->ended))
            return NULL;
        if (waited_us > hopeless_us && !atomic_load(&freshness->stopping)) {
            log_error("project %s: what changed cannot be read, starting anew: %s", project_id,
                      err.message);
            abort(); /* the supervisor starts us again */
        }
        tell(unread, waited_us, project_id, &err);
        pause_for(pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
    return change;
}

void reload_applied(struct unread *unread)
{
    if (unread->told) {
        atomic_fetch_sub(&unread->freshness->behind, 1);
        log_info("what changed was read at last");
    }
    unread->told = false;
    unread->since_us = 0;
}

int reload_check(const struct api *api, struct error *err)
{
    if (atomic_load(&api->freshness.behind) == 0)
        return 0;
    return fail(err, ERROR_GENERAL_OVERLOADED,
                "The server cannot read what was changed last. Please try again later.");
}

struct reload {
    struct api *api;
    char *project_id, *function_id;
    struct unread unread;
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
    reload_applied(&reload->unread);
    reload_free(reload);
}

static void read_again(void *context, void *lane_state)
{
    struct reload *reload = context;
    struct unread *unread = &reload->unread;

    reload->change = reload_read(unread, lane_state, CHANGE_FUNCTION, reload->project_id,
                                 reload->function_id);
    reload->rules = reload_read(unread, lane_state, CHANGE_RULES, reload->project_id, NULL);
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
    reload->unread.freshness = &api->freshness;
    reload->project_id = xstrdup(project_id);
    reload->function_id = xstrdup(function_id);
    start(reload);
}
