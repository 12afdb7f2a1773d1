/*
 * Forbidden things, tried by the throw-away child of a probe. Each row must fail; the first that
 * works is the reason why a profile is not chosen. Rows stay free of allocation and stdio: they run
 * where a program would.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "sandbox_private.h"

enum { PACKET_FAMILY = 17, MULTIPATH_PROTOCOL = 262 };

typedef bool attempt_routine(
    const struct attempts *attempts); /* true: it worked, which it must not */

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool read_data_directory(const struct attempts *attempts)
{
    return attempts->data_directory != NULL &&
           opens(attempts->data_directory, O_RDONLY | O_DIRECTORY);
}

static bool read_account_secrets(const struct attempts *attempts)
{
    (void)attempts;
    return opens("/etc/shadow", O_RDONLY);
}

static bool write_system(const struct attempts *attempts)
{
    (void)attempts;
    return access("/usr", W_OK) == 0 && mkdir("/usr/functiond-attempt", 0700) == 0;
}

static bool read_supervisor_environment(const struct attempts *attempts)
{
    char path[64] = "/proc/", digits[16];
    int at = 0, to = 6;
    for (pid_t pid = attempts->supervisor; pid > 0; pid /= 10) {
        digits[at++] = (char)('0' + pid % 10);
    }
    while (at > 0) {
        path[to++] = digits[--at];
    }
    memcpy(path + to, "/environ", sizeof("/environ"));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte;
    bool worked = fd >= 0 && read(fd, &byte, 1) == 1;
    if (fd >= 0) {
        close(fd);
    }
    /* inside its own namespace the same number may be a process of the child's own */
    return worked && attempts->host->profile != SANDBOX_FULL;
}

static bool signal_supervisor(const struct attempts *attempts)
{
    return attempts->host->profile != SANDBOX_FULL && kill(attempts->supervisor, 0) == 0;
}

static bool see_others(const struct attempts *attempts)
{
    return attempts->host->profile == SANDBOX_FULL && getpid() > 8;
}

static bool trace_supervisor(const struct attempts *attempts)
{
    return syscall(SYS_ptrace, PTRACE_SEIZE, attempts->supervisor, 0, 0) == 0;
}

static bool limit_supervisor(const struct attempts *attempts)
{
    struct rlimit now;
    return attempts->host->profile != SANDBOX_FULL &&
           prlimit(attempts->supervisor, RLIMIT_NOFILE, NULL, &now) == 0 &&
           prlimit(attempts->supervisor, RLIMIT_NOFILE, &now, NULL) == 0;
}

static bool new_user_namespace(const struct attempts *attempts)
{
    (void)attempts;
    return unshare(CLONE_NEWUSER) == 0;
}

static bool mount_something(const struct attempts *attempts)
{
    (void)attempts;
    return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool set_up_io_ring(const struct attempts *attempts)
{
    (void)attempts;
    return syscall(425 /* io_uring_setup */, 1, NULL) != -1 || (errno != ENOSYS && errno != EPERM);
}

static bool socket_works(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool packet_socket(const struct attempts *attempts)
{
    (void)attempts;
    return socket_works(PACKET_FAMILY, SOCK_RAW, 0);
}

static bool multipath_socket(const struct attempts *attempts)
{
    (void)attempts;
    return socket_works(AF_INET, SOCK_STREAM, MULTIPATH_PROTOCOL);
}

static bool internet_socket(const struct attempts *attempts)
{
    (void)attempts; /* the probe runs with the policy that has no network */
    return socket_works(AF_INET, SOCK_STREAM, 0);
}

static bool become_root(const struct attempts *attempts)
{
    return attempts->slot_uid != 0 && (geteuid() != attempts->slot_uid || setuid(0) == 0);
}

static bool has_capabilities(const struct attempts *attempts)
{
    (void)attempts;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    return syscall(SYS_capget, &header, data) != 0 ||
           (data[0].effective | data[0].permitted | data[0].inheritable) ||
           (data[1].effective | data[1].permitted | data[1].inheritable);
}

static bool may_gain_privileges(const struct attempts *attempts)
{
    (void)attempts;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static bool dumps_core(const struct attempts *attempts)
{
    (void)attempts;
    struct rlimit core;
    return getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max > 1;
}

/* What a profile without a filter or without Landlock cannot refuse is not asked of it. */
static const struct attempt {
    const char *name;
    attempt_routine *run;
    bool needs_seccomp, needs_files;
} rows[] = {
    { "read the data directory", read_data_directory, .needs_files = true },
    { "read /etc/shadow", read_account_secrets, .needs_files = true },
    { "write below /usr", write_system, .needs_files = true },
    { "read the supervisor's environment", read_supervisor_environment, .needs_files = true },
    { "signal the supervisor", signal_supervisor, .needs_seccomp = true },
    { "have a host's process number", see_others },
    { "trace the supervisor", trace_supervisor, .needs_seccomp = true },
    { "change limits of the supervisor", limit_supervisor, .needs_seccomp = true },
    { "make a user namespace", new_user_namespace, .needs_seccomp = true },
    { "mount", mount_something, .needs_seccomp = true },
    { "set up an io ring", set_up_io_ring, .needs_seccomp = true },
    { "open a packet socket", packet_socket, .needs_seccomp = true },
    { "open a multipath socket", multipath_socket, .needs_seccomp = true },
    { "open an internet socket without network", internet_socket, .needs_seccomp = true },
    { "become root", become_root },
    { "hold a capability", has_capabilities },
    { "gain privileges by exec", may_gain_privileges },
    { "dump core", dumps_core },
};

int attempts_run(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct attempts *attempts = context;
    const struct sandbox_private *inner = attempts->host->inner;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool asked = (!rows[i].needs_seccomp || inner->use_seccomp) &&
                     (!rows[i].needs_files || inner->use_landlock || inner->use_namespaces);
        if (asked && rows[i].run(attempts)) {
            errno = 0;
            strncpy(ret_detail, "it was possible to ", detail_bytes - 1);
            strncat(ret_detail, rows[i].name, detail_bytes - strlen(ret_detail) - 1);
            return -1;
        }
    }
    return 0;
}
