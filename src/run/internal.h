/*
 * What the files of this room share: the structs behind run.h and the calls between them.
 * Everything here lives on the loop thread.
 *
 *   dispatch.c  a call's life            pool.c   workers of one deployment, its queue, growth
 *   answer.c    what a worker says       spare.c  booted workers without code
 *   worker.c    the state machine        link.c   packets to and from the supervisor
 */
#ifndef INTERNAL_H
#define INTERNAL_H

#include "channel.h"
#include "fd.h"
#include "list.h"
#include "messages.h"
#include "output.h"
#include "run.h"
#include "store.h"

/* ---- children: what the supervisor runs for us ----------------------------------------------- */

struct child;

struct child_events {
    void (*start_failed)(struct child *child, const char *sentence); /* final: nothing follows */
    void (*handed_over)(struct child *child, const char *sentence);  /* "" when done */
    void (*exited)(struct child *child, const struct message_exited *message); /* final */
};

struct child {
    uint64_t id; /* 0: not with the supervisor (any more) */
    const struct child_events *events;
};

struct packet { /* waits because the socket was full */
    struct list link;
    union message message;
    size_t size;
    int fds[FD_MAX_PASSED];
    size_t fd_count;
};

struct link {
    struct run *run;
    int fd;
    struct loop_watch *watch;
    struct list packets;
    struct child **children; /* by the low 16 bits of the id */
    size_t child_slots;
    uint64_t sequence; /* upper part of ids; also numbers tree requests */
    struct list tree_requests;
    bool is_lost;
};

int link_open(struct link *link, struct run *run, int fd, struct error *err);
void link_close(struct link *link);
/* Registers the child and asks for its start. The descriptors are borrowed, message->worker_id is
 * filled in. */
int link_start(struct link *link, struct child *child, const struct child_events *events,
               struct message_start *message, const struct buffer *launch, const int *fds,
               size_t fd_count, struct error *err);
void link_forget(struct link *link, struct child *child); /* its events are not wanted any more */
void link_send(struct link *link, const void *message, size_t size);
void link_send_worker(struct link *link, enum message_type type, uint64_t worker_id);
void link_flush(struct link *link); /* blocking, at the end */

/* ---- calls ----------------------------------------------------------------------------------- */

enum call_state {
    CALL_FREE,
    CALL_WAITING,  /* in its pool's queue */
    CALL_RUNNING,  /* handed to a worker */
    CALL_ABANDONED /* done was called, or never will be; the worker still has it */
};

struct run_call {
    struct list link; /* pool's queue, worker's calls, or the free list */
    struct run *run;
    enum call_state state;
    struct live_function *function;
    struct pool *pool; /* while WAITING */
    struct worker *worker;
    uint32_t request_id;
    bool from_inside;   /* a function waits for this call: it must not wait for long itself */
    bool has_answer;    /* the head of the answer was read */
    bool is_starting;   /* run_start has not returned: the struct must outlive its end */
    struct buffer head; /* REQUEST up to the body */
    struct buffer answer_head; /* ANSWER head that spans frames */
    struct channel_sender sender;
    uint64_t body_left; /* bytes of the answer still to come */
    uint64_t output_bytes;
    uint64_t log_bytes[2]; /* of LOG and ERROR, before cutting */
    size_t held_bytes;     /* counted in run->held_bytes */
    int64_t queued_us, started_us, deadline_us, hard_deadline_us;
    struct loop_timer timer;
    run_done *done;
    void *context;
    struct run_result result;
};

enum { REQUEST_HEAD = 24, ANSWER_HEAD = 16 };

void call_begin(struct run_call *call, struct worker *worker, uint32_t request_id); /* sends it */
void call_arm(struct run_call *call); /* it is at the head of its worker: its time runs */
/* done, then released; is in no list any more */
void call_complete(struct run_call *call, enum run_outcome outcome);
void call_complete_abandoned(struct run_call *call);
/* done now; the worker keeps it until it has answered */
void call_abandon(struct run_call *call, enum run_outcome outcome, const char *sentence);
/* call_complete as RUN_FAILED */
void run_call_fail(struct run_call *call, int code, const char *sentence);
/* completes with what the bootstrap would have answered */
void call_time_out(struct run_call *call);
/* counts memory; false: the budget of the process is spent */
bool call_hold(struct run_call *call, size_t bytes);

/* answer.c: -1 with a sentence when the frame breaks the protocol. *ret_done: the request is
 * answered. */
int answer_take_head(struct run_call *call, const struct frame *frame, bool *ret_done,
                     const char **ret_sentence);
int answer_take_body(struct run_call *call, const struct frame *frame, bool *ret_done,
                     const char **ret_sentence);
void answer_take_log(struct run_call *call, int stream, const char *bytes, size_t size);
void answer_finish_logs(struct run_call *call);

/* ---- workers --------------------------------------------------------------------------------- */

enum worker_state {
    WORKER_STARTING, /* asked for, has not said hello */
    WORKER_BOOTED,   /* a spare: said hello, has no code */
    WORKER_LOADING,  /* a spare on its way to a function */
    WORKER_READY,    /* has its code, nothing to do */
    WORKER_BUSY,
    WORKER_DRAINING, /* finishes what it has, then stops */
    WORKER_STOPPING, /* was told to stop */
    WORKER_CLOSED,   /* its channel ended: how it ended is awaited */
    WORKER_KILLED,
    WORKER_STATES
};

enum worker_event {
    EVENT_HELLO,
    EVENT_HAND_OVER,
    EVENT_HANDED_OVER,
    EVENT_ASSIGN,
    EVENT_DONE,
    EVENT_STOP,
    EVENT_TIMER,
    EVENT_BROKEN, /* must be killed; why is in worker->sentence */
    EVENT_CLOSED,
    EVENT_EXIT,
    WORKER_EVENTS
};

struct worker_slot { /* one place for a request: its id is generation << 16 | index + 1 */
    struct run_call *call;
    uint16_t generation;
    uint16_t next_free; /* index + 1; 0: none */
};

struct worker {
    struct child child;
    struct run *run;
    struct list link;       /* all workers and spares of the run */
    struct list idle_link;  /* run->idle, longest idle first */
    struct list dirty_link; /* run->dirty */
    enum worker_state state;
    const struct interpreter *interpreter;
    struct pool *pool;        /* NULL: a spare */
    struct spare_set *spares; /* of a spare */
    bool said_hello, was_loaded, was_spare, has_served, has_answered;
    uint32_t memory_mb, cpus_milli;
    uint32_t counted_mb; /* of run->memory_mb */
    struct channel channel;
    struct output outputs[2]; /* native stdout and stderr */
    struct loop_timer timer;
    struct worker_slot *slots;
    size_t slot_count;
    uint16_t first_free;
    struct list calls; /* in flight, oldest first */
    size_t in_flight;
    int64_t start_us;
    char sentence[256]; /* why it was ended, "" if it ended by itself */
};

struct worker *worker_start(struct run *run, struct pool *pool, struct spare_set *spares,
                            struct error *err);
void worker_event(struct worker *worker, enum worker_event event);
void worker_break(struct worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void worker_assign(struct worker *worker, struct run_call *call);
void worker_give(struct worker *worker, struct pool *pool); /* a BOOTED spare becomes the pool's */
bool worker_has_room(const struct worker *worker);
bool worker_is_serial(const struct worker *worker);
void worker_free(struct worker *worker); /* without any event: the end of the run */

/* worker_end.c: how a worker ended, and what its requests are told. */
extern const struct child_events worker_child_events;
void worker_bury(struct worker *worker, const char *sentence); /* frees it */
void worker_fail_calls(struct worker *worker, const char *sentence, const char *errors);

/* ---- pools and spares ------------------------------------------------------------------------ */

struct pool {
    struct run *run;
    struct live_function *function; /* kept */
    const struct interpreter *interpreter;
    struct list link; /* all pools */
    struct list
        starved_link; /* run->starved: wants a worker that the server's bounds do not allow now */
    struct list waiting;
    size_t waiting_count;
    struct worker **workers;
    size_t worker_count, worker_capacity;
    bool avoids_spares; /* a hand-over failed: workers are started whole */
    uint32_t memory_mb, cpus_milli;
    bool is_draining;
    struct loop_timer grow_timer;
    unsigned failures;  /* starts that failed, one after the other */
    int64_t retry_us;   /* no start before */
    int64_t service_us; /* smoothed time a serial worker takes for one request; 0: not known */
};

int pool_of(struct run *run, struct live_function *function, struct pool **ret_pool,
            struct error *err);
int pool_put(struct pool *pool, struct run_call *call); /* assigns or queues; -1: overloaded */
bool pool_is_open(const struct pool *pool);             /* has a worker with its code */
void pool_withdraw(struct pool *pool, struct run_call *call);
/* has room again, or for the first time */
void pool_worker_ready(struct pool *pool, struct worker *worker);
void pool_worker_gone(struct pool *pool, struct worker *worker, const char *sentence);
void pool_drain(struct pool *pool);
void pool_free(struct pool *pool);
void pool_fail_waiting(struct pool *pool, int code, const char *sentence);
size_t pool_depth(const struct pool *pool); /* requests a worker of it may have in flight */
void pools_use_room(struct run *run); /* a worker ended or fell idle: starved pools try again */

struct spare_set { /* the spares of one interpreter */
    struct run *run;
    const struct interpreter *interpreter;
    struct buffer launch; /* a function whose launch is the same can take them */
    uint32_t memory_mb, cpus_milli;
    struct worker *workers[16];
    size_t count;
    struct loop_timer refill_timer;
    unsigned failures;
};

enum { SPARE_MEMORY_MB = 32 }; /* what one counts for: it runs nothing but our bootstrap */

void spares_open(struct run *run);
void spares_close(struct run *run);
/* NULL: none fits */
struct worker *spare_take(struct run *run, struct pool *pool, const struct buffer *launch);
void spare_gone(struct worker *worker, const char *sentence);
bool spare_evict(struct run *run);

/* ---- environment.c --------------------------------------------------------------------------- */

void environment_launch(const struct pool *pool, struct buffer *ret_launch);
bool environment_needs_own_start(const struct pool *pool);
void environment_load(const struct run *run, const struct pool *pool, struct buffer *ret_payload);
/* slug unknown or NULL: the default one */
const struct specification *run_specification(const char *slug);

/* ---- the asynchronous queue ------------------------------------------------------------------ */

struct queue;
struct queue *queue_new(struct run *run);
void queue_free(struct queue *queue);
size_t queue_waiting(const struct queue *queue);
size_t queue_running(const struct queue *queue);
void queue_pump(struct queue *queue);

/* ---- all of it ------------------------------------------------------------------------------- */

struct run {
    struct run_options options;
    struct loop *loop;
    const struct settings *settings;
    char *data_directory; /* absolute */
    char *host_report;
    struct message_welcome welcome;
    struct link link;
    char *scratch; /* CHANNEL_READ bytes for reading */
    struct list workers, idle, dirty, pools, starved, free_calls;
    size_t worker_count; /* alive or being started, spares included */
    size_t worker_limit;
    uint32_t network; /* enum sandbox_network */
    uint64_t memory_mb, memory_limit_mb;
    size_t held_bytes; /* bodies and logs of calls */
    size_t running, waiting, worker_failures;
    struct spare_set *spares;
    size_t spare_sets;
    struct queue *queue;
    bool is_stopping;
};

bool run_has_room(const struct run *run, uint32_t memory_mb, size_t workers);
/* memory_mb: what it counts for from now on */
void run_count_worker(struct worker *worker, uint32_t memory_mb);

#endif
