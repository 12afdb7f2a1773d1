/*
 * The supervisor's life: take the data directory, the port and the measure of the host, start the
 * api, then wait for signals until it is time to end everything. Nothing here reads what a client
 * sent.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "privilege.h"
#include "text.h"

enum { LOCK_WAIT_MS = 1000, REPORT_BYTES = 1 << 14 };
static const int64_t SECOND_US = 1000000;

/* ---- end ------------------------------------------------------------------------------------ */

static void give_up(void *context)
{
    struct supervisor *supervisor = context;

    log_error("%zu processes could not be ended", supervisor->child_count);
    loop_stop(supervisor->loop);
}

void serve_check_finished(struct supervisor *supervisor)
{
    if (supervisor->phase == STOPPED && supervisor->child_count == 0 && supervisor->api.pid == 0)
        loop_stop(supervisor->loop);
}

void serve_finish(struct supervisor *supervisor, int exit_status)
{
    supervisor->phase = STOPPED;
    supervisor->exit_status = exit_status;
    loop_timer_arm(supervisor->loop, &supervisor->stop_timer, clock_monotonic_us() + 8 * SECOND_US,
                   give_up, supervisor);
    api_process_kill(supervisor);
    children_orphan(supervisor);
    serve_check_finished(supervisor);
}

static void stop_is_late(void *context)
{
    struct supervisor *supervisor = context;

    log_warning("the api did not stop in time and is ended");
    serve_finish(supervisor, supervisor->exit_status);
}

static void stop_now(struct supervisor *supervisor)
{
    const struct message_stop message = { .type = MESSAGE_STOP, .now = 1 };

    log_info("stopping now");
    supervisor->phase = STOPPING_NOW;
    api_process_send(supervisor, &message, sizeof(message));
    children_orphan(supervisor);
    loop_timer_arm(supervisor->loop, &supervisor->stop_timer, clock_monotonic_us() + SECOND_US,
                   stop_is_late, supervisor);
}

static void stop(struct supervisor *supervisor)
{
    const struct message_stop message = { .type = MESSAGE_STOP };
    int64_t seconds = supervisor->settings->stop_seconds;

    log_info("stopping; running executions get %" PRId64 " s", seconds);
    supervisor->phase = STOPPING;
    if (supervisor->api.pid == 0) {
        serve_finish(supervisor, supervisor->exit_status);
        return;
    }
    api_process_send(supervisor, &message, sizeof(message));
    loop_timer_arm(supervisor->loop, &supervisor->stop_timer,
                   clock_monotonic_us() + (seconds + 5) * SECOND_US, stop_is_late, supervisor);
}

/* ---- signals -------------------------------------------------------------------------------- */

/* As subreaper, and in a container as pid 1, everything that lost its parent ends here. */
static void reap(struct supervisor *supervisor)
{
    siginfo_t info;

    for (;;) {
        int status;

        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        if (children_reap(supervisor, info.si_pid))
            continue;
        if (waitpid(info.si_pid, &status, WNOHANG) <= 0)
            continue;
        if (info.si_pid == supervisor->api.pid)
            api_process_reaped(supervisor, status);
        else
            helper_reaped(supervisor, info.si_pid, status);
    }
}

static void signal_ready(void *context, uint32_t events)
{
    struct supervisor *supervisor = context;
    struct signalfd_siginfo info;

    (void)events;
    while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            continue; /* several may have become one */
        if (supervisor->phase == SERVING)
            stop(supervisor);
        else if (supervisor->phase == STOPPING)
            stop_now(supervisor);
    }
    reap(supervisor);
}

static int open_signals(struct supervisor *supervisor, struct error *err)
{
    struct loop_watch *watch;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, the kernel would reap for us */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return fail_errno(err, "signals");
    supervisor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signal_fd < 0)
        return fail_errno(err, "signals");
    return loop_watch_add(supervisor->loop, supervisor->signal_fd, EPOLLIN, signal_ready,
                          supervisor, &watch, err);
}

/* ---- start ---------------------------------------------------------------------------------- */

static void harden(void)
{
    struct rlimit files;
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        fd_write_all(fd, "-500", 4); /* a wish; most hosts grant it to root alone */
    fd_close(&fd);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    umask(022);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "functiond");
}

int serve_probe(const struct settings *settings, const char *data_directory, uint16_t port,
                struct sandbox_host *ret_host, struct error *err)
{
    return sandbox_probe(&(struct sandbox_options){ .profile = settings->sandbox,
                                                    .profile_minimum = settings->sandbox_minimum,
                                                    .limits_minimum = settings->limits_minimum,
                                                    .uid_range = settings->uid_range,
                                                    .data_directory = data_directory,
                                                    .egress_private = settings->egress_private,
                                                    .api_port = port },
                         ret_host, err);
}

/* In `container` workers pass through DIR by their own user ids, so everything above it must be
 * open, too. */
static int open_for_slots(struct supervisor *supervisor, struct error *err)
{
    auto_free char *builds = xasprintf("%s/builds", supervisor->data.path);
    uint32_t uid = supervisor->host.uid_first;
    int status = 0;
    pid_t pid;

    if (supervisor->host.profile == SANDBOX_FULL || supervisor->host.uid_count == 0)
        return 0;
    if (fchmod(supervisor->data.fd, 0711) < 0)
        return fail_errno(err, "data directory %s", supervisor->data.path);
    pid = fork();
    if (pid < 0)
        return fail_errno(err, "cannot start a process");
    if (pid == 0)
        _exit(privilege_take_identity(uid, uid) < 0 || access(builds, X_OK) < 0 ? 1 : 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status != 0)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "data directory %s: workers cannot reach it, because a directory above it is "
                    "closed to others; choose one elsewhere",
                    supervisor->data.path);
    return 0;
}

static int open_host(struct supervisor *supervisor, struct error *err)
{
    auto_buffer struct buffer line = { 0 };
    int leftovers;

    leftovers = leftovers_sweep(supervisor);
    if (serve_probe(supervisor->settings, supervisor->data.path, supervisor->port,
                    &supervisor->host, err) < 0)
        return -1;
    supervisor->has_host = true;
    privilege_hide(true);
    leftovers += sandbox_sweep(&supervisor->host);
    if (leftovers > 0)
        log_warning("%d processes of an earlier start were still there and have been ended",
                    leftovers);
    buffer_init(&line, REPORT_BYTES);
    sandbox_report_line(&supervisor->host, &line);
    log_info("%s", line.size > 0 ? line.data : "no host report");
    slots_init(&supervisor->slots, supervisor->host.uid_first, supervisor->host.uid_count);
    if (supervisor->host.profile == SANDBOX_NONE)
        log_warning("the setting sandbox_minimum allows it: functions run without a sandbox and "
                    "can read everything this account can");
    return open_for_slots(supervisor, err);
}

static int serve_open(struct supervisor *supervisor, struct error *err)
{
    const struct settings *settings = supervisor->settings;
    auto_free char *name = NULL;

    if (data_open(settings, LOCK_WAIT_MS, &supervisor->data, err) < 0)
        return -1;
    if (!supervisor->data.locked)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "data directory %s is in use by another functiond", supervisor->data.path);
    if (listen_open(settings->listen, &supervisor->listen_fd, &supervisor->port, &name, err) < 0 ||
        data_lay_out(&supervisor->data, err) < 0)
        return -1;
    supervisor->program_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (supervisor->program_fd < 0)
        return fail_errno(err, "cannot open our own program");
    harden();
    if (open_signals(supervisor, err) < 0 || open_host(supervisor, err) < 0 ||
        trees_tidy(supervisor, err) < 0 || api_process_start(supervisor, err) < 0)
        return -1;
    log_info("listening on %s, data in %s", name, supervisor->data.path);
    return 0;
}

static void serve_close(struct supervisor *supervisor)
{
    api_process_close(supervisor);
    helpers_release(supervisor);
    watch_release(supervisor);
    children_release(supervisor);
    trees_release(supervisor);
    slots_release(&supervisor->slots);
    loop_timer_cancel(supervisor->loop, &supervisor->stop_timer);
    if (supervisor->has_host)
        sandbox_release(&supervisor->host);
    fd_close(&supervisor->signal_fd);
    fd_close(&supervisor->program_fd);
    fd_close(&supervisor->listen_fd);
    data_close(&supervisor->data);
    loop_free(supervisor->loop);
}

static void configure_log(const struct settings *settings)
{
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    enum log_level level = LOG_INFO;

    for (size_t i = 0; i < COUNT(levels); i++)
        if (text_equals(settings->log_level, levels[i]))
            level = (enum log_level)i;
    log_configure(level, text_equals(settings->log_format, "json") ? LOG_JSON : LOG_TEXT,
                  "supervisor");
}

int supervisor_serve(const struct settings *settings, char *const *api_argv)
{
    struct supervisor supervisor = { .settings = settings,
                                     .api_argv = api_argv,
                                     .listen_fd = -1,
                                     .program_fd = -1,
                                     .signal_fd = -1,
                                     .api = { .socket = -1 } };
    struct error err;

    configure_log(settings);
    data_close(&supervisor.data);
    if (loop_new(&supervisor.loop, &err) < 0) {
        log_error("%s", err.message);
        return 1;
    }
    if (serve_open(&supervisor, &err) < 0) {
        log_error("%s", err.message);
        supervisor.exit_status = 1;
    } else {
        loop_run(supervisor.loop);
        log_info("stopped");
    }
    serve_close(&supervisor);
    return supervisor.exit_status;
}
