/*
 * Fetching packages. A row says where from; every move of its status is a compare-and-set, so that
 * a cancel is never overwritten. See fetcher.h.
 */
#include "fetcher.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "fd.h"
#include "log.h"
#include "mem.h"
#include "package.h"
#include "reload.h"
#include "source.h"
#include "tags.h"
#include "text.h"

enum {
    FETCHES_AT_ONCE = 2,
    ATTEMPTS_MOST = 2,
    CONNECT_MS = 10000,
    REDIRECTS_MOST = 5,
    HEAD_BYTES = 264
};

struct fetcher {
    struct api *api;
    struct lanes *lanes;
    struct fetch *first, *last; /* waiting and running, in order of arrival */
    size_t running;
    bool stopping;
};

struct fetch {
    struct fetch *next, *previous;
    struct fetcher *fetcher;
    char *project_id, *function_id, *deployment_id;
    bool running;
    atomic_bool stop; /* it is not wanted any more */

    /* the lane's, until it has ended */
    char *url;
    char *range;             /* of tags that url lists; "": url is the package's */
    char hash[PACKAGE_HASH]; /* "": no package */
    int64_t bytes;
    bool has_begun; /* the row says so */
    bool is_ready;  /* the builder goes on */
};

static void fetcher_next(struct fetcher *fetcher);

/* ---- the row (lane, writer) ------------------------------------------------------------------ */

static int log_line(struct db *db, const struct fetch *fetch, const char *colour, const char *text,
                    struct error *err)
{
    auto_free char *line = build_log_text(colour, text);
    const size_t limit = (size_t)fetch->fetcher->api->settings->build_log_bytes;

    return store_deployment_log(db, fetch->project_id, fetch->deployment_id, line, strlen(line),
                                limit, err);
}

static int get_row(struct db *db, const struct fetch *fetch, struct deployment *ret_row,
                   struct error *err)
{
    return store_deployment_get(db, fetch->project_id, fetch->function_id, fetch->deployment_id,
                                false, ret_row, err);
}

static int write_begin(struct db *db, void *context, struct error *err)
{
    struct fetch *fetch = context;
    auto_deployment struct deployment row = { 0 };

    if (get_row(db, fetch, &row, err) < 0 ||
        store_deployment_move(db, row.project_id, row.id,
                              strcmp(row.status, "processing") == 0 ? "processing" : "waiting",
                              "processing", err) < 0)
        return -1;
    fetch->url = xstrdup(row.source_url);
    fetch->range = xstrdup(row.source_range);
    fetch->has_begun = true;
    free(row.status);
    row.status = xstrdup("processing");
    row.build_attempts++;
    row.updated_at = clock_realtime_us();
    auto_free char *host = source_host(row.source_url);
    auto_free char *line = xasprintf("Fetching the source from %s.", host);
    return store_deployment_update(db, &row, err) < 0 ? -1 : log_line(db, fetch, "97", line, err);
}

/* The builder counts its own attempts from here. */
static int write_fetched(struct db *db, void *context, struct error *err)
{
    struct fetch *fetch = context;
    auto_deployment struct deployment row = { 0 };

    if (get_row(db, fetch, &row, err) < 0)
        return -1;
    if (strcmp(row.status, "processing") != 0)
        return fail(err, ERROR_BUILD_ALREADY_COMPLETED, NULL);
    if (!package_renew(fetch->fetcher->api->settings->data, fetch->hash))
        return fail(err, ERROR_INTERNAL, "the package is gone; please redeploy");
    free(row.source_hash);
    row.source_hash = xstrdup(fetch->hash);
    row.source_size = fetch->bytes;
    row.build_attempts = 0;
    row.updated_at = clock_realtime_us();
    if (store_deployment_update(db, &row, err) < 0)
        return -1;
    return row.activate
               ? store_deployment_only_activate(db, row.project_id, row.function_id, row.id, err)
               : 0;
}

struct failure {
    const struct fetch *fetch;
    const char *sentence;
};

static int write_failed(struct db *db, void *context, struct error *err)
{
    const struct failure *failure = context;
    const struct fetch *fetch = failure->fetch;

    if (store_deployment_move(db, fetch->project_id, fetch->deployment_id, "processing", "failed",
                              err) < 0)
        return -1;
    return log_line(db, fetch, "31", failure->sentence, err);
}

/* ---- the archive (lane) ---------------------------------------------------------------------- */

static int judge_answer(unsigned status, const char *url, struct error *err)
{
    static const struct {
        unsigned status;
        const char *sentence;
    } rows[] = {
        { 401, "refuses access (401): the setting vcs_token is missing or not enough." },
        { 403, "refuses access (403): the setting vcs_token is missing or not enough." },
        { 404, "knows no such repository or reference (404), or shows it with a token only." },
        { 429, "was asked too often (429). Please redeploy later." },
    };
    auto_free char *host = source_host(url);

    if (status == 200)
        return 0;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].status == status)
            return fail(err, ERROR_GENERAL_BAD_REQUEST, "%s %s", host, rows[i].sentence);
    return fail(err, ERROR_GENERAL_BAD_REQUEST, "%s answered %u.", host, status);
}

static int judge_file(int fd, const char *url, struct error *err)
{
    unsigned char head[HEAD_BYTES];
    ssize_t got = pread(fd, head, sizeof head, 0);
    auto_free char *host = source_host(url);

    if (got < 0)
        return fail_errno(err, "read the fetched file");
    if (!package_kind(head, (size_t)got))
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "What %s sent is no archive.", host);
    return 0;
}

static int answer_to(struct fetch *fetch, int fd, struct error *err)
{
    const struct settings *s = fetch->fetcher->api->settings;
    auto_free char *token = source_token_header(s, fetch->url);
    const char *const headers[] = { token, NULL };
    struct http_fetched fetched;
    const struct http_fetch options = {
        .url = fetch->url,
        .headers = headers,
        .size_limit = (uint64_t)s->package_size,
        .connect_ms = CONNECT_MS,
        .total_ms = s->fetch_seconds * 1000,
        .redirects = REDIRECTS_MOST,
        .private_addresses = s->fetch_private,
        .ca_file = s->fetch_ca_file,
        .stop = &fetch->stop,
    };

    if (http_fetch(&options, fd, &fetched, err) < 0)
        return -1;
    return judge_answer(fetched.status, fetch->url, err);
}

static int bring(struct fetch *fetch, struct error *err)
{
    const struct settings *s = fetch->fetcher->api->settings;
    auto_free char *path = xasprintf("%s/uploads/part-XXXXXX", s->data);

    if (package_room(s->data, s->disk_reserve_mb, s->package_size, err) < 0)
        return -1;
    auto_fd int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "create a file in uploads");
    if (answer_to(fetch, fd, err) < 0 || judge_file(fd, fetch->url, err) < 0 ||
        package_take(s->data, path, fetch->hash, &fetch->bytes, err) < 0) {
        unlink(path);
        return -1;
    }
    return 0;
}

/* ---- a range of tags (lane) ------------------------------------------------------------------ */

struct resolution {
    struct fetch *fetch;
    const char *tag;
};

static int write_resolved(struct db *db, void *context, struct error *err)
{
    const struct resolution *resolution = context;
    struct fetch *fetch = resolution->fetch;
    auto_deployment struct deployment row = { 0 };

    if (get_row(db, fetch, &row, err) < 0)
        return -1;
    if (strcmp(row.status, "processing") != 0)
        return fail(err, ERROR_BUILD_ALREADY_COMPLETED, NULL);
    auto_free char *owner = xstrdup(row.provider_repository_owner);
    auto_free char *repository = xstrdup(row.provider_repository_name);
    auto_free char *root = xstrdup(row.provider_root_directory);
    const struct source source = { owner, repository, root, REFERENCE_TAG, resolution->tag };
    if (source_from_template(fetch->fetcher->api->settings, &source, &row, err) < 0)
        return -1;
    row.updated_at = clock_realtime_us();
    free(fetch->url);
    fetch->url = xstrdup(row.source_url);
    auto_free char *line = xasprintf("The highest tag of %s is %s.", fetch->range, resolution->tag);
    return store_deployment_update(db, &row, err) < 0 ? -1 : log_line(db, fetch, "97", line, err);
}

static int choose_tag(struct fetch *fetch, int fd, char **ret_tag, struct error *err)
{
    off_t bytes = lseek(fd, 0, SEEK_END);
    const char *data;
    int result;

    if (bytes < 0)
        return fail_errno(err, "read the list of tags");
    data = bytes > 0 ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0) : "";
    if (data == MAP_FAILED)
        return fail_errno(err, "map the list of tags");
    result = tags_choose(data, (size_t)bytes, fetch->range, ret_tag, err);
    if (bytes > 0)
        munmap((void *)(uintptr_t)data, (size_t)bytes);
    auto_free char *host = source_host(fetch->url);
    if (result < 0)
        return fail(err, ERROR_GENERAL_BAD_REQUEST,
                    "What %s sent is no list of tags as git reads them.", host);
    if (!*ret_tag)
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "No tag of the repository is in the range %s.",
                    fetch->range);
    return 0;
}

/* A range becomes the highest tag that is in it now, which the row then keeps. */
static int resolve(struct fetch *fetch, struct error *err)
{
    auto_free char *path = xasprintf("%s/uploads/part-XXXXXX", fetch->fetcher->api->settings->data);
    auto_free char *tag = NULL;

    if (!*fetch->range)
        return 0;
    auto_fd int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "create a file in uploads");
    unlink(path);
    if (answer_to(fetch, fd, err) < 0 || choose_tag(fetch, fd, &tag, err) < 0)
        return -1;
    struct resolution resolution = { fetch, tag };
    return store_write_wait(fetch->fetcher->api->store, write_resolved, &resolution, err);
}

static void give_up(struct fetch *fetch, const struct error *why)
{
    struct failure failure = { fetch, why->message };
    struct error err;

    if (why->type == ERROR_INTERNAL)
        log_error("deployment %s: %s", fetch->deployment_id, why->message);
    else
        log_info("deployment %s: not fetched: %s", fetch->deployment_id, why->message);
    if (store_write_wait(fetch->fetcher->api->store, write_failed, &failure, &err) < 0 &&
        err.type == ERROR_INTERNAL)
        log_error("deployment %s: its failure was not recorded: %s", fetch->deployment_id,
                  err.message);
}

static void fetch_done(void *context);

static void fetch_run(void *context, void *lane_state)
{
    struct fetch *fetch = context;
    struct store *store = fetch->fetcher->api->store;
    struct error err;

    (void)lane_state;
    if (!atomic_load(&fetch->stop) && store_write_wait(store, write_begin, fetch, &err) == 0) {
        if (resolve(fetch, &err) == 0 && bring(fetch, &err) == 0 &&
            store_write_wait(store, write_fetched, fetch, &err) == 0)
            fetch->is_ready = true;
        else if (!atomic_load(&fetch->stop))
            give_up(fetch, &err);
    }
    loop_post(fetch->fetcher->api->loop, fetch_done, fetch);
}

/* ---- the list (loop) ------------------------------------------------------------------------- */

static void fetch_unlink(struct fetch *fetch)
{
    struct fetcher *fetcher = fetch->fetcher;

    *(fetch->previous ? &fetch->previous->next : &fetcher->first) = fetch->next;
    *(fetch->next ? &fetch->next->previous : &fetcher->last) = fetch->previous;
    fetcher->running -= fetch->running ? 1 : 0;
}

static void fetch_free(struct fetch *fetch)
{
    free(fetch->project_id);
    free(fetch->function_id);
    free(fetch->deployment_id);
    free(fetch->url);
    free(fetch->range);
    free(fetch);
}

static void fetch_done(void *context)
{
    struct fetch *fetch = context;
    struct fetcher *fetcher = fetch->fetcher;
    struct api *api = fetcher->api;

    if (fetch->has_begun)
        reload_function(api, fetch->project_id, fetch->function_id);
    if (fetch->is_ready && api->builder)
        builder_add(api->builder, fetch->project_id, fetch->function_id, fetch->deployment_id);
    fetch_unlink(fetch);
    fetch_free(fetch);
    fetcher_next(fetcher);
}

static void fetcher_next(struct fetcher *fetcher)
{
    for (struct fetch *fetch = fetcher->first; fetch; fetch = fetch->next) {
        if (fetcher->stopping || fetcher->running == FETCHES_AT_ONCE)
            return;
        if (fetch->running || lanes_add(fetcher->lanes, fetch_run, fetch) < 0)
            continue;
        fetch->running = true;
        fetcher->running++;
    }
}

void fetcher_add(struct fetcher *fetcher, const char *project_id, const char *function_id,
                 const char *deployment_id)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);

    fetch->fetcher = fetcher;
    fetch->project_id = xstrdup(project_id);
    fetch->function_id = xstrdup(function_id);
    fetch->deployment_id = xstrdup(deployment_id);
    fetch->previous = fetcher->last;
    *(fetcher->last ? &fetcher->last->next : &fetcher->first) = fetch;
    fetcher->last = fetch;
    fetcher_next(fetcher);
}

void fetcher_cancel(struct fetcher *fetcher, const char *deployment_id)
{
    for (struct fetch *fetch = fetcher->first; fetch; fetch = fetch->next) {
        if (strcmp(fetch->deployment_id, deployment_id) != 0)
            continue;
        atomic_store(&fetch->stop, true);
        if (!fetch->running) {
            fetch_unlink(fetch);
            fetch_free(fetch);
        }
        return;
    }
}

void fetcher_stop(struct fetcher *fetcher)
{
    fetcher->stopping = true;
    for (struct fetch *fetch = fetcher->first; fetch; fetch = fetch->next)
        atomic_store(&fetch->stop, true);
}

/* ---- start and end --------------------------------------------------------------------------- */

struct restart {
    struct deployment *rows;
    size_t count;
};

static void keep_row(void *context, const void *entity)
{
    struct restart *restart = context;
    const struct deployment *row = entity;

    if (*row->source_hash || !*row->source_url)
        return;
    restart->rows = xrealloc(restart->rows, (restart->count + 1) * sizeof *restart->rows);
    restart->rows[restart->count++] = (struct deployment){
        .project_id = xstrdup(row->project_id),
        .function_id = xstrdup(row->function_id),
        .id = xstrdup(row->id),
        .build_attempts = row->build_attempts,
    };
}

static int begin_again(struct fetcher *fetcher, const struct deployment *row, struct error *err)
{
    static const char sentence[] =
        "Fetching the source was interrupted twice by a restart of the server. Please redeploy.";
    const struct fetch fetch = { .fetcher = fetcher,
                                 .project_id = row->project_id,
                                 .function_id = row->function_id,
                                 .deployment_id = row->id };
    struct failure failure = { &fetch, sentence };

    if (row->build_attempts >= ATTEMPTS_MOST)
        return store_write_wait(fetcher->api->store, write_failed, &failure, err) < 0 &&
                       err->type == ERROR_INTERNAL
                   ? -1
                   : 0;
    fetcher_add(fetcher, row->project_id, row->function_id, row->id);
    return 0;
}

static int restart_status(struct fetcher *fetcher, struct db *db, const char *status,
                          struct error *err)
{
    struct restart restart = { 0 };
    int result = store_deployment_each(db, status, keep_row, &restart, err);

    for (size_t i = 0; i < restart.count; i++) {
        if (result == 0)
            result = begin_again(fetcher, &restart.rows[i], err);
        deployment_release(&restart.rows[i]);
    }
    free(restart.rows);
    return result;
}

int fetcher_new(struct api *api, struct db *db, struct fetcher **ret_fetcher, struct error *err)
{
    struct fetcher *fetcher = xcalloc(1, sizeof *fetcher);
    const struct lanes_options options = { .threads = FETCHES_AT_ONCE,
                                           .queue_limit = FETCHES_AT_ONCE,
                                           .name = "fetch" };

    fetcher->api = api;
    if (lanes_new(&options, &fetcher->lanes, err) < 0 ||
        restart_status(fetcher, db, "processing", err) < 0 ||
        restart_status(fetcher, db, "waiting", err) < 0) {
        fetcher_free(fetcher);
        return -1;
    }
    *ret_fetcher = fetcher;
    return 0;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    fetcher_stop(fetcher);
    lanes_free(fetcher->lanes);
    for (struct fetch *fetch = fetcher->first, *next; fetch; fetch = next) {
        next = fetch->next;
        fetch_free(fetch);
    }
    free(fetcher);
}
