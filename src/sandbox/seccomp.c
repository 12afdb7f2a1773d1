/*
 * Filters: an allow-list with checked arguments, a second small one that refuses single arguments
 * of calls the first allows ("everything but" cannot be said in an allow-list without comparing the
 * unused upper half of a register), and one for init. Built once at start as binary trees, kept as
 * the kernel's own bytes, loaded by every child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "seccomp_lists.h"

#define MASKED(number, mask, value)                                                      \
    {                                                                                    \
        .arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value) \
    }
/* The lower half of a register is all that the kernel looks at for an int; the upper half is the
 * caller's to choose. */
#define LOW(number, value)  MASKED(number, 0xffffffffu, (uint32_t)(value))
#define CLEAR(number, bits) MASKED(number, bits, 0)
#define NOT_NULL(number)                                 \
    {                                                    \
        .arg = (number), .op = SCMP_CMP_NE, .datum_a = 0 \
    }

enum { TREE = 2, FILTER_LIMIT = 64 * 1024 };
enum { NETLINK_FAMILY = 16, FAST_OPEN = 0x20000000 };

/* Flags beside the type of a socket. */
enum { TYPE_MASK = 0xf };

/* Calls that are fine with these arguments; several rows of one call are alternatives. */
static const struct argument_row {
    const char *call;
    unsigned count;
    struct scmp_arg_cmp compare[2];
} checked_calls[] = {
    { "clone", 1, { CLEAR(0, 0x7e020000) } }, /* no new namespace; see the assertion below */
    { "sendto", 1, { CLEAR(3, FAST_OPEN) } }, /* connects around the port rules of Landlock */
    { "send", 1, { CLEAR(3, FAST_OPEN) } },
    { "sendmsg", 1, { CLEAR(2, FAST_OPEN) } },
    { "sendmmsg", 1, { CLEAR(3, FAST_OPEN) } },
    { "prlimit64", 1, { LOW(0, 0) } }, /* itself only: with a shared uid others are in reach */
    { "sched_setaffinity", 1, { LOW(0, 0) } },
    { "sched_setattr", 1, { LOW(0, 0) } },
    { "sched_setparam", 1, { LOW(0, 0) } },
    { "sched_setscheduler", 1, { LOW(0, 0) } },
    { "setpriority", 2, { LOW(0, 0), LOW(1, 0) } },
    { "ioprio_set", 2, { LOW(0, 1), LOW(1, 0) } },
    { "personality", 1, { LOW(0, 0xffffffffu) } },
    { "mknod", 1, { MASKED(1, S_IFMT, S_IFIFO) } },
    { "mknodat", 1, { MASKED(2, S_IFMT, S_IFIFO) } },
    { "socket", 1, { LOW(0, AF_UNIX) } },
    { "socket", 2, { LOW(0, NETLINK_FAMILY), LOW(2, 0) } }, /* listing of interfaces */
    { "socketpair", 1, { LOW(0, AF_UNIX) } },
};

_Static_assert((CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                CLONE_NEWPID | CLONE_NEWNET) == 0x7e020000,
               "the row of clone");

/* Values of allowed calls that are refused all the same. */
static const struct argument_row refused_arguments[] = {
    { "ioctl", 1, { LOW(1, 0x5412) } }, /* TIOCSTI: types into a terminal */
    { "ioctl", 1, { LOW(1, 0x541c) } }, /* TIOCLINUX */
    { "ioctl", 1, { LOW(1, 0x5423) } }, /* TIOCSETD */
    { "prctl", 1, { LOW(0, PR_SET_MM) } },
    { "setrlimit", 1, { LOW(0, RLIMIT_LOCKS) } }, /* the tag of struct process */
    { "setrlimit", 1, { LOW(0, RLIMIT_RTTIME) } },
    { "prlimit64", 2, { LOW(1, RLIMIT_LOCKS), NOT_NULL(2) } },
    { "prlimit64", 2, { LOW(1, RLIMIT_RTTIME), NOT_NULL(2) } },
    { "prctl", 2, { LOW(0, PR_SET_PTRACER), MASKED(1, UINT64_MAX, UINT64_MAX) } },
};

/* Ways to signal somebody by number, or by a handle that hides the number. */
static const struct argument_row refused_signals[] = {
    { "tkill", 0, { { 0 } } },
    { "pidfd_open", 0, { { 0 } } },
    { "pidfd_send_signal", 0, { { 0 } } },
    { "kill", 1, { LOW(0, -1) } },
    { "fcntl", 1, { LOW(1, F_SETOWN) } }, /* signals its owner when data comes */
    { "fcntl", 1, { LOW(1, F_SETOWN_EX) } },
    { "ioctl", 1, { LOW(1, 0x8901) } }, /* FIOSETOWN */
    { "ioctl", 1, { LOW(1, 0x8902) } }, /* SIOCSPGRP */
};

static const char *const signal_calls[] = { "kill", "tgkill", "rt_sigqueueinfo",
                                            "rt_tgsigqueueinfo" };

static const int internet_families[] = { AF_INET, AF_INET6 };
static const int internet_types[] = { SOCK_STREAM, SOCK_DGRAM };
static const int internet_protocols[] = {
    0, 6, 17
}; /* not the multipath one: Landlock does not see it */

static int add_number(scmp_filter_ctx filter, uint32_t action, int number)
{
    int result = seccomp_rule_add_array(filter, action, number, 0, NULL);
    return result == -EDOM || result == -EOPNOTSUPP ? 0 : result;
}

static int add_row(scmp_filter_ctx filter, uint32_t action, const struct argument_row *row)
{
    int number = seccomp_syscall_resolve_name(row->call);
    if (number < 0) {
        return 0; /* not a call of this architecture */
    }
    return seccomp_rule_add_array(filter, action, number, row->count, row->compare);
}

static int add_rows(scmp_filter_ctx filter, uint32_t action, const struct argument_row *rows,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = add_row(filter, action, &rows[i]);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int result = number < 0 ? 0 : add_number(filter, action, number);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int add_internet(scmp_filter_ctx filter)
{
    int number = seccomp_syscall_resolve_name("socket");
    for (size_t family = 0; family < COUNT(internet_families); family++) {
        for (size_t type = 0; type < COUNT(internet_types); type++) {
            for (size_t protocol = 0; protocol < COUNT(internet_protocols); protocol++) {
                struct scmp_arg_cmp compare[] = { LOW(0, internet_families[family]),
                                                  MASKED(1, TYPE_MASK,
                                                         (uint32_t)internet_types[type]),
                                                  LOW(2, internet_protocols[protocol]) };
                int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 3, compare);
                if (result != 0) {
                    return result;
                }
            }
        }
    }
    return 0;
}

static int build_allow(scmp_filter_ctx filter, bool network)
{
    const uint32_t unknown = SCMP_ACT_ERRNO(ENOSYS);
    int result = add_names(filter, SCMP_ACT_ALLOW, allowed_calls, COUNT(allowed_calls));
    for (size_t i = 0; result == 0 && i < COUNT(allowed_numbers); i++) {
        result = add_number(filter, SCMP_ACT_ALLOW, allowed_numbers[i]);
    }
    if (result == 0) {
        result = add_names(filter, unknown, unknown_calls, COUNT(unknown_calls));
    }
    for (size_t i = 0; result == 0 && i < COUNT(unknown_numbers); i++) {
        result = add_number(filter, unknown, unknown_numbers[i]);
    }
    if (result == 0) {
        result = add_rows(filter, SCMP_ACT_ALLOW, checked_calls, COUNT(checked_calls));
    }
    return result == 0 && network ? add_internet(filter) : result;
}

static int refuse_pid(scmp_filter_ctx filter, pid_t pid)
{
    for (size_t i = 0; i < COUNT(signal_calls); i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            struct argument_row row = { signal_calls[i], 1, { LOW(0, sign * pid) } };
            int result = add_row(filter, SCMP_ACT_ERRNO(EPERM), &row);
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

static int build_deny(scmp_filter_ctx filter, const struct sandbox_private *inner,
                      bool refuse_signals)
{
    const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
    int result = add_rows(filter, refuse, refused_arguments, COUNT(refused_arguments));
    if (result != 0 || !refuse_signals) {
        return result;
    }
    result = add_rows(filter, refuse, refused_signals, COUNT(refused_signals));
    for (size_t i = 0; result == 0 && i < inner->protected_count; i++) {
        result = refuse_pid(filter, inner->protected_pids[i]);
    }
    return result;
}

/* The library writes to a descriptor only; a memory file gives the bytes back. */
static int export_filter(scmp_filter_ctx filter, struct filter *ret_filter)
{
    auto_fd int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int result = seccomp_export_bpf(filter, fd);
    if (result != 0) {
        return result;
    }
    off_t bytes = lseek(fd, 0, SEEK_END);
    size_t count = (size_t)bytes / sizeof(struct sock_filter);
    if (bytes <= 0 || bytes > FILTER_LIMIT || count > BPF_MAXINSNS) {
        return -E2BIG;
    }
    struct sock_filter *code = xcalloc(count, sizeof(*code));
    if (pread(fd, code, (size_t)bytes, 0) != (ssize_t)bytes) {
        free(code);
        return -EIO;
    }
    free(ret_filter->code);
    *ret_filter = (struct filter){ .code = code, .count = (unsigned short)count };
    return 0;
}

enum filter_kind {
    FILTER_ALLOW_NETWORK,
    FILTER_ALLOW_NO_NETWORK,
    FILTER_DENY,
    FILTER_DENY_SIGNALS,
    FILTER_INIT
};

static int build(const struct sandbox_private *inner, enum filter_kind kind,
                 struct filter *ret_filter, struct error *err)
{
    bool is_deny = kind == FILTER_DENY || kind == FILTER_DENY_SIGNALS;
    scmp_filter_ctx filter = seccomp_init(is_deny ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return fail(err, ERROR_INTERNAL, "sandbox: seccomp: no filter could be made");
    }
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, TREE);
    if (result == 0) {
        switch (kind) {
        case FILTER_ALLOW_NETWORK:
            result = build_allow(filter, true);
            break;
        case FILTER_ALLOW_NO_NETWORK:
            result = build_allow(filter, false);
            break;
        case FILTER_DENY:
        case FILTER_DENY_SIGNALS:
            result = build_deny(filter, inner, kind == FILTER_DENY_SIGNALS);
            break;
        case FILTER_INIT:
            result = add_names(filter, SCMP_ACT_ALLOW, init_calls, COUNT(init_calls));
            break;
        }
    }
    if (result == 0) {
        result = export_filter(filter, ret_filter);
    }
    seccomp_release(filter);
    return result == 0 ? 0 : fail(err, ERROR_INTERNAL, "sandbox: seccomp: %s", strerror(-result));
}

int seccomp_build_deny(struct sandbox_private *inner, bool refuse_signals, struct error *err)
{
    return build(inner, refuse_signals ? FILTER_DENY_SIGNALS : FILTER_DENY, &inner->deny, err);
}

int seccomp_build(struct sandbox_private *inner, struct error *err)
{
    if (build(inner, FILTER_ALLOW_NETWORK, &inner->allow_network, err) != 0 ||
        build(inner, FILTER_ALLOW_NO_NETWORK, &inner->allow_no_network, err) != 0 ||
        build(inner, FILTER_INIT, &inner->init, err) != 0) {
        return -1;
    }
    return seccomp_build_deny(inner, false, err);
}

void seccomp_free(struct sandbox_private *inner)
{
    struct filter *const filters[] = { &inner->allow_network, &inner->allow_no_network,
                                       &inner->deny, &inner->init };
    for (size_t i = 0; i < COUNT(filters); i++) {
        free(filters[i]->code);
        *filters[i] = (struct filter){ 0 };
    }
}

int seccomp_apply(const struct filter *filter)
{
    struct sock_fprog program = { .len = filter->count, .filter = filter->code };
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
