/*
 * The room without processes: the test plays the supervisor on one end of a packet socket and every
 * worker on the end of its channel. Everything runs in one thread; waiting means turning the loop.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <cmocka.h>

#include "internal.h"

struct harness {
    struct loop *loop;
    struct settings settings;
    struct message_welcome welcome; /* change before harness_start */
    struct store *store;            /* NULL unless the test opens one */
    struct registry *registry;
    struct token_signer *signer;
    struct geo *geo; /* NULL unless the test opens one */
    struct run *run;
    int supervisor; /* the supervisor's end */
    bool was_lost, was_told_to_stop;
};

struct fake { /* a worker, as seen from inside it */
    struct harness *harness;
    struct message_start start;
    char *launch;
    size_t launch_size;
    int out, err, channel;
    char in[1 << 20];
    size_t in_size;
};

struct seen { /* a frame that arrived in a worker */
    unsigned type, flags;
    uint32_t id;
    size_t size;
    char payload[FRAME_PAYLOAD + 1];
};

struct told { /* what a call was told */
    unsigned times;
    struct run_call *call;
    enum run_outcome outcome;
    unsigned status;
    char *headers, *body, *logs, *errors;
    size_t body_size, logs_size;
    char message[512];
    int64_t duration_us;
    void (*then)(struct told *told); /* inside done */
    void *context;
};

/* Settings with short times; no spares. Then change what the test needs, and start. */
void harness_init(struct harness *harness);
void harness_start(struct harness *harness);
void harness_end(struct harness *harness);

/* Turns the loop until is_true, at most two seconds; false if it never was. */
bool harness_until(struct harness *harness, bool (*is_true)(void *context), void *context);
void harness_pass(struct harness *harness, int64_t time_us); /* turns the loop for so long */

/* The next packet of the api, descriptors included. */
void harness_packet(struct harness *harness, union message *ret_message, int *ret_fds,
                    size_t *ret_fd_count);
void harness_expect(struct harness *harness, enum message_type type, union message *ret_message);
void harness_expect_silence(struct harness *harness); /* no packet within a moment */
void harness_tell(struct harness *harness, const void *message, size_t size);
void harness_exited(struct harness *harness, const struct fake *fake, enum exit_reason reason,
                    int status);

/* Waits for START; the worker has not said hello. fake_end closes what is still open. */
struct fake *fake_start(struct harness *harness);
struct fake *fake_ready(struct harness *harness); /* ... hello, LOAD read */
void fake_hello(struct fake *fake);
void fake_end(struct fake *fake);
void fake_send(struct fake *fake, const void *bytes, size_t size);
void fake_frame(struct fake *fake, unsigned type, unsigned flags, uint32_t id, const void *payload,
                size_t size);
void fake_answer(struct fake *fake, uint32_t id, unsigned status, const char *headers,
                 const char *body);
/* The next frame; borrowed until the next call. */
const struct seen *fake_next(struct fake *fake);
uint32_t fake_request(struct fake *fake); /* the next frame is a REQUEST: its id */
bool fake_is_silent(struct fake *fake);
bool fake_is_closed(struct fake *fake);

struct live_function *a_function(const char *id, const char *runtime); /* one reference */
struct run_call *call_from(struct harness *harness, struct live_function *function,
                           const char *caller, int64_t deadline_us, struct told *told);
struct run_call *call(struct harness *harness, struct live_function *function, struct told *told);
void told_done(void *context, struct run_result *result); /* a run_done; context is a struct told */
void told_wait(struct harness *harness, struct told *told);
void told_release(struct told *told);

#endif
