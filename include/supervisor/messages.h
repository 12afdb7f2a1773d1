/*
 * What the api and the supervisor say to each other: fixed packets on a SOCK_SEQPACKET socket,
 * descriptors beside them.
 *
 * The supervisor trusts nothing it is told: names are checked (no slash, not "..", bounded),
 * descriptors counted, and every child gets the whole sandbox whatever the packet says. The api
 * decides what runs; the supervisor only starts, grants, limits, kills, reaps and reports. An
 * unknown or malformed packet ends the api.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <stdint.h>

#include "sandbox.h"

enum { MESSAGE_NAME = 64, MESSAGE_TEXT = 512 };

enum message_type {
    /* api -> supervisor */
    /* descriptors: launch memfd, stdin|-, stdout, stderr, channel|- as flagged */
    MESSAGE_START = 1,
    MESSAGE_HAND_OVER,  /* give a spare its code and limits */
    MESSAGE_HELLO_SEEN, /* the worker said hello: apply the CPU limit */
    MESSAGE_KILL,
    /* make a built tree read-only, owned by the data owner; its build slot is free then */
    MESSAGE_SEAL,
    MESSAGE_REMOVE, /* delete a tree (and free its build slot) */
    /* struct message_stop: the api has stopped serving and will exit 0 */
    MESSAGE_CLEAN_SHUTDOWN,

    /* supervisor -> api */
    MESSAGE_WELCOME = 64, /* first; descriptor: memfd with the host report as JSON */
    MESSAGE_STARTED,
    MESSAGE_START_FAILED,
    MESSAGE_HANDED_OVER, /* error empty: done */
    MESSAGE_EXITED,
    MESSAGE_SEALED, /* error empty: done */
    MESSAGE_REMOVED,
    MESSAGE_STOP /* graceful stop asked for; again: now */
};

enum message_start_flags {
    START_HAS_STDIN = 1,
    START_HAS_CHANNEL = 2,
    START_OWN_PROGRAM = 4 /* run our own binary; launch argv[0] names the role */
};

/*
 * START. The launch memfd holds: uint32 argc, uint32 envc, then argc + envc NUL-terminated strings.
 * In every string the supervisor replaces {code} by the directory the child sees its tree at (a
 * spare: the directory below which its tree will appear under its own name), {tmp} by its private
 * temporary directory, {boot} by the directory of the bootstraps, {cache} by the package cache. An
 * empty string among the environment ends the replacing: what follows it is the user's own text and
 * stays as it is. TMPDIR and HOME are set to {tmp}, whatever the environment said.
 *
 * A worker or spare has a channel, UNPACK and PACK run our own binary and nothing else does, BUILD
 * alone may name a cache.
 */
struct message_start {
    uint32_t type;
    uint32_t flags;
    uint64_t worker_id; /* never reused within an api's life */
    uint32_t kind;      /* enum sandbox_kind */
    uint32_t network;   /* enum sandbox_network */
    uint32_t memory_mb;
    uint32_t cpus_milli;
    uint32_t cpu_seconds; /* builds; 0: none */
    uint32_t spare;
    char tree[MESSAGE_NAME];  /* directory below builds/: the deployment id; "" for a spare */
    char cache[MESSAGE_NAME]; /* directory below cache/: the project id; builds only */
};

struct message_hand_over {
    uint32_t type;
    uint32_t spare;
    uint64_t worker_id;
    uint32_t memory_mb;
    uint32_t cpus_milli;
    char tree[MESSAGE_NAME];
};

struct message_worker { /* HELLO_SEEN, KILL; STARTED with pid */
    uint32_t type;
    int32_t pid;
    uint64_t worker_id;
};

/*
 * What REMOVE deletes: a tree below builds/, or the package cache of a project (all of its
 * directories below cache/).
 */
enum tree_place { TREE_BUILD, TREE_CACHE, TREE_PLACES };

struct message_tree { /* SEAL, REMOVE and their answers */
    uint32_t type;
    uint32_t place; /* enum tree_place; SEAL: TREE_BUILD */
    uint64_t request_id;
    char tree[MESSAGE_NAME];
    char error[MESSAGE_TEXT]; /* answers: "" or the sentence */
};

struct message_failed { /* START_FAILED, HANDED_OVER */
    uint32_t type;
    uint32_t spare;
    uint64_t worker_id;
    char error[MESSAGE_TEXT]; /* "" in HANDED_OVER means done */
};

enum exit_reason { EXIT_STATUS, EXIT_SIGNAL, EXIT_MEMORY, EXIT_TMP, EXIT_PROCESSES };

struct message_exited {
    uint32_t type;
    uint32_t reason; /* enum exit_reason */
    uint64_t worker_id;
    int32_t status;     /* exit status or signal number */
    uint32_t memory_mb; /* the limit, for the sentence */
    uint64_t cpu_us;
    uint32_t processes; /* the limit of processes and threads, for the sentence */
    uint32_t spare;
};

struct message_welcome {
    uint32_t type;
    uint32_t profile;   /* enum sandbox_profile */
    uint32_t limits;    /* enum sandbox_limits */
    uint32_t late_code; /* spares are possible */
    uint32_t slots;     /* workers that can exist at once; 0: no such bound */
    uint32_t cpus;
    uint64_t memory_bytes;
};

struct message_stop {
    uint32_t type;
    uint32_t now;
};

union message {
    uint32_t type;
    struct message_start start;
    struct message_hand_over hand_over;
    struct message_worker worker;
    struct message_tree tree;
    struct message_failed failed;
    struct message_exited exited;
    struct message_welcome welcome;
    struct message_stop stop;
};

#endif
