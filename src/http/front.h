/*
 * The HTTP front from inside: what server.c (daemon and loop), connections.c (who is closed),
 * request.c (from head to answer), refusal.c (what libmicrohttpd refuses), body.c (memory of
 * bodies) and answer.c (building the response) share. Nobody outside this room includes it.
 *
 * A request that waits for its answer rests in one of two ways. Parked: MHD keeps the connection in
 * its ready list and asks again on every run, which costs nanoseconds, and the answer leaves in the
 * same run. Suspended: MHD forgets the connection until it is resumed, which costs four system
 * calls. Warm executions are over while they are parked; what takes longer than PARK_US, or is one
 * too many, is suspended.
 */
#ifndef FRONT_H
#define FRONT_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "server.h"

enum {
    PARK_MOST = 128,           /* requests parked at once */
    PARK_US = 2000,            /* longest time parked */
    ANSWER_SPARE_BYTES = 1024, /* of head_bytes, for what MHD writes into an answer's head itself */
    DISCARD_BYTES = 64 << 20,  /* of a refused body, read so that the client sees the answer */
    RUNS_TO_READ = 1,          /* how often MHD must run until it has read what is there */
    RUNS_TO_SEND = 2, /* and sent the answer of a parked request, and noticed that all was sent */
    RUNS_TO_WAKE = 3, /* and taken a suspended connection back */
    POOL_REQUESTS = 512,         /* request objects kept for reuse */
    POOL_BODY_BYTES = 16 * 1024, /* body memory a kept request object may hold on to */
    CONNECTION_SPARES = 64 /* beyond the limit, so that who comes can push out who only sits */
};

enum request_phase {
    PHASE_LINE,     /* the request line is there; on_head was not called yet */
    PHASE_BODY,     /* announced; its body is being read */
    PHASE_WAITING,  /* complete; the answer is due */
    PHASE_ANSWERED, /* the answer is with MHD */
    PHASE_REFUSED   /* by MHD itself; only the answer is left */
};

enum request_rest { REST_NONE, REST_PARKED, REST_SUSPENDED };

struct http_request {
    struct http_server *server;
    TAILQ_ENTRY(http_request) link; /* parked, suspended, ended or free */
    struct http_header *headers;
    size_t header_capacity;
    struct buffer body;

    /* From here on all is zero in a new request; what stands before is kept for the next. */
    struct MHD_Connection *connection;
    enum request_phase phase;
    enum request_rest rest;
    enum http_body body_mode;
    bool answered;     /* http_answer() was called */
    bool too_large;    /* on_too_large() was called */
    bool resume_asked; /* http_request_resume_body() while on_data was running */
    bool wants_memory; /* in the line for body memory */
    bool chunked;
    bool expects_continue;
    bool bad_framing;
    bool has_length;
    bool client_left; /* of an end that was put off */

    const char *method;
    const char *path;
    char *query;      /* inside MHD's copy of the request line, or "" */
    char query_first; /* hidden from MHD until the head is complete */
    uint64_t content_length;
    size_t header_count;
    char address[INET6_ADDRSTRLEN];

    int64_t since_us;  /* that its client has the next word: of its body, or in reading */
    uint64_t received; /* bytes of the body since then */

    size_t body_limit;
    size_t reserved; /* bytes of the server's body memory */
    size_t wanted;   /* bytes waited for, with wants_memory */
    uint64_t discarded;

    struct MHD_Response *response; /* built, not handed to MHD yet */
    unsigned status;

    void *user;
    int64_t parked_us;
    TAILQ_ENTRY(http_request) memory_link; /* the line for body memory */
};

TAILQ_HEAD(request_list, http_request);
TAILQ_HEAD(connection_list, http_connection);

struct http_server {
    struct loop *loop;
    struct http_handlers handlers;
    struct MHD_Daemon *daemon;
    struct loop_watch *watch;
    int listen_fd; /* our duplicate, or -1 */

    size_t open_count, parked_count, suspended_count, free_count;
    struct request_list parked, suspended, ended, free;

    struct connection_list waiting; /* for a head, longest first */
    struct connection_list busy;
    struct connection_list round; /* all, the one that was looked at last is last */
    size_t connection_count, closing_count, connection_limit;
    int64_t idle_us;     /* that a connection may wait for a whole head */
    int64_t look_by_us;  /* for slow clients again, not before */
    int64_t round_by_us; /* at the next ones of the round */
    int64_t stuck_by_us;
    unsigned spins; /* turns in a row after which MHD wanted the next one at once */

    struct request_list memory_line;
    size_t body_memory, body_used;
    size_t head_bytes;              /* that a request's head and its answer's share */
    struct http_request *overdraft; /* the one request that may exceed the body memory */

    struct http_request
        *answering;  /* an end that comes inside http_answer() is put off to the turn's end */
    bool run_wanted; /* MHD has something to do in this turn */
    unsigned runs;   /* of MHD, the next time */
    bool in_hook;
    bool announced_in_hook; /* the hook called a handler: others' hooks may have run already */
    bool closing;
    int64_t run_by_us; /* MHD's own timers are due */
};

/* server.c */
void server_park(struct http_request *request);
void server_suspend(struct http_request *request);
/* Resumes, unparks; nothing when it does not rest. */
void server_wake(struct http_request *request);
/* Takes it off the list of those that rest, no more. */
void server_forget(struct http_request *request);

/* connections.c: who must go when there are too many */

/* MHD_NotifyConnectionCallback */
void connections_note(void *context, struct MHD_Connection *connection, void **socket_context,
                      enum MHD_ConnectionNotificationCode code);
/* NULL: none of ours, or it is just coming */
struct http_server *connection_server(struct MHD_Connection *connection);
void connection_begins(struct http_request *request); /* its head is there */
void connection_ends(struct http_request *request);   /* before its connection is forgotten */
/* At the end of a turn: closes who took too long, or who must go. */
void connections_tidy(struct http_server *server);
/* Longest wait until the next connections_tidy(), or -1. */
int64_t connections_wait_us(const struct http_server *server);

/* request.c: MHD's callbacks */
void *request_line(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_bytes, void **request);
void request_over(void *context, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode code);
void request_end(struct http_request *request, bool client_left);
/* MHD wants to refuse with this status what is under way: the handlers' answer goes out instead. */
void request_refuse(struct http_server *server, struct MHD_Connection *connection, unsigned status);

/* refusal.c */

/* The library's MHD_queue_response(); by that name ours is called, which is for the library. */
enum MHD_Result refusal_pass(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response);
/* Writes a whole answer to the socket, as far as that takes it at once. Takes over its body. */
void refusal_send(struct http_request *request, const struct http_answer *answer);

/* body.c */
enum body_taken { BODY_TAKEN, BODY_WAITS, BODY_TOO_LARGE };
enum body_taken body_gather(struct http_request *request, const char *data, size_t bytes);
void body_leave_line(struct http_request *request);
void body_release(struct http_request *request);

/* answer.c */

/*
 * Takes over the answer's body or file. Headers of more than room bytes would make MHD close the
 * connection without a word: then it becomes a 500 that says so.
 */
struct MHD_Response *answer_build(const struct http_answer *answer, size_t room,
                                  unsigned *ret_status);

#endif
