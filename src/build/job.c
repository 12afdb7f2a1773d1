/*
 * One build, step by step on the loop thread. Each step starts something that may take long (a
 * lane, a child, a seal) and names what comes after; whatever goes wrong leads to job_fail(),
 * whatever is canceled to job_end().
 *
 *   load -> clear tree -> unpack -> mark building -> commands -> pack -> keep output -> seal ->
 * mark ready -> end
 *      \________\___________\____________\______________\________\________\_________\________> mark
 * failed -> end
 */
#include "builder_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "launch.h"
#include "log.h"
#include "mem.h"
#include "messages.h"
#include "sandbox.h"
#include "text.h"

enum { BUILD_MEMORY_LEAST_MB = 1024, LANE_RETRY_US = 100000 };

static const char white[] = "97", red[] = "31", green[] = "32";

static void job_unpack(struct job *job);
static void job_commands(struct job *job);
static void job_pack(struct job *job);
static void job_seal(struct job *job);
static void job_end(struct job *job);

/* ---- lanes ----------------------------------------------------------------------------------- */

static void lane_done(void *context)
{
    struct job *job = context;

    job->after(job, job->step_result < 0 ? &job->step_error : NULL);
}

static void lane_run(void *context, void *lane_state)
{
    struct job *job = context;

    job->step_result = job->step(job, lane_state, &job->step_error);
    loop_post(job->builder->options.loop, lane_done, job);
}

static void job_lane(struct job *job, job_step *step, job_next *after);

static void lane_again(void *context)
{
    struct job *job = context;

    job_lane(job, job->step, job->after);
}

static void job_lane(struct job *job, job_step *step, job_next *after)
{
    struct loop *loop = job->builder->options.loop;

    job->step = step;
    job->after = after;
    if (lanes_add(job->builder->options.lanes, lane_run, job) < 0)
        loop_timer_arm(loop, &job->again, loop_now_us(loop) + LANE_RETRY_US, lane_again, job);
}

/* ---- the ends -------------------------------------------------------------------------------- */

static void tree_gone(void *context, const char *error)
{
    struct job *job = context;

    if (*error)
        log_warning("deployment %s: its tree was not removed: %s", job->deployment_id, error);
    job_end(job);
}

static void job_end(struct job *job)
{
    const struct builder_options *o = &job->builder->options;
    auto_free char *project_id = xstrdup(job->project_id), *function_id = xstrdup(job->function_id);

    fd_close(&job->package_fd);
    fd_close(&job->output_fd);
    if (job->output_path)
        unlink(job->output_path);
    builder_job_done(job);
    o->on_function_changed(o->context, project_id, function_id);
}

static void failed_marked(struct job *job, const struct error *err)
{
    if (err && err->type == ERROR_INTERNAL)
        log_error("deployment %s: its failure was not recorded: %s", job->deployment_id,
                  err->message);
    run_tree_remove(job->builder->options.run, job->deployment_id, tree_gone, job);
}

/* The build failed: the sentence ends its log. A canceled one, or one that a stop interrupts,
 * leaves its row alone. */
static void job_fail(struct job *job, const char *sentence)
{
    job->ending = true;
    loop_timer_cancel(job->builder->options.loop, &job->deadline);
    job_log_drain(job);
    if (job->canceled || job->builder->stopping) {
        job_log_flush(job);
        run_tree_remove(job->builder->options.run, job->deployment_id, tree_gone, job);
        return;
    }
    log_info("deployment %s: build failed: %s", job->deployment_id, sentence);
    job_log_line(job, red, sentence);
    job_log_flush(job);
    job_lane(job, job_mark_failed, failed_marked);
}

static bool job_interrupted(struct job *job)
{
    if (!job->canceled && !job->builder->stopping && !job->timed_out)
        return false;
    job_fail(job, "Build timed out. Increase the setting build_seconds, or simplify the build to "
                  "complete within the limit.");
    return true;
}

void job_abort(struct job *job)
{
    if (job->child)
        run_child_kill(job->builder->options.run, job->child);
}

static void deadline_passed(void *context)
{
    struct job *job = context;

    job->timed_out = true;
    job_abort(job);
}

/* ---- children -------------------------------------------------------------------------------- */

/* Why a child did not do its work, as a sentence; "" when it did. */
static void child_sentence(const struct job *job, bool failed, uint32_t reason, int status,
                           const char *text, char ret_sentence[600])
{
    ret_sentence[0] = '\0';
    if (failed)
        snprintf(ret_sentence, 600, "The build could not be started: %s", text);
    else if (reason == EXIT_MEMORY)
        snprintf(ret_sentence, 600, "Build exceeded its memory limit of %lld MB.",
                 (long long)job->memory_mb);
    else if (reason == EXIT_TMP)
        snprintf(ret_sentence, 600, "Build wrote more than its disk limit allows.");
    else if (reason == EXIT_PROCESSES)
        snprintf(
            ret_sentence, 600,
            "Build ran more processes and threads at once than its buildSpecification allows.");
    else if (reason == EXIT_SIGNAL && status == SIGXCPU)
        snprintf(ret_sentence, 600,
                 "Build used more processor time than the setting build_seconds allows.");
    else if (reason == EXIT_SIGNAL)
        snprintf(ret_sentence, 600, "Build was ended by signal %d (%s).", status,
                 strsignal(status));
    else if (status != 0)
        snprintf(ret_sentence, 600, "Build failed with exit code %d.", status);
}

/* Starts a child for the job's tree whose output is the log; ended gets the job. */
static void job_child(struct job *job, struct child_request *request, const struct buffer *launch)
{
    struct error err;
    auto_fd int write_end = -1;

    if (job_log_pipe(job, &write_end, &err) < 0) {
        job_fail(job, err.message);
        return;
    }
    request->tree = job->deployment_id;
    request->cache = request->kind == SANDBOX_BUILD ? job->project_id : "";
    request->launch = launch;
    request->context = job;
    request->stderr_fd = write_end;
    if (request->stdout_fd < 0)
        request->stdout_fd = write_end;
    uint64_t child = run_child_start(job->builder->options.run, request);
    if (child)
        job->child = child;
}

/* Common end of a child: true when the job goes on. */
static bool child_went_well(struct job *job, bool failed, uint32_t reason, int status,
                            const char *text)
{
    char sentence[600];

    job->child = 0;
    job_log_drain(job);
    if (job_interrupted(job))
        return false;
    child_sentence(job, failed, reason, status, text, sentence);
    if (!*sentence)
        return true;
    job_fail(job, sentence);
    return false;
}

/* ---- load, clear, unpack --------------------------------------------------------------------- */

static void tree_cleared(void *context, const char *error)
{
    struct job *job = context;

    if (*error)
        job_fail(job, error);
    else if (!job_interrupted(job))
        job_unpack(job);
}

static void specification_of(struct job *job, const struct function *function)
{
    const struct specification *s = specification_find(function->build_specification);

    if (!s)
        s = specification_find(specification_default);
    job->memory_mb = s->memory_mb < BUILD_MEMORY_LEAST_MB ? BUILD_MEMORY_LEAST_MB : s->memory_mb;
    job->cpus_milli = s->cpus_milli;
}

static void loaded(struct job *job, const struct error *err)
{
    const struct builder_options *o = &job->builder->options;
    struct live_function *function = registry_function(o->registry, job->project_id,
                                                       job->function_id);

    if (err || !function) {
        if (err && err->type == ERROR_BUILD_NOT_FOUND) /* canceled before it began */
            job->canceled = true;
        job_fail(job, err ? err->message : "The function is gone.");
        return;
    }
    o->on_function_changed(o->context, job->project_id, job->function_id);
    specification_of(job, &function->function);
    loop_timer_arm(o->loop, &job->deadline, job->started_us + o->settings->build_seconds * 1000000,
                   deadline_passed, job);
    job_log_line(job, white, "Environment preparation started.");
    run_tree_remove(o->run, job->deployment_id, tree_cleared, job);
}

void job_start(struct job *job)
{
    job->started_us = loop_now_us(job->builder->options.loop);
    job_lane(job, job_load, loaded);
}

static void building_marked(struct job *job, const struct error *err)
{
    if (job_interrupted(job))
        return;
    if (err) {
        job_fail(job, err->message);
        return;
    }
    job_log_line(job, white, "Environment preparation finished.");
    job_commands(job);
}

static void unpacked(void *context, bool failed, uint32_t reason, int status, uint64_t cpu_us,
                     const char *text)
{
    struct job *job = context;

    (void)cpu_us;
    fd_close(&job->package_fd);
    if (child_went_well(job, failed, reason, status, text))
        job_lane(job, job_mark_building, building_marked);
}

static void job_unpack(struct job *job)
{
    const struct settings *s = job->builder->options.settings;
    const struct deployment *d = &job->deployment;
    auto_buffer struct buffer launch = { 0 };
    char bytes[32], entries[32], ratio[32];
    /* git hosts wrap everything in one folder, named after repository and commit */
    const bool is_wrapped = strcmp(d->type, "vcs") == 0;
    const char *root = is_wrapped && *d->provider_root_directory ? d->provider_root_directory : ".";

    snprintf(bytes, sizeof bytes, "%lld", (long long)s->package_unpacked);
    snprintf(entries, sizeof entries, "%lld", (long long)s->package_entries);
    snprintf(ratio, sizeof ratio, "%lld", (long long)s->package_ratio);
    launch_write(&launch,
                 (const char *const[]){ "unpack", "{code}", bytes, entries, ratio,
                                        is_wrapped ? "1" : "0", root, NULL },
                 (const char *const[]){ "LANG=C.UTF-8", NULL });
    job_child(job,
              &(struct child_request){ .kind = SANDBOX_UNPACK,
                                       .network = NETWORK_NONE,
                                       .memory_mb = 512,
                                       .cpus_milli = 1000,
                                       .own_program = true,
                                       .stdin_fd = job->package_fd,
                                       .stdout_fd = -1,
                                       .cpu_seconds = 120,
                                       .ended = unpacked },
              &launch);
}

/* ---- the user's commands --------------------------------------------------------------------- */

static void commanded(void *context, bool failed, uint32_t reason, int status, uint64_t cpu_us,
                      const char *text)
{
    struct job *job = context;

    (void)cpu_us;
    if (!child_went_well(job, failed, reason, status, text))
        return;
    job_log_line(job, white, "Build command execution finished.");
    job_pack(job);
}

static const struct interpreter *interpreter_of(struct job *job)
{
    const struct builder_options *o = &job->builder->options;
    const struct interpreter *interpreter;
    struct error err;
    bool exact;

    if (runtimes_resolve(o->runtimes, job->deployment.runtime, o->settings->runtime_substitute,
                         &interpreter, &exact, &err) < 0) {
        job_fail(job, err.message);
        return NULL;
    }
    if (!exact) {
        auto_free char *line = xasprintf("%s is not installed here; %s %s is used instead.",
                                         job->deployment.runtime, interpreter->family->key,
                                         interpreter->version);
        job_log_line(job, "33", line);
    }
    return interpreter;
}

static void job_commands(struct job *job)
{
    const struct builder_options *o = &job->builder->options;
    const struct interpreter *interpreter = interpreter_of(job);
    struct live_function *function = registry_function(o->registry, job->project_id,
                                                       job->function_id);
    auto_buffer struct buffer launch = { 0 };

    if (!interpreter)
        return;
    if (!function) {
        job_fail(job, "The function is gone.");
        return;
    }
    if (!*job->deployment.commands) {
        job_pack(job);
        return;
    }
    job_log_line(job, white, "Build command execution started.");
    char **environment = run_environment(o->run, function, &job->deployment, true);
    launch_build(&launch, interpreter, job->deployment.commands, (const char *const *)environment);
    run_environment_free(environment);
    job_child(job,
              &(struct child_request){ .kind = SANDBOX_BUILD,
                                       .network = NETWORK_OUTBOUND,
                                       .memory_mb = (uint32_t)job->memory_mb,
                                       .cpus_milli = (uint32_t)job->cpus_milli,
                                       .stdin_fd = -1,
                                       .stdout_fd = -1,
                                       .cpu_seconds = (uint32_t)(o->settings->build_seconds *
                                                                 (job->cpus_milli + 999) / 1000),
                                       .ended = commanded },
              &launch);
}

/* ---- pack, keep, seal ------------------------------------------------------------------------ */

static void output_kept(struct job *job, const struct error *err)
{
    if (err)
        job_fail(job, err->message);
    else if (!job_interrupted(job))
        job_seal(job);
}

static void packed(void *context, bool failed, uint32_t reason, int status, uint64_t cpu_us,
                   const char *text)
{
    struct job *job = context;

    (void)cpu_us;
    fd_close(&job->output_fd);
    if (!child_went_well(job, failed, reason, status, text))
        return;
    job_log_line(job, white, "Build packaging finished.");
    job_lane(job, job_keep_output, output_kept);
}

static void job_pack(struct job *job)
{
    const struct settings *s = job->builder->options.settings;
    auto_buffer struct buffer launch = { 0 };
    char bytes[32];

    job->output_path = xasprintf("%s/uploads/%s.output", s->data, job->deployment_id);
    job->output_fd = open(job->output_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                          0600);
    if (job->output_fd < 0) {
        auto_free char *sentence = xasprintf("The output cannot be written: %s", strerror(errno));
        job_fail(job, sentence);
        return;
    }
    job_log_line(job, white, "Build packaging started.");
    snprintf(bytes, sizeof bytes, "%lld", (long long)s->package_unpacked);
    launch_write(&launch, (const char *const[]){ "pack", "{code}", bytes, NULL },
                 (const char *const[]){ "LANG=C.UTF-8", NULL });
    job_child(job,
              &(struct child_request){ .kind = SANDBOX_PACK,
                                       .network = NETWORK_NONE,
                                       .memory_mb = 512,
                                       .cpus_milli = 1000,
                                       .own_program = true,
                                       .stdin_fd = -1,
                                       .stdout_fd = job->output_fd,
                                       .cpu_seconds = (uint32_t)s->build_seconds,
                                       .ended = packed },
              &launch);
}

static void ready_marked(struct job *job, const struct error *err)
{
    if (err && err->type == ERROR_INTERNAL)
        log_error("deployment %s: built, but not recorded: %s", job->deployment_id, err->message);
    if (err) { /* canceled or deleted in the last moment */
        run_tree_remove(job->builder->options.run, job->deployment_id, tree_gone, job);
        return;
    }
    log_info("deployment %s: ready", job->deployment_id);
    job_end(job);
}

static void sealed(void *context, const char *error)
{
    struct job *job = context;

    if (*error) {
        job_fail(job, error);
        return;
    }
    if (job_interrupted(job))
        return;
    job->ending = true;
    loop_timer_cancel(job->builder->options.loop, &job->deadline);
    job_log_line(job, green, "Build finished.");
    job_log_line(job, green, "Deployment finished.");
    job_log_flush(job);
    job_lane(job, job_mark_ready, ready_marked);
}

static void job_seal(struct job *job)
{
    run_tree_seal(job->builder->options.run, job->deployment_id, sealed, job);
}
