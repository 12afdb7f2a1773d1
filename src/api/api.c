/*
 * The api role from start to stop: a table of what is opened, in order, and of how it ends.
 * Everything that decides anything is elsewhere.
 */
#include "api.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "control.h"
#include "control_socket.h"
#include "daemon.h"
#include "fd.h"
#include "fetcher.h"
#include "front.h"
#include "graphql/graphql.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "origins.h"
#include "reload.h"
#include "sweep.h"
#include "text.h"
#include "versions.h"

enum { EXIT_CONFIGURATION = 78, STOP_LOOK_US = 50000, LANE_QUEUE = 1000, FIRST_KEY_BYTES = 1024 };

struct server {
    struct api api;
    struct settings settings;
    struct db *db; /* the loop's, for the start alone */
    struct sweep *sweep;
    int listen_fd, message_fd;
    char *api_endpoint;
    struct loop_timer stop_timer;
    int64_t stop_at_us;
};

int64_t execution_next_seq(struct api *api)
{
    int64_t now = loop_realtime_us(api->loop);

    api->last_execution_seq = now > api->last_execution_seq ? now : api->last_execution_seq + 1;
    return api->last_execution_seq;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void look_whether_idle(void *context)
{
    struct server *server = context;
    struct api *api = &server->api;
    bool is_idle = http_server_open_requests(api->http) == 0 && run_is_idle(api->run);

    if (is_idle || loop_now_us(api->loop) >= server->stop_at_us) {
        if (!is_idle)
            log_warning("stopping although requests are running: the grace period is over");
        loop_stop(api->loop);
        return;
    }
    loop_timer_arm(api->loop, &server->stop_timer, loop_now_us(api->loop) + STOP_LOOK_US,
                   look_whether_idle, server);
}

static void on_stop(void *context, bool now)
{
    struct server *server = context;
    struct api *api = &server->api;
    const bool is_repeated = atomic_exchange(&api->freshness.stopping, true);

    if (now) {
        loop_stop(api->loop);
        return;
    }
    if (is_repeated)
        return;
    server->stop_at_us = loop_now_us(api->loop) + server->settings.stop_seconds * 1000000;
    log_info("stopping: nothing new is accepted");
    http_server_stop_accepting(api->http);
    run_stop(api->run);
    builder_stop(api->builder);
    fetcher_stop(api->fetcher);
    look_whether_idle(server);
}

static void on_supervisor_lost(void *context)
{
    struct server *server = context;

    log_error("the supervisor is gone");
    server->api.exit_status = 1;
    loop_stop(server->api.loop);
}

/* ---- starting, a step at a time -------------------------------------------------------------- */

static int open_store(struct server *server, struct error *err)
{
    const struct settings *settings = &server->settings;
    const struct store_options options = {
        .directory = settings->data,
        .gather_us = settings->log_gather_ms * 1000,
        .query_limit_us = settings->list_query_ms * 1000,
    };
    unsigned char secret[32];

    if (store_open(&options, &server->api.store, err) < 0 ||
        store_reader_open(server->api.store, &server->db, err) < 0)
        return -1;
    store_derive_key(server->api.store, "tokens", secret);
    return token_signer_new(secret, &server->api.signer);
}

/* The only time the first key is shown. */
static int first_start(struct server *server, struct error *err)
{
    auto_free char *path = xasprintf("%s/first-key", server->settings.data), *key = NULL;
    bool is_created = false;
    size_t size;

    if (control_first_start(server->api.store, server->settings.data, &is_created, err) < 0)
        return -1;
    if (!is_created)
        return 0;
    if (fd_read_file(AT_FDCWD, path, FIRST_KEY_BYTES, &key, &size, err) < 0)
        return -1;
    log_info("project default is new; its first key is kept in %s", path);
    printf("API key of project default, with all scopes: %s", key);
    fflush(stdout);
    return 0;
}

static int settle(struct db *db, void *context, struct error *err)
{
    return store_execution_settle(db, "The server was stopped while this execution was running.",
                                  context, err);
}

static int load_state(struct server *server, struct error *err)
{
    struct api *api = &server->api;
    int64_t settled = 0;

    if (store_write_wait(api->store, settle, &settled, err) < 0 ||
        store_execution_last_seq(server->db, &api->last_execution_seq, err) < 0)
        return -1;
    if (settled > 0)
        log_warning("%lld executions were interrupted by the last stop and have failed",
                    (long long)settled);
    return registry_new(&api->registry) < 0 || registry_load(api->registry, server->db, err) < 0
               ? -1
               : 0;
}

static int find_runtimes(struct server *server, struct error *err)
{
    auto_free char *directory = xasprintf("%s/bootstrap", server->settings.data);

    if (runtimes_detect(server->settings.runtime_paths, &server->api.runtimes, err) < 0)
        return -1;
    for (size_t i = 0; i < runtimes_count(server->api.runtimes); i++) {
        const struct interpreter *found = runtimes_at(server->api.runtimes, i);
        log_info("runtime %s %s: %s", found->family->key, found->version, found->path);
    }
    return runtimes_install_bootstraps(directory, err);
}

static int open_geo(struct server *server, struct error *err)
{
    return geo_open(server->settings.geo_database, &server->api.geo, err);
}

static void *lane_open(void *context)
{
    struct db *db = NULL;
    struct error err;

    if (store_reader_open(context, &db, &err) < 0) {
        log_error("a lane cannot read the store: %s", err.message);
        abort(); /* the supervisor starts us again */
    }
    return db;
}

static void lane_close(void *lane_state)
{
    store_reader_close(lane_state);
}

static int open_lanes(struct server *server, struct error *err)
{
    const struct lanes_options options = {
        .threads = (size_t)server->settings.lanes,
        .queue_limit = LANE_QUEUE,
        .name = "lane",
        .lane_open = lane_open,
        .lane_close = lane_close,
        .context = server->api.store,
    };

    return lanes_new(&options, &server->api.lanes, err);
}

static int open_front(struct server *server, struct error *err)
{
    struct api *api = &server->api;
    const struct settings *settings = &server->settings;

    api->models = models_new();
    api->graphql = gql_schema_new(api->models);
    api->limits = limits_new();
    if (catalog_router(&api->router, &api->routes, err) < 0 ||
        proxies_new(settings->trusted_proxies, &api->proxies, err) < 0)
        return -1;
    const struct http_options options = {
        .loop = api->loop,
        .listen_fd = server->listen_fd,
        .connections = (unsigned)settings->connections,
        .idle_seconds = (unsigned)settings->connection_idle_seconds,
        .body_memory = (size_t)settings->body_memory_bytes,
        .head_bytes = (size_t)settings->request_head_bytes,
        .handlers = front_handlers(api),
    };
    return http_server_new(&options, &api->http, err);
}

/* Where functions reach us: what listens on all addresses is reached on the loopback one. */
static char *find_public_url(const struct settings *settings)
{
    const char *listen = settings->listen, *colon = strrchr(listen, ':');
    size_t length = strlen(settings->public_url);

    while (length > 0 && settings->public_url[length - 1] == '/')
        length--;
    if (length > 0)
        return xstrndup(settings->public_url, length);
    if (colon != NULL &&
        (text_starts(listen, "0.0.0.0:") || text_starts(listen, "[::]:") || colon == listen))
        return xasprintf("http://127.0.0.1%s", colon);
    return xasprintf("http://%s", listen);
}

static int open_run(struct server *server, struct error *err)
{
    struct api *api = &server->api;

    server->api_endpoint = xasprintf("%s/v1", api->public_url);
    const struct run_options options = {
        .loop = api->loop,
        .settings = &server->settings,
        .store = api->store,
        .registry = api->registry,
        .runtimes = api->runtimes,
        .signer = api->signer,
        .geo = api->geo,
        .supervisor_fd = fd_steal(&server->message_fd),
        .api_endpoint = server->api_endpoint,
        .context = server,
        .on_stop = on_stop,
        .on_supervisor_lost = on_supervisor_lost,
    };

    if (run_new(&options, &api->run, err) < 0)
        return -1;
    return run_queue_load(api->run, server->db, err);
}

static void function_changed(void *context, const char *project_id, const char *function_id)
{
    struct server *server = context;

    reload_function(&server->api, project_id, function_id);
}

static int open_builder(struct server *server, struct error *err)
{
    struct api *api = &server->api;
    const struct builder_options options = {
        .loop = api->loop,
        .settings = &server->settings,
        .store = api->store,
        .lanes = api->lanes,
        .run = api->run,
        .registry = api->registry,
        .runtimes = api->runtimes,
        .context = server,
        .on_function_changed = function_changed,
    };

    return builder_new(&options, server->db, &api->builder, err);
}

static int open_fetcher(struct server *server, struct error *err)
{
    return fetcher_new(&server->api, server->db, &server->api.fetcher, err);
}

static int open_rest(struct server *server, struct error *err)
{
    struct api *api = &server->api;

    sweep_leftovers(server->settings.data);
    server->sweep = sweep_new(api);
    store_reader_close(steal(server->db));
    return control_open(api, server->settings.data, &api->control, err);
}

/* Configuration and data that cannot be served are told from failures that a new start may heal. */
static const struct start_step {
    const char *name;
    int (*run)(struct server *server, struct error *err);
    int exit_status;
} start_steps[] = {
    { "store", open_store, EXIT_CONFIGURATION },
    { "first start", first_start, EXIT_CONFIGURATION },
    { "state", load_state, EXIT_CONFIGURATION },
    { "runtimes", find_runtimes, EXIT_CONFIGURATION },
    { "geo", open_geo, EXIT_CONFIGURATION },
    { "lanes", open_lanes, 1 },
    { "http", open_front, EXIT_CONFIGURATION },
    { "workers", open_run, 1 },
    { "builds", open_builder, 1 },
    { "fetches", open_fetcher, 1 },
    { "control", open_rest, 1 },
};

static int start(struct server *server)
{
    struct error err;

    if (loop_new(&server->api.loop, &err) < 0) {
        log_error("loop: %s", err.message);
        return 1;
    }
    for (size_t i = 0; i < COUNT(start_steps); i++)
        if (start_steps[i].run(server, &err) < 0) {
            log_error("%s: %s", start_steps[i].name, err.message);
            return start_steps[i].exit_status;
        }
    log_info("serving on %s", server->settings.listen);
    return 0;
}

static void end(struct server *server)
{
    struct api *api = &server->api;

    atomic_store(&api->freshness.ended, true);
    fetcher_free(api->fetcher);
    if (api->lanes != NULL)
        lanes_free(api->lanes);
    control_close(api->control);
    if (server->sweep != NULL)
        sweep_free(server->sweep);
    if (api->builder != NULL)
        builder_free(api->builder);
    if (api->http != NULL)
        http_server_free(api->http);
    if (api->run != NULL)
        run_free(api->run);
    if (api->registry != NULL)
        registry_free(api->registry);
    store_reader_close(server->db);
    if (api->store != NULL)
        store_close(api->store);
    if (api->runtimes != NULL)
        runtimes_free(api->runtimes);
    token_signer_free(api->signer);
    geo_close(api->geo);
    gql_schema_free(api->graphql);
    models_free(api->models);
    limits_free(api->limits);
    proxies_free(api->proxies);
    router_free(api->router);
    free(api->routes);
    free(api->public_url);
    buffer_release(&api->headers);
    free(server->api_endpoint);
    if (api->loop != NULL)
        loop_free(api->loop);
    fd_close(&server->message_fd);
    settings_release(&server->settings);
}

static int open_settings(struct server *server, const char *lines)
{
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    struct settings *settings = &server->settings;
    enum log_level level = LOG_INFO;
    struct error err;

    if (settings_read(settings, lines, &err) < 0) {
        log_error("%s", err.message);
        return EXIT_CONFIGURATION;
    }
    for (size_t i = 0; i < COUNT(levels); i++)
        if (strcmp(levels[i], settings->log_level) == 0)
            level = (enum log_level)i;
    log_configure(level, strcmp(settings->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT, "api");
    server->api.settings = settings;
    server->api.public_url = find_public_url(settings);
    return 0;
}

int api_run(int listen_fd, int message_fd, const char *settings_lines)
{
    struct server *server = xcalloc(1, sizeof(*server));

    server->listen_fd = listen_fd;
    server->message_fd = message_fd;
    signal(SIGINT, SIG_IGN); /* a terminal sends it to all of us; the supervisor decides */
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int status = open_settings(server, settings_lines);
    if (status == 0)
        status = start(server);
    if (status == 0) {
        loop_run(server->api.loop);
        status = server->api.exit_status;
    }
    end(server);
    free(server);
    return status;
}
