/*
 * What the files of the supervisor share: its state, all of it hanging on one struct, and who
 * offers what to whom.
 *
 *   serve.c      start, signals, stop
 *   api.c        the api process and its socket
 *   messages.c   what the api may say, row by row
 *   children.c   life of a child, from START to EXITED
 *   launch.c     argv and environment of a child
 *   plan.c       the sandbox plan of a child
 *   slots.c      user ids of workers
 *   trees.c      build trees
 *   scratch.c    tmp/ and cache/
 *   walk.c       work on whole trees
 *   helper.c     that work in a forked child of ours
 *   watch.c      memory, processes and disk, where no kernel limit holds them
 *   leftovers.c  what an unclean end left behind
 *   data.c       the data directory
 *   listen.c     the listening socket
 *   privilege.c  giving up privilege
 *   check.c      the report of `functiond check`
 */
#ifndef INNER_H
#define INNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "data.h"
#include "error.h"
#include "launch.h"
#include "loop.h"
#include "messages.h"
#include "sandbox.h"
#include "settings.h"
#include "slots.h"

enum launch_fd { FD_LAUNCH, FD_STDIN, FD_STDOUT, FD_STDERR, FD_CHANNEL, LAUNCH_FDS };

enum {
    CHILDREN_MAX = 8192,
    CACHE_NAME = MESSAGE_NAME + 8 /* also of a directory below tmp/ */
};

struct supervisor;
struct packet;

/* ---- helper.c ------------------------------------------------------------------------------- */

/*
 * Runs in a fork of the supervisor; what it changes in memory is lost unless the memory is shared.
 */
typedef int helper_work(void *context, struct error *err);
/* Runs in the supervisor when the work has ended; error is "" or the sentence. */
typedef void helper_done(struct supervisor *supervisor, void *context, const char *error);

struct helper {
    pid_t pid;
    int error_fd;
    helper_done *done;
    void *context;
    struct helper *next;
};

/* context stays the caller's until done. -1: nothing was started and done is not called. */
int helper_start(struct supervisor *supervisor, helper_work *work, helper_done *done, void *context,
                 struct error *err);
bool helper_reaped(struct supervisor *supervisor, pid_t pid, int status);
void helpers_release(struct supervisor *supervisor); /* kills and waits */

/* ---- api.c ---------------------------------------------------------------------------------- */

struct api_process {
    pid_t pid; /* 0: not running */
    int socket;
    struct loop_watch *watch;
    struct packet *first, *last; /* what the socket did not take yet */
    size_t waiting;
    uint64_t generation; /* counts the starts: answers for an api that died are dropped */
    bool leaving;        /* it said that it will exit */
    int64_t started_us;
    int64_t backoff_us;
    struct loop_timer restart, farewell;
};

int api_process_start(struct supervisor *supervisor, struct error *err);
void api_process_send(struct supervisor *supervisor, const void *data, size_t bytes);
void api_process_kill(struct supervisor *supervisor);
void api_process_reaped(struct supervisor *supervisor, int status);
void api_process_close(struct supervisor *supervisor);

/* ---- children.c ----------------------------------------------------------------------------- */

enum child_state { CHILD_PREPARING, CHILD_RUNNING, CHILD_ENDING, CHILD_CLEANING, CHILD_STATES };

enum kill_cause { KILL_NONE, KILL_ASKED, KILL_MEMORY, KILL_DISK, KILL_PROCESSES };

struct child {
    struct supervisor *supervisor;
    uint64_t worker_id; /* the api's name for it, reused by the next api */
    uint64_t serial;    /* ours, never reused */
    enum child_state state;
    enum sandbox_kind kind;
    enum sandbox_network network;
    bool own_program;
    bool orphan; /* its api is gone */
    bool reaped;
    bool failed;  /* it never ran: START_FAILED has been sent instead of STARTED */
    bool granted; /* code_grant is to be undone */
    uint32_t slot_uid;
    char tree[MESSAGE_NAME]; /* "" for a spare that has no code yet */
    char cache[CACHE_NAME];  /* directory below cache/, "" for none */
    char tmp[CACHE_NAME];    /* directory below tmp/, "" for none */
    int fds[LAUNCH_FDS];     /* until it is started */
    struct launch launch;    /* until it is started */
    struct sandbox_child process;
    struct sandbox_limit limit;
    enum kill_cause cause;
    struct sandbox_end end;
    int64_t kill_began_us;
    int64_t kill_pause_us;
    struct loop_timer kill_timer;
};

void children_start(struct supervisor *supervisor, const struct message_start *start, int *fds,
                    size_t fd_count);
void children_hand_over(struct supervisor *supervisor, const struct message_hand_over *message);
void children_hello(struct supervisor *supervisor, uint64_t worker_id);
void children_kill(struct supervisor *supervisor, uint64_t worker_id);
void children_orphan(struct supervisor *supervisor); /* the api is gone: end all, tell nobody */
bool children_reap(struct supervisor *supervisor, pid_t pid); /* false: it is none of them */
void children_release(struct supervisor *supervisor);
struct child *children_find_serial(const struct supervisor *supervisor, uint64_t serial);
bool children_use_tree(const struct supervisor *supervisor, const char *tree);
bool children_use_cache(const struct supervisor *supervisor, const char *cache);
void child_end(struct child *child, enum kill_cause cause);

/* ---- plan.c --------------------------------------------------------------------------------- */

/* Where the child sees its places; texts are allocated. */
struct plan_places {
    char *code, *tmp, *boot, *cache;
};
void plan_places(const struct supervisor *supervisor, const struct child *child,
                 struct plan_places *ret_places);

/* cpu_seconds counts for builds alone. kind is an enum sandbox_kind. */
void plan_limit(const struct supervisor *supervisor, uint32_t kind, uint32_t memory_mb,
                uint32_t cpus_milli, uint32_t cpu_seconds, struct sandbox_limit *ret_limit);

/* Starts the process of a prepared child. */
int plan_start(struct supervisor *supervisor, struct child *child, struct error *err);

/* ---- trees.c, scratch.c ---------------------------------------------------------------------- */

struct lease { /* a tree that is being built, and the slot that owns its files until it is sealed */
    char tree[MESSAGE_NAME];
    uint32_t slot_uid;
    bool busy;      /* a helper works on it */
    bool abandoned; /* its api is gone: to be removed as soon as nothing uses it */
    struct lease *next;
};

struct lease *trees_lease(const struct supervisor *supervisor, const char *tree); /* or NULL */
/* A new, empty tree with a slot of its own; an old one of that name is put away. */
int trees_create(struct supervisor *supervisor, const char *tree, struct lease **ret_lease,
                 struct error *err);
int trees_check(const struct supervisor *supervisor, const char *tree, struct error *err);
void trees_seal(struct supervisor *supervisor, const struct message_tree *message);
void trees_remove(struct supervisor *supervisor, const struct message_tree *message);
void trees_abandon(struct supervisor *supervisor); /* the api is gone: unfinished builds go too */
void trees_collect(struct supervisor *supervisor); /* abandoned ones that nothing uses any more */
int trees_tidy(struct supervisor *supervisor, struct error *err); /* at start */
void trees_release(struct supervisor *supervisor);

/* A directory below tmp/ for the child. */
int trees_tmp_create(struct supervisor *supervisor, struct child *child, struct error *err);
/* Empties it as its own user and removes it, then calls done. */
int trees_tmp_remove(struct supervisor *supervisor, struct child *child, helper_done *done,
                     struct error *err);
/*
 * Chooses a cache directory no other build uses and gives it to the child's slot, then calls done.
 */
int trees_cache_take(struct supervisor *supervisor, struct child *child, const char *project,
                     helper_done *done, struct error *err);
void trees_cache_return(struct supervisor *supervisor, const struct child *child);

/* ---- watch.c -------------------------------------------------------------------------------- */

struct watch {
    struct loop_timer tree_timer, disk_timer;
    bool measuring; /* a helper walks the directories */
};

void watch_wake(struct supervisor *supervisor); /* there is a child to watch; may be repeated */
void watch_release(struct supervisor *supervisor);

/* ---- leftovers.c ---------------------------------------------------------------------------- */

void leftovers_note(struct supervisor *supervisor, const struct child *child);
int leftovers_sweep(struct supervisor *supervisor); /* returns how many processes were ended */

/* ---- serve.c -------------------------------------------------------------------------------- */

enum serve_phase { SERVING, STOPPING, STOPPING_NOW, STOPPED };

struct supervisor {
    const struct settings *settings;
    char *const *api_argv;
    struct loop *loop;
    struct data_directory data;
    struct sandbox_host host;
    bool has_host;
    int listen_fd, program_fd, signal_fd;
    uint16_t port;
    enum serve_phase phase;
    int exit_status;
    struct loop_timer stop_timer;
    struct api_process api;
    struct slots slots;
    struct child **children;
    size_t child_count;
    uint64_t last_serial;
    struct lease *leases;
    struct helper *helpers;
    struct watch watch;
    size_t noted_workers;
};

void serve_finish(struct supervisor *supervisor,
                  int exit_status);                       /* end everything, then leave the loop */
void serve_check_finished(struct supervisor *supervisor); /* called when a child has gone */
int serve_probe(const struct settings *settings, const char *data_directory, uint16_t port,
                struct sandbox_host *ret_host, struct error *err);

/* ---- listen.c ------------------------------------------------------------------------------- */

/* Binds and listens; address as in the setting listen. *ret_name: what was bound, as
 * http://host:port. */
int listen_open(const char *address, int *ret_fd, uint16_t *ret_port, char **ret_name,
                struct error *err);

#endif
