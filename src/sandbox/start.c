/* Starting a child: clone, wait until its program runs or a step failed, and clean up after a
 * failure. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum { START_WAIT_MS = 10000 };

static pid_t start_clone(uint64_t flags, int cgroup_directory, int *ret_pidfd)
{
    const uint64_t group = cgroup_directory >= 0 ? (uint64_t)(unsigned)cgroup_directory : 0;
    struct clone_args arguments = {
        .flags = flags | CLONE_PIDFD | (cgroup_directory >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = group,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid >= 0 || errno != ENOSYS || cgroup_directory >= 0) {
        return pid;
    }
    /* filters of container engines hide clone3; the older call returns the pidfd where the parent's
     * tid would go */
#if defined(__s390x__)
    return (pid_t)syscall(SYS_clone, 0, flags | CLONE_PIDFD | SIGCHLD, ret_pidfd, 0, 0);
#else
    return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, 0, ret_pidfd, 0, 0);
#endif
}

/* 0: the program runs. -1: *err says which step failed. */
static int wait_for_program(const struct prepared *prepared, struct error *err)
{
    struct child_report report;
    struct pollfd pipe = { .fd = prepared->error_read, .events = POLLIN };
    int ready;
    do {
        ready = poll(&pipe, 1, START_WAIT_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return fail(err, ERROR_INTERNAL, "sandbox: start: nothing happened for %d ms",
                    START_WAIT_MS);
    }
    ssize_t bytes = fd_read_all(prepared->error_read, &report, sizeof(report));
    if (bytes == 0) {
        return 0;
    }
    if (bytes != (ssize_t)sizeof(report)) {
        return fail(err, ERROR_INTERNAL, "sandbox: start: the child ended in the middle of a word");
    }
    report.detail[sizeof(report.detail) - 1] = '\0';
    const char *name = steps_name(report.step);
    if (report.detail[0] == '\0') {
        return fail(err, ERROR_INTERNAL, "sandbox: %s: %s", name, strerror(report.error));
    }
    if (report.error == 0) {
        return fail(err, ERROR_INTERNAL, "sandbox: %s: %s", name, report.detail);
    }
    return fail(err, ERROR_INTERNAL, "sandbox: %s: %s: %s", name, report.detail,
                strerror(report.error));
}

static int open_pipes(struct prepared *prepared, struct error *err)
{
    if (fd_pipe(&prepared->error_read, &prepared->error_write, err) != 0) {
        return -1;
    }
    return prepared->has_init ? fd_pipe(&prepared->status_read, &prepared->status_write, err) : 0;
}

static int clone_child(struct prepared *prepared, struct sandbox_child *ret_child,
                       struct error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    pid_t pid = start_clone(prepared->clone_flags, prepared->cgroup_directory, &pidfd);
    if (pid == 0) {
        steps_run(prepared);
    }
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    if (pid < 0) {
        return fail_errno(err, "sandbox: clone");
    }
    ret_child->pid = pid;
    ret_child->pidfd = pidfd;
    fd_close(&prepared->error_write);
    fd_close(&prepared->status_write);
    return 0;
}

static void abandon(struct sandbox_host *host, struct sandbox_child *child)
{
    if (child->pid > 0) {
        syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
        siginfo_t info;
        while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) != 0 && errno == EINTR) {
        }
    }
    sandbox_bury(host, child);
}

int sandbox_start(struct sandbox_host *host, const struct sandbox_plan *plan,
                  struct sandbox_child *ret_child, struct error *err)
{
    struct prepared prepared;
    struct sandbox_child child = {
        .pid = 0,
        .pidfd = -1,
        .status_fd = -1,
        .worker_id = plan->worker_id,
        .own_program = plan->program_fd >= 0,
    };
    bool has_late = false;
    for (size_t i = 0; i < plan->path_count; i++) {
        has_late |= plan->paths[i].late && host->inner->use_namespaces;
    }
    if (has_late && grant_make_slot(host, plan->worker_id, err) != 0) {
        return -1;
    }
    int result = plan_prepare(host, plan, &prepared, err);
    if (result == 0) {
        result = cgroup_make(host, plan, &prepared, err);
        memcpy(child.cgroup, prepared.cgroup, sizeof(child.cgroup));
    }
    if (result == 0) {
        result = open_pipes(&prepared, err);
    }
    if (result == 0) {
        result = clone_child(&prepared, &child, err);
    }
    if (result == 0) {
        result = wait_for_program(&prepared, err);
    }
    if (result == 0) {
        child.status_fd = fd_steal(&prepared.status_read);
        live_add(host->inner, child.worker_id, child.pid);
        *ret_child = child;
    } else {
        abandon(host, &child);
    }
    plan_release(&prepared);
    return result;
}

/* Without an init the child's own wait status says it all; with one the status it passed on counts,
 * if it got so far. */
bool sandbox_reap(struct sandbox_host *host, const struct sandbox_child *child,
                  struct sandbox_end *ret_end)
{
    (void)host;
    siginfo_t info = { 0 };
    struct rusage usage = { 0 };
    long result = syscall(SYS_waitid, P_PIDFD, child->pidfd, &info, WEXITED | WNOHANG, &usage);
    if (result != 0 || info.si_pid == 0) {
        return false;
    }
    struct sandbox_end end = {
        .by_signal = info.si_code != CLD_EXITED,
        .status = info.si_status,
        .cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec),
    };
    int status;
    if (child->status_fd >= 0 &&
        fd_read_all(child->status_fd, &status, sizeof(status)) == (ssize_t)sizeof(status)) {
        end.by_signal = WIFSIGNALED(status);
        end.status = end.by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    }
    *ret_end = end;
    return true;
}

void sandbox_bury(struct sandbox_host *host, struct sandbox_child *child)
{
    if (child->cgroup[0] != '\0') {
        cgroup_remove(host, child->cgroup);
    }
    if (child->pid > 0) {
        live_remove(host->inner, child->pid);
    }
    grant_remove_slot(host, child->worker_id);
    fd_close(&child->pidfd);
    fd_close(&child->status_fd);
    *child = (struct sandbox_child){ .pidfd = -1, .status_fd = -1 };
}
