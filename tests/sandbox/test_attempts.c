/*
 * What must be impossible from inside, each attempt in a child of its own. Where a profile cannot
 * stop something, the row leaves that profile out, and docs/security.md says so.
 */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

enum { FULL = 1, CONTAINER = 2, BASIC = 4, ALL = 7, SHARED_VIEW = CONTAINER | BASIC };
enum { ANY_ERROR = 0, MPTCP = 262, VSOCK_FAMILY = 40, ALG_FAMILY = 38, MSG_FAST = 0x20000000 };

struct scene {
    pid_t neighbour; /* of another slot, or of the same user in basic */
    pid_t daemon;
    char secret[192];
    uint16_t port; /* a listener on loopback */
};

static struct scene scene;

typedef bool tried(void); /* true: it worked; else errno says why not */

static bool opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool read_of_neighbour(const char *name)
{
    char path[64], byte;
    snprintf(path, sizeof(path), "/proc/%d/%s", scene.neighbour, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) >= 0;
}

static bool made_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);
    return fd >= 0;
}

static bool read_data(void)
{
    return opened(box.data, O_RDONLY | O_DIRECTORY);
}
static bool read_secret(void)
{
    return opened(scene.secret, O_RDONLY);
}
static bool read_shadow(void)
{
    return opened("/etc/shadow", O_RDONLY);
}
static bool read_root_home(void)
{
    return opened("/root", O_RDONLY | O_DIRECTORY);
}
static bool read_sys(void)
{
    return opened("/sys/kernel", O_RDONLY | O_DIRECTORY);
}
static bool read_host_tmp(void)
{
    return opened(box.data[0] != '\0' ? box.tmp : "", O_RDONLY) && box.profile == SANDBOX_FULL;
}
static bool write_usr(void)
{
    return opened("/usr/attempt", O_WRONLY | O_CREAT);
}
static bool write_etc(void)
{
    return opened("/etc/attempt", O_WRONLY | O_CREAT);
}
static bool write_root(void)
{
    return mkdir("/attempt", 0700) == 0;
}
static bool write_sysctl(void)
{
    return opened("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static bool write_cgroup(void)
{
    return opened("/sys/fs/cgroup/cgroup.procs", O_WRONLY);
}
static bool neighbour_environ(void)
{
    return read_of_neighbour("environ");
}
static bool neighbour_maps(void)
{
    return read_of_neighbour("maps");
}
static bool neighbour_cmdline(void)
{
    return read_of_neighbour("cmdline");
}
static bool kill_neighbour(void)
{
    return kill(scene.neighbour, 0) == 0;
}
static bool kill_daemon(void)
{
    return kill(scene.daemon, 0) == 0;
}
static bool kill_init(void)
{
    return kill(1, SIGKILL) == 0 && (usleep(1000), box.profile != SANDBOX_FULL);
}
static bool trace_neighbour(void)
{
    return ptrace(PTRACE_ATTACH, scene.neighbour, 0, 0) == 0;
}
static bool trace_me(void)
{
    return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool read_memory(void)
{
    char byte;
    struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)0x1000, 1 };
    return process_vm_readv(scene.neighbour, &local, 1, &remote, 1, 0) >= 0;
}

static bool steal_descriptor(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, scene.neighbour, 0);
    return pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0;
}

static bool limit_neighbour(void)
{
    struct rlimit limit = { 16, 16 };
    return prlimit(scene.neighbour, RLIMIT_NOFILE, &limit, NULL) == 0;
}

static bool slow_neighbour(void)
{
    return setpriority(PRIO_PROCESS, (id_t)scene.neighbour, 19) == 0;
}
static bool slow_user(void)
{
    return setpriority(PRIO_USER, 0, 19) == 0;
}

static bool pin_neighbour(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return sched_setaffinity(scene.neighbour, sizeof(set), &set) == 0;
}

static bool raise_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           (limit.rlim_max++, limit.rlim_cur = limit.rlim_max,
            setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static bool shed_tag(void)
{
    struct rlimit none = { 0, 0 };
    return setrlimit(RLIMIT_LOCKS, &none) == 0 || setrlimit(RLIMIT_RTTIME, &none) == 0;
}

static bool shed_tag_by_number(void)
{
    struct rlimit none = { 0, 0 };
    return prlimit(0, RLIMIT_LOCKS, &none, NULL) == 0 ||
           syscall(SYS_prlimit64, 0, RLIMIT_RTTIME | UINT64_C(1) << 40, &none, NULL) == 0;
}

static bool raise_core(void)
{
    struct rlimit limit = { 1 << 20, 1 << 20 };
    return setrlimit(RLIMIT_CORE, &limit) == 0;
}

static bool raise_nice(void)
{
    errno = 0;
    return nice(-5) != -1 || errno == 0;
}

static bool lower_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "-1000", 5) == 5;
}

static bool unshare_user(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}
static bool unshare_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0;
}
static bool clone_namespace(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0;
}
static bool clone_three(void)
{
    return syscall(SYS_clone3, NULL, 0) >= 0;
}
static bool join_namespace(void)
{
    return setns(0, 0) == 0;
}
static bool mount_tmpfs(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}
static bool remount_root(void)
{
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
}
static bool unmount(void)
{
    return umount2("/tmp", MNT_DETACH) == 0;
}
static bool open_a_tree(void)
{
    return syscall(SYS_open_tree, AT_FDCWD, "/", 1) >= 0;
}
static bool change_root(void)
{
    return chroot("/tmp") == 0;
}
static bool make_device(void)
{
    return mknod("device", S_IFCHR | 0600, makedev(1, 1)) == 0;
}
static bool open_by_handle(void)
{
    return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0) >= 0;
}
static bool name_handle(void)
{
    return syscall(SYS_name_to_handle_at, AT_FDCWD, "/", NULL, NULL, 0) >= 0;
}
static bool load_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}
static bool add_key(void)
{
    return syscall(SYS_add_key, "user", "a", "b", 1, -3) >= 0;
}
static bool key_control(void)
{
    return syscall(SYS_keyctl, 0, -3, 1) >= 0;
}
static bool io_ring(void)
{
    return syscall(425, 1, NULL) >= 0;
}
static bool fault_handler(void)
{
    return syscall(SYS_userfaultfd, 1) >= 0;
}
static bool perf_event(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0;
}
static bool load_module(void)
{
    return syscall(SYS_init_module, NULL, 0, "") >= 0;
}
static bool restart_host(void)
{
    return syscall(SYS_reboot, 0, 0, 0, 0) >= 0;
}
static bool set_clock(void)
{
    return syscall(SYS_clock_settime, 0, NULL) >= 0;
}
static bool set_host_name(void)
{
    return sethostname("x", 1) == 0;
}
static bool read_kernel_log(void)
{
    return syscall(SYS_syslog, 10, NULL, 0) >= 0;
}
static bool shared_memory(void)
{
    return syscall(SYS_shmget, 0, 4096, 01600) >= 0;
}
static bool message_queue(void)
{
    return syscall(SYS_mq_open, "a", O_CREAT | O_RDWR, 0600, NULL) >= 0;
}
static bool fan_notify(void)
{
    return syscall(SYS_fanotify_init, 0, 0) >= 0;
}
static bool watch_memory(void)
{
    return syscall(SYS_kcmp, getpid(), scene.daemon, 0, 0, 0) >= 0;
}
static bool set_personality(void)
{
    return syscall(SYS_personality, 0x0040000) >= 0;
}

static bool become_root(void)
{
    return getuid() != 0 && setuid(0) == 0;
}
static bool become_neighbour(void)
{
    return setresuid(box_slot(1) + 1, box_slot(1) + 1, box_slot(1) + 1) == 0;
}
static bool set_groups(void)
{
    gid_t none = 0;
    return syscall(SYS_setgroups, 1, &none) == 0;
}
static bool may_gain(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}
static bool type_into_terminal(void)
{
    char c = 'x';
    return ioctl(0, TIOCSTI, &c) == 0 || errno != EPERM;
}

static bool type_with_high_bits(void)
{
    char c = 'x';
    return syscall(SYS_ioctl, 0, UINT64_C(0x100005412), &c) == 0 || errno != EPERM;
}

static bool be_traced_by_any(void)
{
    return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) == 0;
}

static bool internet(void)
{
    return made_socket(AF_INET, SOCK_STREAM, 0) || made_socket(AF_INET6, SOCK_DGRAM, 0);
}
static bool packet(void)
{
    return made_socket(AF_PACKET, SOCK_RAW, 0);
}
static bool raw(void)
{
    return made_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static bool ping(void)
{
    return made_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}
static bool multipath(void)
{
    return made_socket(AF_INET, SOCK_STREAM, MPTCP);
}
static bool virtual(void)
{
    return made_socket(VSOCK_FAMILY, SOCK_STREAM, 0);
}
static bool crypto(void)
{
    return made_socket(ALG_FAMILY, SOCK_SEQPACKET, 0);
}
static bool audit(void)
{
    return made_socket(AF_NETLINK, SOCK_RAW, 9);
}

static bool fast_open(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(scene.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return sendto(fd, "x", 1, MSG_FAST, (struct sockaddr *)&address, sizeof(address)) >= 0 ||
           errno != EPERM;
}

static bool fast_open_message(void)
{
    struct msghdr message = { 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return sendmsg(fd, &message, MSG_FAST) >= 0 || errno != EPERM;
}

static bool serve_on_a_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(18432),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool reach_abstract_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0functiond-attempt" };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static const struct row {
    const char *name;
    tried *run;
    int profiles;
    int expected; /* errno; ANY_ERROR: whatever */
    bool network;
    int landlock; /* least ABI that stops it outside full */
    bool slots;   /* only where children have uids of their own */
} rows[] = {
    { "read the data directory", read_data, ALL },
    { "read a world-readable file below it", read_secret, ALL },
    { "read /etc/shadow", read_shadow, ALL },
    { "read /root", read_root_home, ALL },
    { "read /sys", read_sys, ALL },
    { "read the host's /tmp", read_host_tmp, FULL },
    { "write below /usr", write_usr, ALL },
    { "write below /etc", write_etc, ALL },
    { "make a directory in the root", write_root, ALL },
    { "change a kernel setting", write_sysctl, ALL },
    { "leave its cgroup", write_cgroup, ALL },
    { "read a neighbour's environment", neighbour_environ, ALL },
    { "read a neighbour's memory map", neighbour_maps, ALL },
    { "read a neighbour's command line", neighbour_cmdline, ALL },
    { "signal a neighbour", kill_neighbour, ALL, .landlock = 6 },
    { "signal the daemon", kill_daemon, ALL },
    { "kill process 1", kill_init, ALL },
    { "trace a neighbour", trace_neighbour, ALL, EPERM },
    { "ask to be traced", trace_me, ALL, EPERM },
    { "read a neighbour's memory", read_memory, ALL, EPERM },
    { "take a neighbour's descriptor", steal_descriptor, ALL },
    { "limit a neighbour", limit_neighbour, ALL, EPERM },
    { "slow a neighbour", slow_neighbour, ALL, EPERM },
    { "slow everything of its user", slow_user, ALL, EPERM },
    { "pin a neighbour to a CPU", pin_neighbour, ALL, EPERM },
    { "raise its own limits", raise_limit, ALL, EPERM },
    { "shed what tells whose it is", shed_tag, ALL, EPERM },
    { "shed that with high bits", shed_tag_by_number, ALL, EPERM },
    { "allow core dumps", raise_core, ALL, EPERM },
    { "raise its priority", raise_nice, ALL },
    { "hide from the memory killer", lower_oom_score, ALL },
    { "make a user namespace", unshare_user, ALL, EPERM },
    { "make a mount namespace", unshare_mounts, ALL, EPERM },
    { "clone into a namespace", clone_namespace, ALL, EPERM },
    { "use clone3", clone_three, ALL, ENOSYS },
    { "join a namespace", join_namespace, ALL, EPERM },
    { "mount", mount_tmpfs, ALL, EPERM },
    { "remount the root", remount_root, ALL, EPERM },
    { "unmount", unmount, ALL, EPERM },
    { "copy a mount", open_a_tree, ALL, EPERM },
    { "change its root", change_root, ALL, EPERM },
    { "make a device", make_device, ALL, EPERM },
    { "open by handle", open_by_handle, ALL, EPERM },
    { "name a handle", name_handle, ALL, EPERM },
    { "load a BPF program", load_bpf, ALL, ENOSYS },
    { "add a key", add_key, ALL, ENOSYS },
    { "control keys", key_control, ALL, ENOSYS },
    { "set up an io ring", io_ring, ALL, ENOSYS },
    { "handle page faults", fault_handler, ALL, ENOSYS },
    { "count events", perf_event, ALL, ENOSYS },
    { "load a module", load_module, ALL, EPERM },
    { "restart the host", restart_host, ALL, EPERM },
    { "set the clock", set_clock, ALL, EPERM },
    { "set the host name", set_host_name, ALL, EPERM },
    { "read the kernel's log", read_kernel_log, ALL, EPERM },
    { "make shared memory that outlives it", shared_memory, ALL, ENOSYS },
    { "make a message queue", message_queue, ALL, ENOSYS },
    { "watch whole file systems", fan_notify, ALL, ENOSYS },
    { "compare kernel objects", watch_memory, ALL, EPERM },
    { "change its personality", set_personality, ALL, EPERM },
    { "become root", become_root, ALL },
    { "become a neighbour", become_neighbour, ALL, .slots = true },
    { "join a group", set_groups, ALL },
    { "gain privileges by exec", may_gain, ALL },
    { "type into a terminal", type_into_terminal, ALL },
    { "type into a terminal, with high bits", type_with_high_bits, ALL },
    { "allow everybody to trace it", be_traced_by_any, ALL, EPERM },
    { "open an internet socket without network", internet, ALL, EPERM },
    { "open a packet socket", packet, ALL, EPERM, .network = true },
    { "open a raw socket", raw, ALL, EPERM, .network = true },
    { "open a ping socket", ping, ALL, EPERM, .network = true },
    { "open a multipath socket", multipath, ALL, EPERM, .network = true },
    { "open a socket to the hypervisor", virtual, ALL, EPERM, .network = true },
    { "open a crypto socket", crypto, ALL, EPERM, .network = true },
    { "open an audit socket", audit, ALL, EPERM, .network = true },
    { "connect by fast open", fast_open, ALL, EPERM, .network = true },
    { "connect by fast open with sendmsg", fast_open_message, ALL, EPERM, .network = true },
    { "serve on a port of its choice", serve_on_a_port, ALL, .network = true, .landlock = 4 },
    { "reach an abstract socket of the host", reach_abstract_socket, ALL, .network = true,
      .landlock = 6 },
};

static int run_row(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct row *row = context;
    errno = 0;
    bool worked = row->run();
    if (worked || (row->expected != ANY_ERROR && errno != row->expected)) {
        snprintf(ret_detail, detail_bytes, "%s: %s, errno %d", row->name,
                 worked ? "worked" : "failed otherwise", errno);
        errno = 0;
        return -1;
    }
    return 0;
}

static void prepare_scene(struct sandbox_child *neighbour, int *ret_trap)
{
    struct error err;
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0functiond-attempt" };
    scene.daemon = getpid();
    snprintf(scene.secret, sizeof(scene.secret), "%s/secret", box.data);
    assert_int_equal(fd_write_file(AT_FDCWD, scene.secret, "key", 3, 0644, &err), 0);
    *ret_trap = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_trap, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(*ret_trap, 4), 0);
    box_start("exec sleep 60", box_slot(1), neighbour);
    scene.neighbour = neighbour->pid;
}

static void test_attempts__all_fail(void **state)
{
    (void)state;
    static const int bit[SANDBOX_PROFILES] = {
        [SANDBOX_BASIC] = BASIC, [SANDBOX_CONTAINER] = CONTAINER, [SANDBOX_FULL] = FULL
    };
    struct sandbox_child neighbour;
    int trap = -1, failed = 0;
    prepare_scene(&neighbour, &trap);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct row row = rows[i];
        struct error err;
        if ((row.profiles & bit[box.profile]) == 0 || (row.slots && box.host.uid_count == 0) ||
            (box.host.landlock_abi < row.landlock)) {
            continue;
        }
        if (box_inside(run_row, &row, row.network ? NETWORK_OUTBOUND : NETWORK_NONE, box_slot(0),
                       &err) != 0) {
            print_error("%s\n", err.message);
            failed++;
        }
    }
    close(trap);
    assert_true(box_end(&neighbour, box_slot(1)));
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts__all_fail),
    };
    return box_run_all("attempts", tests, COUNT(tests));
}
