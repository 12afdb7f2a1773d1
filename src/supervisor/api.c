/*
 * The api process: our own binary again, with no privilege and three descriptors, 3 the listening
 * socket, 4 the message socket, 5 the settings. It comes and goes; the listening socket and this
 * file stay.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "packets.h"
#include "privilege.h"
#include "text.h"

enum {
    API_FDS = 3, /* they become 3, 4, 5 */
    SOCKET_BYTES = 1 << 20,
    PACKETS_WAITING = 65536, /* an api that reads nothing for so long is dead in all but name */
    EXIT_CANNOT_SERVE = 78,  /* EX_CONFIG: it has said why, and trying again would change nothing */
    REPORT_BYTES = 1 << 16,
    ENVIRONMENT_MAX = 32
};
static const int64_t BACKOFF_US = 100000, BACKOFF_MOST_US = 5000000, STEADY_US = 10000000;
static const int64_t FAREWELL_US = 5000000;

struct packet {
    struct packet *next;
    size_t bytes;
    char data[];
};

/* ---- start ---------------------------------------------------------------------------------- */

/* What may pass from our environment: place, language, outgoing proxies, certificates, and the
 * sanitizers' options. */
static void environment_init(char *ret_environment[ENVIRONMENT_MAX])
{
    static const char *const passed[] = { "PATH=",         "TZ=",           "LANG=",
                                          "LC_ALL=",       "HTTP_PROXY=",   "HTTPS_PROXY=",
                                          "NO_PROXY=",     "http_proxy=",   "https_proxy=",
                                          "no_proxy=",     "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
                                          "LSAN_OPTIONS=", "TSAN_OPTIONS=" };
    size_t count = 0;

    for (char **variable = environ; *variable != NULL && count < ENVIRONMENT_MAX - 1; variable++)
        for (size_t i = 0; i < COUNT(passed); i++)
            if (text_starts(*variable, passed[i]) && count < ENVIRONMENT_MAX - 1)
                ret_environment[count++] = *variable;
    ret_environment[count] = NULL;
}

/* In the child. Any failure ends it; the parent sees the status and tries again. */
__attribute__((noreturn)) static void api_exec(const struct supervisor *supervisor,
                                               const int fds[API_FDS], pid_t parent)
{
    char *environment[ENVIRONMENT_MAX];
    int program = fcntl(supervisor->program_fd, F_DUPFD_CLOEXEC, 64);
    int moved[API_FDS];
    sigset_t none;

    for (int i = 0; i < API_FDS; i++)
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
    for (int i = 0; i < API_FDS; i++)
        if (dup2(moved[i], 3 + i) < 0)
            _exit(126);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir("/") < 0)
        _exit(126);
    setsid(); /* the terminal's Ctrl-C is for the supervisor, which tells us */
    syscall(SYS_close_range, 3 + API_FDS, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    if (geteuid() == 0 &&
        privilege_take_identity(supervisor->data.owner, supervisor->data.group) < 0)
        _exit(126);
    if (privilege_drop() < 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of identity, which clears it */
    if (getppid() != parent)
        _exit(126);
    environment_init(environment);
    syscall(SYS_execveat, program, "", supervisor->api_argv, environment, AT_EMPTY_PATH);
    _exit(126);
}

static void write_oom_score(pid_t pid, const char *score)
{
    auto_free char *path = xasprintf("/proc/%d/oom_score_adj", pid);
    auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        fd_write_all(fd, score, strlen(score)); /* a wish; a host may refuse it */
}

static int send_welcome(struct supervisor *supervisor, struct error *err)
{
    const struct sandbox_host *host = &supervisor->host;
    const struct message_welcome welcome = {
        .type = MESSAGE_WELCOME,
        .profile = host->profile,
        .limits = host->limits,
        .late_code = host->late_code,
        .slots = host->uid_count,
        .cpus = (uint32_t)host->cpus,
        .memory_bytes = host->memory_bytes,
    };
    auto_buffer struct buffer report = { 0 };
    auto_fd int fd = -1;

    buffer_init(&report, REPORT_BYTES);
    sandbox_report_json(host, &report);
    fd = fd_memfd("report", report.data, report.size, err);
    if (fd < 0)
        return -1;
    if (fd_send_packet(supervisor->api.socket, &welcome, sizeof(welcome), &fd, 1) < 0)
        return fail_errno(err, "cannot greet the api");
    return 0;
}

static void api_ready(void *context, uint32_t events);

static int api_fork(struct supervisor *supervisor, struct error *err)
{
    struct settings copy = *supervisor->settings; /* borrowed, but for the directory's full name */
    auto_buffer struct buffer lines = { 0 };
    auto_fd int settings = -1, theirs = -1;
    const int bytes = SOCKET_BYTES;
    pid_t parent = getpid();
    int pair[2];
    pid_t pid;

    buffer_init(&lines, 1 << 20);
    copy.data = supervisor->data.path;
    settings_write(&copy, &lines);
    settings = fd_memfd("settings", lines.size > 0 ? lines.data : "", lines.size, err);
    if (settings < 0 || fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return -1;
    supervisor->api.socket = pair[0];
    theirs = pair[1];
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    if (fd_set_blocking(pair[0], false) < 0 || send_welcome(supervisor, err) < 0)
        return fail_add(err, "api");
    pid = fork();
    if (pid < 0)
        return fail_errno(err, "cannot start the api");
    if (pid == 0)
        api_exec(supervisor, (int[]){ supervisor->listen_fd, theirs, settings }, parent);
    supervisor->api.pid = pid;
    return 0;
}

int api_process_start(struct supervisor *supervisor, struct error *err)
{
    struct api_process *api = &supervisor->api;

    api->generation++;
    api->leaving = false;
    if (api_fork(supervisor, err) < 0) {
        fd_close(&api->socket);
        return -1;
    }
    write_oom_score(api->pid, "0");
    sandbox_protect(&supervisor->host, api->pid);
    api->started_us = clock_monotonic_us();
    if (loop_watch_add(supervisor->loop, api->socket, EPOLLIN, api_ready, supervisor, &api->watch,
                       err) < 0) {
        api_process_kill(supervisor);
        return -1;
    }
    log_debug("api started, pid %d", api->pid);
    return 0;
}

/* ---- talk ----------------------------------------------------------------------------------- */

static void disconnect(struct supervisor *supervisor)
{
    struct api_process *api = &supervisor->api;

    if (api->watch != NULL)
        loop_watch_remove(supervisor->loop, api->watch);
    api->watch = NULL;
    fd_close(&api->socket);
    while (api->first != NULL) {
        struct packet *packet = api->first;

        api->first = packet->next;
        free(packet);
    }
    api->last = NULL;
    api->waiting = 0;
}

void api_process_kill(struct supervisor *supervisor)
{
    disconnect(supervisor);
    if (supervisor->api.pid > 0)
        kill(supervisor->api.pid, SIGKILL);
}

static void kill_late(void *context)
{
    api_process_kill(context);
}

/* It usually ends just now, or closes its store after a stop; one that only lost its socket is of
 * no use to anybody. */
static void hung_up(struct supervisor *supervisor)
{
    disconnect(supervisor);
    if (supervisor->phase == SERVING && !supervisor->api.leaving)
        loop_timer_arm(supervisor->loop, &supervisor->api.farewell,
                       clock_monotonic_us() + FAREWELL_US, kill_late, supervisor);
}

static void receive(struct supervisor *supervisor)
{
    for (int turn = 0; turn < 64 && supervisor->api.socket >= 0; turn++) {
        union message message = { 0 };
        const struct packet_row *row;
        int fds[FD_MAX_PASSED];
        size_t fd_count = 0;
        struct error err;
        ssize_t got = fd_receive_packet(supervisor->api.socket, &message, sizeof(message), fds,
                                        &fd_count);

        if (got < 0 && errno == EAGAIN)
            return;
        if (got == 0 || (got < 0 && errno != EMSGSIZE)) {
            hung_up(supervisor);
            return;
        }
        if (got < 0)
            fail(&err, ERROR_INTERNAL, "a packet that is too large");
        if (got < 0 || packet_check(&message, (size_t)got, fd_count, &row, &err) < 0) {
            log_error("the api broke the protocol: %s", err.message);
            api_process_kill(supervisor);
        } else {
            row->handle(supervisor, &message, fds, fd_count);
        }
        for (size_t i = 0; i < fd_count; i++)
            fd_close(&fds[i]);
    }
}

static void flush(struct supervisor *supervisor)
{
    struct api_process *api = &supervisor->api;

    while (api->first != NULL) {
        struct packet *packet = api->first;

        if (fd_send_packet(api->socket, packet->data, packet->bytes, NULL, 0) < 0)
            return; /* EAGAIN: later; anything else shows when reading */
        api->first = packet->next;
        api->waiting--;
        free(packet);
    }
    api->last = NULL;
    loop_watch_change(supervisor->loop, api->watch, EPOLLIN);
}

static void api_ready(void *context, uint32_t events)
{
    struct supervisor *supervisor = context;

    if ((events & EPOLLOUT) != 0)
        flush(supervisor);
    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        receive(supervisor);
}

void api_process_send(struct supervisor *supervisor, const void *data, size_t bytes)
{
    struct api_process *api = &supervisor->api;
    struct packet *packet;

    if (api->socket < 0 || api->watch == NULL)
        return;
    if (api->first == NULL &&
        (fd_send_packet(api->socket, data, bytes, NULL, 0) == 0 || errno != EAGAIN))
        return;
    if (api->waiting >= PACKETS_WAITING) {
        log_error("the api does not read what the supervisor says; it is ended");
        api_process_kill(supervisor);
        return;
    }
    packet = xmalloc(sizeof(*packet) + bytes);
    packet->next = NULL;
    packet->bytes = bytes;
    memcpy(packet->data, data, bytes);
    if (api->last != NULL)
        api->last->next = packet;
    else
        api->first = packet;
    api->last = packet;
    api->waiting++;
    loop_watch_change(supervisor->loop, api->watch, EPOLLIN | EPOLLOUT);
}

/* ---- end ------------------------------------------------------------------------------------ */

static void restart(void *context)
{
    struct supervisor *supervisor = context;
    struct api_process *api = &supervisor->api;
    struct error err;

    if (supervisor->phase != SERVING || api_process_start(supervisor, &err) == 0)
        return;
    log_error("%s", err.message);
    if (api->pid == 0) /* else its end brings us here again */
        loop_timer_arm(supervisor->loop, &api->restart, clock_monotonic_us() + BACKOFF_MOST_US,
                       restart, supervisor);
}

void api_process_reaped(struct supervisor *supervisor, int status)
{
    struct api_process *api = &supervisor->api;
    int64_t now_us = clock_monotonic_us();
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (api->socket >= 0 && ok)
        receive(supervisor); /* its last words */
    disconnect(supervisor);
    loop_timer_cancel(supervisor->loop, &api->farewell);
    api->pid = 0;
    children_orphan(supervisor);
    trees_abandon(supervisor);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT_SERVE) {
        serve_finish(supervisor, 1);
        return;
    }
    if (supervisor->phase != SERVING || (ok && api->leaving)) {
        if (!ok && supervisor->phase == STOPPING)
            log_error("the api did not end cleanly");
        serve_finish(supervisor, supervisor->exit_status);
        return;
    }
    api->backoff_us = api->backoff_us == 0 || now_us - api->started_us > STEADY_US
                          ? BACKOFF_US
                          : api->backoff_us * 2;
    if (api->backoff_us > BACKOFF_MOST_US)
        api->backoff_us = BACKOFF_MOST_US;
    log_error("the api ended (%s %d); it is started again in %.1f s",
              WIFSIGNALED(status) ? "signal" : "status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
              (double)api->backoff_us / 1e6);
    loop_timer_arm(supervisor->loop, &api->restart, now_us + api->backoff_us, restart, supervisor);
}

void api_process_close(struct supervisor *supervisor)
{
    loop_timer_cancel(supervisor->loop, &supervisor->api.restart);
    loop_timer_cancel(supervisor->loop, &supervisor->api.farewell);
    api_process_kill(supervisor);
    while (supervisor->api.pid > 0 && waitpid(supervisor->api.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    supervisor->api.pid = 0;
}
