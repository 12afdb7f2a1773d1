/*
 * What the files of this room share: the prebuilt parts of a host (struct sandbox_private) and the
 * prepared form of one plan (struct prepared), which holds everything the child needs so that it
 * only has to make system calls.
 */
#ifndef SANDBOX_PRIVATE_H
#define SANDBOX_PRIVATE_H

#include <linux/filter.h>
#include <sys/resource.h>

#include "sandbox.h"

enum {
    CONTROLLERS = 3,
    MOUNTS_MAX = 160,
    RULES_MAX = 128,
    LIMITS_ROWS = 14,
    TEXTS_MAX = 320,
    LIVE_MAX = 8192,
    PROTECTED_MAX = 4,
    DESCRIPTORS_PREPARED = 4, /* 0, 1, 2 and the channel */
    TAG_SUM = INT32_MAX       /* see struct process; fits every kernel's rlim_t */
};

/* A seccomp program in the form the kernel takes. */
struct filter {
    struct sock_filter *code;
    unsigned short count;
};

/* A directory of ours in one cgroup hierarchy; on v2 there is one for all controllers. */
struct cgroup_tree {
    const char *controller; /* "memory", "pids", "cpu"; "" on v2 */
    char path[256];         /* absolute; "" when this controller is not ours to use */
};

/*
 * One line of /proc, as the watch and the killer need it.
 *
 * The tag tells whose a process is that lost its parent, where nothing else does: two limits that
 * mean nothing here (of file locks, which no kernel since 2.6 looks at, and of real-time CPU, which
 * no child may use) are the worker's id and TAG_SUM less it. They are inherited, and the filter
 * refuses to change them. Without a filter they may only be lowered, which sheds them, but never
 * makes them those of another worker: that would need one of the two to rise.
 */
struct process {
    pid_t pid;
    pid_t parent;
    pid_t top; /* itself or its ancestor that is a child of the supervisor; 0: not below it */
    uint32_t uid;
    uint32_t tasks;     /* its threads, and its children that ended and were not waited for */
    uint32_t worker_id; /* by the tag of top; 0: none that is whole */
    bool has_ended;     /* while the table is being read */
    uint64_t resident_bytes;
};

struct process_table {
    struct process *rows; /* by pid */
    size_t count;
    size_t capacity;
    int64_t read_at_us;
};

struct live { /* a child that was started and not buried yet */
    uint64_t worker_id;
    pid_t pid;
};

typedef int sandbox_trial(void *context, char *ret_detail, size_t detail_bytes);

struct sandbox_private {
    char data_directory[512];
    char slots_directory[560]; /* shared tmpfs that late code is mounted into; "" without */
    uint32_t mark;             /* of the data directory; names our cgroups and marks environments */
    bool egress_private;
    bool egress_table; /* our nftables table exists */
    uint16_t api_port;
    pid_t supervisor;

    /* what the chosen profile uses */
    bool use_namespaces;
    bool use_user_namespace;
    bool use_slots;
    bool use_seccomp;
    bool use_landlock;
    bool use_acl;

    int network_namespace; /* shared and empty; -1: none */
    int uid_lock;          /* a bound abstract socket; -1: none */
    struct filter allow_network, allow_no_network, deny, init;
    pid_t protected_pids[PROTECTED_MAX];
    size_t protected_count;
    bool refuse_signals; /* the filter knows the protected pids */

    struct cgroup_tree cgroups[CONTROLLERS];
    uint32_t tasks_of_user; /* processes and threads of the daemon's uid when it started */

    struct process_table processes;
    struct live live[LIVE_MAX];
    size_t live_count;

    sandbox_trial *trial; /* run instead of the program, by probes and tests */
    void *trial_context;
};

enum mount_kind {
    MOUNT_DIRECTORY,
    MOUNT_SYMLINK, /* source is the text of the link */
    MOUNT_TEXT,    /* a file whose content is source */
    MOUNT_BIND,    /* of a directory */
    MOUNT_BIND_FILE,
    MOUNT_TMPFS, /* source are the options */
    MOUNT_PROC
};

struct mount_row {
    enum mount_kind kind;
    const char *source;
    const char *target;  /* relative to the new root, no leading slash */
    uint64_t attributes; /* MOUNT_ATTR_* */
    bool optional;
    int fd; /* in the child: the detached mount */
};

enum rule_rights {
    RIGHTS_READ,
    RIGHTS_WRITE,
    RIGHTS_DEVICE,
    RIGHTS_PROC,
    RIGHTS_PROGRAM,
    RIGHTS_ROWS
};

struct rule_row {     /* one Landlock rule */
    const char *path; /* as the child sees it; NULL: the program's descriptor */
    enum rule_rights rights;
    bool optional;
};

struct rlimit_row {
    int resource;
    struct rlimit value;
    const char *name;
};

struct prepared {
    const struct sandbox_plan *plan;
    const struct sandbox_private *inner;
    bool has_init;
    bool private_proc;
    uint64_t clone_flags;
    uid_t uid; /* of the child; with a user namespace: inside and outside */
    gid_t gid;
    bool change_identity;
    char uid_map[64], gid_map[64], oom_score[16];
    int nice;
    uint32_t cpu_set_first, cpu_set_count; /* count 0: leave */

    const char *mount_point; /* where the new root is put together */
    struct mount_row mounts[MOUNTS_MAX];
    size_t mount_count;
    struct rule_row rules[RULES_MAX];
    size_t rule_count;
    struct rlimit_row rlimits[LIMITS_ROWS];
    size_t rlimit_count;

    int landlock_abi;
    struct filter allow, deny, init;

    int cgroup_tasks[CONTROLLERS]; /* v1: the child writes itself; -1 */
    int cgroup_directory;          /* v2: for clone3; -1 */
    char cgroup[64];

    int null_fd; /* /dev/null of the host */
    int error_read, error_write;
    int status_read, status_write;
    const char *program; /* path for exec, also for messages */
    int program_fd;      /* >= 0: exec this instead */
    const char *directory;
    char *const *envp;

    char *texts[TEXTS_MAX]; /* everything above that was allocated */
    size_t text_count;
};

/* What the child says on the error pipe when a step fails; nothing when exec succeeded. */
struct child_report {
    int step;
    int error;
    char detail[112];
};

/* plan.c */
int plan_prepare(struct sandbox_host *host, const struct sandbox_plan *plan, struct prepared *ret,
                 struct error *err);
void plan_release(struct prepared *prepared);
const char *plan_text(struct prepared *prepared, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* mounts.c: the rows of the new root, made by the parent, and their execution in the child. */
int mounts_prepare(struct sandbox_host *host, struct prepared *prepared, struct error *err);
int mounts_run(struct prepared *prepared, const char **ret_detail);
void mounts_system_rules(struct prepared *prepared);
bool mounts_is_system(const char *path);

/* steps.c: never returns. */
_Noreturn void steps_run(struct prepared *prepared);
const char *steps_name(int step);
enum { STEP_TRIAL = 900, STEP_CLONE = 901 };

/* landlock.c */
int landlock_abi(void);
int landlock_apply(const struct prepared *prepared, const char **ret_detail);
void landlock_add_rule(struct prepared *prepared, const char *path, enum rule_rights kind,
                       bool optional);

/* seccomp.c */
int seccomp_build(struct sandbox_private *inner, struct error *err);
int seccomp_build_deny(struct sandbox_private *inner, bool refuse_signals, struct error *err);
void seccomp_free(struct sandbox_private *inner);
int seccomp_apply(const struct filter *filter);

/* cgroup.c */
enum sandbox_limits cgroup_find(struct sandbox_host *host, char *ret_reason, size_t reason_bytes);
int cgroup_make(struct sandbox_host *host, const struct sandbox_plan *plan,
                struct prepared *prepared, struct error *err);
void cgroup_set(struct sandbox_host *host, const char *name, const struct sandbox_limit *limit,
                bool with_cpu);
bool cgroup_memory(struct sandbox_host *host, const char *name, uint64_t *ret_bytes);
uint64_t cgroup_oom_kills(struct sandbox_host *host, const char *name);
/* true: the kernel killed all at once */
bool cgroup_kill(struct sandbox_host *host, const char *name);
bool cgroup_is_empty(struct sandbox_host *host, const char *name);
void cgroup_remove(struct sandbox_host *host, const char *name);
int cgroup_sweep(struct sandbox_host *host);
void cgroup_release(struct sandbox_host *host);
uint64_t cgroup_own_memory(void); /* the limit of the daemon's own cgroup; UINT64_MAX: none */

/* identity.c */
int identity_choose(struct sandbox_host *host, const char *uid_range, struct error *err);
void identity_release(struct sandbox_host *host);
/* False while another living daemon has a block that begins near `first`. Else none can take one
 * until ret_lock is closed; that stays as it is where this host holds the lock itself. */
bool identity_hold(const struct sandbox_host *host, uint32_t first, int *ret_lock);
/* kill(-1, signal) by a helper that became uid */
int identity_signal_all(uint32_t uid, int signal);
/* in a child; its 0 or -1 */
int identity_run_as(uint32_t uid, int (*routine)(void *context), void *context);

/* processes.c */
const struct process_table *processes_read(struct sandbox_private *inner, int64_t max_age_us);
void processes_release(struct process_table *table);
/* Below the child, or lost to it and found by its tag. */
bool processes_is_of(const struct process *process, const struct sandbox_child *child);

/* grant.c */
int grant_prepare(struct sandbox_host *host, struct error *err);
int grant_make_slot(struct sandbox_host *host, uint64_t worker_id, struct error *err);
void grant_remove_slot(struct sandbox_host *host, uint64_t worker_id);
int grant_acl(const char *path, uint32_t uid, bool grant, struct error *err);
void grant_release(struct sandbox_host *host);

/* probe.c: runs a routine in a throw-away child; 0 when it returned 0. */
int probe_trial(struct sandbox_host *host, enum sandbox_network network, sandbox_trial *trial,
                void *context, struct error *err);

/* egress.c */
void egress_open(struct sandbox_host *host);
void egress_close(struct sandbox_host *host);

/* kill.c */
void live_add(struct sandbox_private *inner, uint64_t worker_id, pid_t pid);
void live_remove(struct sandbox_private *inner, pid_t pid);

/* attempts.c: what must fail, tried inside. A sandbox_trial over a struct attempts. */
struct attempts {
    const struct sandbox_host *host;
    pid_t supervisor;
    const char *data_directory;
    uint32_t slot_uid;
};
int attempts_run(void *context, char *ret_detail, size_t detail_bytes);

/* report.c */
void report_layer(struct sandbox_host *host, const char *name, bool on, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
