/*
 * The log of a running build: the child's output and our own lines, brought to the store a few
 * times a second so that a client polling the deployment sees it grow.
 */
#include "builder_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "log.h"
#include "mem.h"

enum { FLUSH_US = 150000, SECRET_LEAST = 8, READ_BYTES = 65536 };

void job_log_open(struct job *job)
{
    buffer_init(&job->log, (size_t)job->builder->options.settings->build_log_bytes * 2);
}

static void flush_due(void *context)
{
    job_log_flush(context);
}

static void job_log_add(struct job *job, const char *text, size_t bytes)
{
    struct loop *loop = job->builder->options.loop;

    if (bytes > job->log.limit) { /* one read may bring more than the whole log may keep */
        text += bytes - job->log.limit;
        bytes = job->log.limit;
    }
    if (buffer_reserve(&job->log, bytes) < 0)
        buffer_cut_front(&job->log, bytes < job->log.size ? bytes : job->log.size);
    size_t from = job->log.size;
    buffer_add(&job->log, text, bytes);
    for (size_t i = from; i < job->log.size; i++)
        if (job->log.data[i] == '\0')
            job->log.data[i] = '?';
    if (job->flush.heap_index == 0)
        loop_timer_arm(loop, &job->flush, loop_now_us(loop) + FLUSH_US, flush_due, job);
}

/* grey [HH:MM:SS], red brackets around our name, then the text in its colour: the shape clients
 * colour their logs by. */
char *build_log_text(const char *colour, const char *text)
{
    time_t now = (time_t)(clock_realtime_us() / 1000000);
    struct tm utc;

    gmtime_r(&now, &utc);
    return xasprintf(
        "\x1b[90m[%02d:%02d:%02d] \x1b[31m[\x1b[00mfunctiond\x1b[31m]\x1b[%sm %s \x1b[0m\n",
        utc.tm_hour, utc.tm_min, utc.tm_sec, colour, text);
}

void job_log_line(struct job *job, const char *colour, const char *text)
{
    auto_free char *line = build_log_text(colour, text);

    job_log_add(job, line, strlen(line));
}

struct log_write {
    char *project_id, *deployment_id;
    char *text;
    size_t bytes, limit;
};

static int write_log(struct db *db, void *context, struct error *err)
{
    struct log_write *w = context;

    return store_deployment_log(db, w->project_id, w->deployment_id, w->text, w->bytes, w->limit,
                                err);
}

static void log_written(void *context, const struct error *err)
{
    struct log_write *w = context;

    if (err && err->type == ERROR_INTERNAL)
        log_warning("deployment %s: build log: %s", w->deployment_id, err->message);
    free(w->project_id);
    free(w->deployment_id);
    free(w->text);
    free(w);
}

/* A secret variable's value printed by a build is starred out; short values would star out ordinary
 * words. */
static void mask_secrets(const struct job *job, char *text, size_t bytes)
{
    for (char **secret = job->secrets; secret && *secret; secret++) {
        size_t length = strlen(*secret);
        if (length < SECRET_LEAST)
            continue;
        for (char *at = text; (at = memmem(at, bytes - (size_t)(at - text), *secret, length));
             at += length)
            memset(at, '*', length);
    }
}

void job_log_flush(struct job *job)
{
    loop_timer_cancel(job->builder->options.loop, &job->flush);
    if (job->log.size == 0)
        return;
    struct log_write *w = xcalloc(1, sizeof *w);
    w->project_id = xstrdup(job->project_id);
    w->deployment_id = xstrdup(job->deployment_id);
    w->limit = (size_t)job->builder->options.settings->build_log_bytes;
    mask_secrets(job, job->log.data, job->log.size);
    w->text = buffer_steal(&job->log, &w->bytes);
    job_log_open(job);
    store_write_later(job->builder->options.store, write_log, log_written, w, false);
}

static bool read_some(struct job *job)
{
    char block[READ_BYTES];
    ssize_t got = read(job->log_fd, block, sizeof block);

    if (got > 0)
        job_log_add(job, block, (size_t)got);
    return got > 0;
}

static void close_pipe(struct job *job)
{
    if (job->log_watch)
        loop_watch_remove(job->builder->options.loop, job->log_watch);
    job->log_watch = NULL;
    fd_close(&job->log_fd);
}

static void log_ready(void *context, uint32_t events)
{
    struct job *job = context;

    (void)events;
    if (!read_some(job) && errno != EAGAIN && errno != EINTR)
        close_pipe(job);
}

int job_log_pipe(struct job *job, int *ret_write_end, struct error *err)
{
    auto_fd int read_end = -1, write_end = -1;

    close_pipe(job);
    if (fd_pipe(&read_end, &write_end, err) < 0)
        return -1;
    fd_set_blocking(read_end, false);
    if (loop_watch_add(job->builder->options.loop, read_end, EPOLLIN, log_ready, job,
                       &job->log_watch, err) < 0)
        return -1;
    job->log_fd = fd_steal(&read_end);
    *ret_write_end = fd_steal(&write_end);
    return 0;
}

void job_log_drain(struct job *job)
{
    for (int i = 0; i < 64 && job->log_fd >= 0 && read_some(job); i++)
        ;
    close_pipe(job);
}

void job_log_close(struct job *job)
{
    close_pipe(job);
    job_log_flush(job);
    loop_timer_cancel(job->builder->options.loop, &job->flush);
    buffer_release(&job->log);
}
