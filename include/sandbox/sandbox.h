/*
 * The sandbox: what a child process may see and do, decided as data before the clone (struct
 * sandbox_plan) and applied in the child by a list of steps, then by execve.
 *
 * Used by the supervisor's single thread only. Nothing here parses network input or allocates in
 * the child. A layer counts as present only if its probe, run through the real steps at start, saw
 * a forbidden thing fail.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "error.h"

/* Weakest first. See docs/security.md for what each protects. */
enum sandbox_profile {
    SANDBOX_NONE,
    SANDBOX_BASIC,
    SANDBOX_CONTAINER,
    SANDBOX_FULL,
    SANDBOX_PROFILES
};

enum sandbox_limits { LIMITS_WATCH, LIMITS_CGROUP1, LIMITS_CGROUP2, SANDBOX_LIMITS };

enum sandbox_network { NETWORK_NONE, NETWORK_OUTBOUND, NETWORK_ANY, SANDBOX_NETWORKS };

/* What the child is; picks nice, oom score, filter and file rules. */
enum sandbox_kind {
    SANDBOX_WORKER, /* user code, behind a channel */
    SANDBOX_SPARE,  /* our bootstrap; code is mounted or granted later */
    SANDBOX_UNPACK, /* our own binary unpacking a package: no network, writes its tree */
    SANDBOX_BUILD,  /* the user's commands: network, writes its tree and the package cache */
    SANDBOX_PACK,   /* our own binary packing a tree into a descriptor: no network */
    SANDBOX_KINDS
};

struct sandbox_layer { /* one row of the report */
    const char *name;  /* "mount namespace", "seccomp", "landlock 7", ... */
    bool on;
    char reason[160]; /* why not, or a detail */
};

enum { SANDBOX_LAYERS_MAX = 32 };

struct sandbox_host { /* what this host can do, and what was chosen */
    enum sandbox_profile profile;
    enum sandbox_limits limits;
    bool is_root;                  /* the supervisor has real privilege (uid slots possible) */
    bool private_proc;             /* a fresh /proc can be mounted (full) */
    int landlock_abi;              /* 0: none */
    uint32_t uid_first, uid_count; /* slots; count 0: no slots (basic, or user namespace) */
    bool late_code;                /* code can be given to a booted spare (mount or ACL) */
    uint64_t memory_bytes;         /* of the host or of our own cgroup, whichever is less */
    int cpus;
    size_t layer_count;
    struct sandbox_layer layers[SANDBOX_LAYERS_MAX];
    struct sandbox_private *inner; /* prebuilt filters, cgroup descriptors, ... */
};

struct sandbox_options {
    const char *profile; /* setting sandbox */
    const char *profile_minimum;
    const char *limits_minimum;
    const char *uid_range;      /* "" or "first-last" */
    const char *data_directory; /* absolute; layer probes try to read it */
    bool egress_private;
    uint16_t api_port; /* always reachable for outbound */
};

/*
 * Probes every layer in throw-away children and picks the strongest profile whose mandatory layers
 * all work. Errors: ERROR_INTERNAL with one sentence per missing layer when the result is below a
 * minimum.
 */
int sandbox_probe(const struct sandbox_options *options, struct sandbox_host *ret_host,
                  struct error *err);
void sandbox_release(struct sandbox_host *host);

/* "sandbox full; limits cgroup1; landlock 7; seccomp on; uids 42000-43023; not available: ..." in
 * one line. */
void sandbox_report_line(const struct sandbox_host *host, struct buffer *out);
void sandbox_report_json(const struct sandbox_host *host, struct buffer *out);

const char *sandbox_profile_name(enum sandbox_profile profile); /* "full" */
const char *sandbox_limits_name(enum sandbox_limits limits);    /* "cgroup2" */

/*
 * A path the child may use. In `full` source is bound to target; elsewhere there is no mount, the
 * child sees source itself and the row becomes a Landlock rule. Modes still count: what a slot
 * shall read or write must let it.
 *
 * A late row: in `full` the sandbox makes an empty directory of this worker (source is not used
 * then) and binds it to target; sandbox_code_grant() later mounts a tree as <target>/<target_name>.
 * In `container` source is the parent of all trees, which Landlock lets the child see, and the
 * tree's own ACL decides: the child sees <source>/<tree>.
 */
struct sandbox_path {
    const char *source; /* absolute, on the host */
    const char *target; /* absolute, in the box of profile full; NULL: same as source */
    bool writable;
    bool optional; /* absent is fine */
    bool late;     /* (spare) a parent beneath which code appears after the start */
};

struct sandbox_limit {
    uint64_t memory_bytes; /* of the whole tree; 0: none (our own unpacker) */
    uint32_t cpus_milli;   /* 500 = half a CPU */
    uint32_t processes;    /* processes and threads */
    uint64_t file_bytes;   /* largest file */
    uint64_t tmp_bytes;    /* size of /tmp (full) */
    uint32_t cpu_seconds;  /* RLIMIT_CPU; 0: none */
    uint32_t descriptors;
};

struct sandbox_plan {
    enum sandbox_kind kind;
    enum sandbox_network network;
    uint32_t slot_uid;          /* uid = gid of the child; 0: none, where the host has no slots */
    uint64_t worker_id;         /* names the cgroup and marks the environment */
    char *const *argv;          /* NULL-terminated */
    char *const *envp;          /* NULL-terminated, complete */
    int program_fd;             /* >= 0: execveat this descriptor instead of argv[0] */
    const char *work_directory; /* as the child sees it */
    const char *tmp_directory;  /* host directory used as /tmp outside `full`; NULL: none */
    /* beyond the system's own (usr, lib, etc files, dev), which sandbox adds */
    const struct sandbox_path *paths;
    size_t path_count;
    int stdin_fd; /* -1: /dev/null */
    int stdout_fd, stderr_fd;
    int channel_fd; /* becomes 3; -1: none */
    struct sandbox_limit limit;
};

struct sandbox_child {
    pid_t pid; /* of the clone child (init of the pid namespace in `full`) */
    int pidfd;
    char cgroup[64];  /* directory name below our cgroup, "" if none */
    int status_fd;    /* with an init: how its child ended; -1: none. sandbox_reap() reads it */
    bool own_program; /* keeps the limit of memory it was started with */
    uint64_t worker_id;
};

struct sandbox_end {
    bool by_signal;
    int status;      /* exit status or signal number */
    uint64_t cpu_us; /* user and system, of the child and of what it waited for */
};

/*
 * Clones and runs the steps; returns once exec succeeded or failed.
 * Errors: ERROR_INTERNAL "sandbox: <step>: <detail>: <strerror>"; nothing of the child is left
 * then.
 */
int sandbox_start(struct sandbox_host *host, const struct sandbox_plan *plan,
                  struct sandbox_child *ret_child, struct error *err);

/*
 * Reaps the child if it has ended: true and *ret_end, else false. pidfd becomes readable at the
 * end. Whoever reaps orphans with waitid(P_ALL) must peek with WNOWAIT first and leave the pid of
 * every sandbox_child to this routine. The tree may have other members left outside `full`:
 * sandbox_kill() until sandbox_is_empty(), then sandbox_bury().
 */
bool sandbox_reap(struct sandbox_host *host, const struct sandbox_child *child,
                  struct sandbox_end *ret_end);

/*
 * The api's pid, told after each start of it: where nothing better is at hand (`basic` on a kernel
 * without signal scopes) workers are refused every signal to it. Does nothing elsewhere.
 */
void sandbox_protect(struct sandbox_host *host, pid_t pid);

/* CPU limit is applied only after the worker said hello; memory and CPU of a spare at hand-over. */
void sandbox_apply_limit(struct sandbox_host *host, const struct sandbox_child *child,
                         uint32_t slot_uid, const struct sandbox_limit *limit);

/*
 * Makes `source` readable for the booted spare (target_name NULL: for an exec'ed worker, the ACL
 * entry alone): a bind mount at `target` through mount propagation (full) or an ACL entry for the
 * slot on the tree's top directory (container). sandbox_code_withdraw undoes it after the worker's
 * end; both are also used for exec'ed workers in `container`, whose ACL entry is needed just the
 * same.
 */
int sandbox_code_grant(struct sandbox_host *host, uint64_t worker_id, uint32_t slot_uid,
                       const char *source, const char *target_name, struct error *err);
void sandbox_code_withdraw(struct sandbox_host *host, uint64_t worker_id, uint32_t slot_uid,
                           const char *source, const char *target_name);

/* SIGKILL for the whole tree of the child, by the best means of the profile. May be repeated until
 * the tree is empty. */
void sandbox_kill(struct sandbox_host *host, const struct sandbox_child *child, uint32_t slot_uid);
bool sandbox_is_empty(struct sandbox_host *host, const struct sandbox_child *child,
                      uint32_t slot_uid);

/* After the end: did the kernel kill for the memory limit? */
bool sandbox_hit_memory(struct sandbox_host *host, const struct sandbox_child *child);

/* Closes the descriptors, removes the cgroup and the late directory. The tree must be empty. */
void sandbox_bury(struct sandbox_host *host, struct sandbox_child *child);

/* Current memory of the tree in bytes (cgroup, or the sum over processes); for the watch and for
 * reports. */
uint64_t sandbox_memory(struct sandbox_host *host, const struct sandbox_child *child,
                        uint32_t slot_uid);

/*
 * The watch, every 100 ms for each child: true when the tree holds more than limit_bytes, or when
 * the kernel already killed a part of it for that. The caller then kills the tree and reports the
 * memory limit.
 */
bool sandbox_is_over_memory(struct sandbox_host *host, const struct sandbox_child *child,
                            uint32_t slot_uid, uint64_t limit_bytes);

/*
 * The watch of processes, as often: true when the tree has more than limit_tasks processes and
 * threads together (0: no limit), those that left it and those that nobody waited for included.
 * Always false where the kernel holds that limit itself: with a cgroup, a slot or a user namespace.
 * The caller then kills the tree and reports the limit of processes.
 */
bool sandbox_is_over_processes(struct sandbox_host *host, const struct sandbox_child *child,
                               uint32_t slot_uid, uint32_t limit_tasks);

/* Kills and removes what an earlier daemon left behind; returns how many processes. */
int sandbox_sweep(struct sandbox_host *host);

#endif
