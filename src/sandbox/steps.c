/*
 * From clone to exec: the steps a child runs on itself, in this order. Each is one row; the comment
 * beside it says why it stands there. Everything a step needs was prepared before the clone: no
 * step allocates, and none uses stdio.
 *
 * A step that fails is told to the parent over the error pipe (number, errno, detail). The pipe is
 * close-on-exec: its end without a message means that the program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"
#include "sandbox_private.h"

enum { FIRST_FREE = 64, LAST_CAPABILITY = 63 };

typedef int step_routine(struct prepared *prepared, const char **ret_detail);

struct step {
    const char *name;
    step_routine *run;
};

static void run_from(struct prepared *prepared, size_t first);

static int step_signals(struct prepared *prepared, const char **ret_detail)
{
    (void)ret_detail;
    struct sigaction action = { .sa_handler = SIG_DFL };
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &action, NULL); /* KILL, STOP and the two of libc refuse: fine */
    }
    close(prepared->error_read);
    if (prepared->status_read >= 0) {
        close(prepared->status_read);
    }
    return 0;
}

static int step_cgroup(struct prepared *prepared, const char **ret_detail)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (prepared->cgroup_tasks[i] < 0) {
            continue;
        }
        if (write(prepared->cgroup_tasks[i], "0", 1) != 1) {
            *ret_detail = prepared->inner->cgroups[i].controller;
            return -1;
        }
        close(prepared->cgroup_tasks[i]);
    }
    return 0;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t written = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return written < 0 ? -1 : 0;
}

static int step_user_namespace(struct prepared *prepared, const char **ret_detail)
{
    if ((prepared->clone_flags & CLONE_NEWUSER) == 0) {
        return 0;
    }
    const char *const rows[][2] = { { "/proc/self/setgroups", "deny" },
                                    { "/proc/self/uid_map", prepared->uid_map },
                                    { "/proc/self/gid_map", prepared->gid_map } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (write_file(rows[i][0], rows[i][1]) != 0) {
            *ret_detail = rows[i][0];
            return -1;
        }
    }
    return 0;
}

static int step_oom_score(struct prepared *prepared, const char **ret_detail)
{
    (void)ret_detail;
    if (write_file("/proc/self/oom_score_adj", prepared->oom_score) != 0 && errno != ENOENT) {
        return -1;
    }
    return 0;
}

static int step_network(struct prepared *prepared, const char **ret_detail)
{
    (void)ret_detail;
    if (prepared->plan->network != NETWORK_NONE || prepared->inner->network_namespace < 0) {
        return 0;
    }
    return setns(prepared->inner->network_namespace, CLONE_NEWNET);
}

static int step_mounts(struct prepared *prepared, const char **ret_detail)
{
    if ((prepared->clone_flags & CLONE_NEWNS) == 0) {
        return 0;
    }
    if ((prepared->clone_flags & CLONE_NEWUTS) != 0 && sethostname("function", 8) != 0) {
        *ret_detail = "host name";
        return -1;
    }
    return mounts_run(prepared, ret_detail);
}

/* No more than this process may have itself. */
static int apply_rlimit(struct rlimit_row *row)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)row->resource, &now) == 0) {
        if (row->value.rlim_max > now.rlim_max) {
            row->value.rlim_max = now.rlim_max;
        }
        if (row->value.rlim_cur > row->value.rlim_max) {
            row->value.rlim_cur = row->value.rlim_max;
        }
    }
    return setrlimit((__rlimit_resource_t)row->resource, &row->value);
}

/* cpu_set_count of the CPUs we may use, beginning with number cpu_set_first and round again. */
static void apply_cpu_set(const struct prepared *prepared)
{
    cpu_set_t allowed, mine;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return;
    }
    CPU_ZERO(&mine);
    uint32_t total = (uint32_t)CPU_COUNT(&allowed), seen = 0;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE && total != 0; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) {
            continue;
        }
        if ((seen++ + total - prepared->cpu_set_first % total) % total < prepared->cpu_set_count) {
            CPU_SET(cpu, &mine);
        }
    }
    sched_setaffinity(0, sizeof(mine), &mine);
}

static int step_limits(struct prepared *prepared, const char **ret_detail)
{
    for (size_t i = 0; i < prepared->rlimit_count; i++) {
        if (apply_rlimit(&prepared->rlimits[i]) != 0) {
            *ret_detail = prepared->rlimits[i].name;
            return -1;
        }
    }
    if (prepared->cpu_set_count != 0) {
        apply_cpu_set(prepared);
    }
    if (prepared->nice != 0) {
        errno = 0;
        if (nice(prepared->nice) == -1 && errno != 0) {
            *ret_detail = "nice";
            return -1;
        }
    }
    umask(027);
    return 0;
}

static int empty_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };
    return (int)syscall(SYS_capset, &header, none);
}

static int step_identity(struct prepared *prepared, const char **ret_detail)
{
    for (int capability = 0; capability <= LAST_CAPABILITY; capability++) {
        /* EINVAL past the last one; EPERM without rights, and then the sets are empty anyway */
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            break;
        }
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (prepared->change_identity) {
        /* raw calls: libc would tell other threads, and there are none */
        if (syscall(SYS_setgroups, 0, NULL) != 0) {
            *ret_detail = "groups";
            return -1;
        }
        if (syscall(SYS_setresgid, prepared->gid, prepared->gid, prepared->gid) != 0) {
            *ret_detail = "group id";
            return -1;
        }
        if (syscall(SYS_setresuid, prepared->uid, prepared->uid, prepared->uid) != 0) {
            *ret_detail = "user id";
            return -1;
        }
    }
    if (empty_capabilities() != 0) {
        *ret_detail = "capabilities";
        return -1;
    }
    return 0;
}

static int step_death_signal(struct prepared *prepared, const char **ret_detail)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return -1;
    }
    struct pollfd parent = { .fd = prepared->error_write };
    if (poll(&parent, 1, 0) > 0 && (parent.revents & POLLERR) != 0) {
        *ret_detail = "the supervisor is gone";
        errno = EPIPE;
        return -1;
    }
    return 0;
}

static int step_no_new_privileges(struct prepared *prepared, const char **ret_detail)
{
    (void)prepared;
    (void)ret_detail;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * Reaps until its own child has ended, tells how, and ends: the kernel then ends whatever else is
 * in the namespace. Not declared as never returning, since before such a call the address sanitizer
 * makes others that init's filter refuses.
 */
static void init_loop(pid_t worker, int status_fd)
{
    for (;;) {
        int status = 0;
        pid_t ended = (pid_t)syscall(SYS_wait4, -1, &status, 0, NULL);
        if (ended == worker) {
            ssize_t written = write(status_fd, &status, sizeof(status));
            syscall(SYS_exit_group, written == (ssize_t)sizeof(status) ? 0 : 1);
        }
        if (ended < 0 && errno == ECHILD) {
            syscall(SYS_exit_group, 1);
        }
    }
}

static void report(const struct prepared *prepared, int step, const char *detail)
{
    struct child_report message = { .step = step, .error = errno };
    if (detail != NULL) {
        strncpy(message.detail, detail, sizeof(message.detail) - 1);
    }
    ssize_t written = write(prepared->error_write, &message, sizeof(message));
    (void)written;
    syscall(SYS_exit_group, 127);
}

/*
 * The worker is not process 1 itself: the kernel shields 1 from signals it has no handler for, and
 * nobody would reap what is orphaned. So the clone child stays as init with a filter of six calls,
 * and its child goes on.
 */
static int step_init(struct prepared *prepared, const char **ret_detail)
{
    if (!prepared->has_init) {
        return 0;
    }
    pid_t worker = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (worker < 0) {
        *ret_detail = "fork";
        return -1;
    }
    if (worker == 0) {
        close(prepared->status_write);
        return 0;
    }
    int status = fcntl(prepared->status_write, F_DUPFD, FIRST_FREE);
    int error = fcntl(prepared->error_write, F_DUPFD, status + 1);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    syscall(SYS_close_range, 0, (unsigned)status - 1, 0);
    syscall(SYS_close_range, (unsigned)status + 1, (unsigned)error - 1, 0);
    syscall(SYS_close_range, (unsigned)error + 1, ~0U, 0);
    prepared->error_write = error;
    if (prepared->init.count != 0 && seccomp_apply(&prepared->init) != 0) {
        report(prepared, -1, "system calls of init");
    }
    close(error);
    init_loop(worker, status);
    return -1;
}

static int step_session(struct prepared *prepared, const char **ret_detail)
{
    (void)prepared;
    (void)ret_detail;
    return setsid() < 0 ? -1 : 0;
}

static int step_descriptors(struct prepared *prepared, const char **ret_detail)
{
    int wanted[DESCRIPTORS_PREPARED] = { prepared->plan->stdin_fd, prepared->plan->stdout_fd,
                                         prepared->plan->stderr_fd, prepared->plan->channel_fd };
    for (int i = 0; i < DESCRIPTORS_PREPARED; i++) { /* out of the way of the targets first */
        int from = i < 3 && wanted[i] < 0 ? prepared->null_fd : wanted[i];
        if (from >= 0 && (wanted[i] = fcntl(from, F_DUPFD_CLOEXEC, FIRST_FREE)) < 0) {
            *ret_detail = "copy";
            return -1;
        }
    }
    int kept = fcntl(prepared->error_write, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (kept < 0) {
        *ret_detail = "copy";
        return -1;
    }
    prepared->error_write = kept;
    if (prepared->program_fd >= 0 &&
        (prepared->program_fd = fcntl(prepared->program_fd, F_DUPFD_CLOEXEC, FIRST_FREE)) < 0) {
        *ret_detail = "copy";
        return -1;
    }
    for (int i = 0; i < DESCRIPTORS_PREPARED; i++) {
        if (wanted[i] < 0) {
            close(i);
        } else if (dup2(wanted[i], i) < 0) {
            *ret_detail = "place";
            return -1;
        }
    }
    unsigned first = prepared->plan->channel_fd >= 0 ? 4 : 3;
    return (int)syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC);
}

static int step_directory(struct prepared *prepared, const char **ret_detail)
{
    *ret_detail = prepared->directory;
    return chdir(prepared->directory);
}

static int step_files(struct prepared *prepared, const char **ret_detail)
{
    return prepared->landlock_abi > 0 ? landlock_apply(prepared, ret_detail) : 0;
}

static int step_system_calls(struct prepared *prepared, const char **ret_detail)
{
    if (prepared->allow.count == 0) {
        return 0;
    }
    if (seccomp_apply(&prepared->deny) != 0) {
        *ret_detail = "arguments";
        return -1;
    }
    return seccomp_apply(&prepared->allow);
}

static int step_unblock(struct prepared *prepared, const char **ret_detail)
{
    (void)prepared;
    (void)ret_detail;
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int step_program(struct prepared *prepared, const char **ret_detail)
{
    const struct sandbox_plan *plan = prepared->plan;
    if (prepared->inner->trial != NULL) {
        char detail[sizeof(((struct child_report *)0)->detail)] = "";
        errno = 0;
        if (prepared->inner->trial(prepared->inner->trial_context, detail, sizeof(detail)) != 0) {
            report(prepared, STEP_TRIAL, detail);
        }
        syscall(SYS_exit_group, 0);
    }
    *ret_detail = prepared->program;
    if (prepared->program_fd >= 0) {
        return (int)syscall(SYS_execveat, prepared->program_fd, "", plan->argv, prepared->envp,
                            AT_EMPTY_PATH);
    }
    return execve(prepared->program, plan->argv, prepared->envp);
}

static const struct step steps[] = {
    { .name = "signals", .run = step_signals }, /* no handler of ours may run in the child */
    { .name = "cgroup", .run = step_cgroup },   /* whatever is used from here on counts */
    { .name = "user namespace", .run = step_user_namespace }, /* gives the rights for the rest */
    { .name = "oom score", .run = step_oom_score }, /* not writable once the uid changed */
    { .name = "network", .run = step_network },     /* needs the rights of the supervisor */
    { .name = "mounts", .run = step_mounts },
    { .name = "limits", .run = step_limits },     /* after the user namespace: it counts anew */
    { .name = "identity", .run = step_identity }, /* last that needs rights */
    { .name = "death signal", .run = step_death_signal }, /* a change of uid clears it */
    { .name = "no new privileges", .run = step_no_new_privileges },
    { .name = "init", .run = step_init }, /* what follows is the worker's alone */
    { .name = "session", .run = step_session },
    { .name = "second death signal", .run = step_death_signal }, /* a fork clears it too */
    { .name = "descriptors", .run = step_descriptors },
    { .name = "directory", .run = step_directory },
    { .name = "files", .run = step_files },               /* opens paths: before the filter */
    { .name = "system calls", .run = step_system_calls }, /* what comes after must be in the list */
    { .name = "unblock signals", .run = step_unblock },
    { .name = "program", .run = step_program },
};

const char *steps_name(int step)
{
    if (step == STEP_TRIAL) {
        return "trial";
    }
    if (step == STEP_CLONE) {
        return "clone";
    }
    return step >= 0 && (size_t)step < COUNT(steps) ? steps[step].name : "init";
}

static void run_from(struct prepared *prepared, size_t first)
{
    for (size_t i = first; i < COUNT(steps); i++) {
        const char *detail = NULL;
        if (steps[i].run(prepared, &detail) != 0) {
            report(prepared, (int)i, detail);
        }
    }
}

void steps_run(struct prepared *prepared)
{
    run_from(prepared, 0);
    syscall(SYS_exit_group, 127);
    __builtin_unreachable();
}
