/*
 * One end of a worker's channel: frames in, checked; frames out, gathered and written once a turn.
 * Knows the layout of frames and nothing of executions. Whoever owns it calls channel_flush at the
 * end of each turn in which it is dirty.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "frames.h"
#include "list.h"
#include "loop.h"

struct frame {
    enum frame_type type;
    unsigned flags;
    uint32_t request_id;
    const char *payload; /* borrowed for the call */
    size_t size;
};

/* What a request still has to send: embed it; the body is released by channel_sender_release. */
struct channel_sender {
    struct list link; /* in the channel's turn list while bytes remain */
    uint32_t request_id;
    struct buffer body;
    size_t sent;
};

struct channel;

struct channel_handlers {
    /* -1: the frame breaks the protocol; sentence says how. The channel is not read any further. */
    int (*frame)(void *context, const struct frame *frame, const char **ret_sentence);
    /* The other end is closed (sentence NULL), or broke the protocol, or more waits for it than we
     * keep. Called once, never from inside channel_send*(); may close the channel. */
    void (*broken)(void *context, const char *sentence);
    void (*dirty)(void *context); /* something waits for channel_flush; called once until it runs */
    void *context;
};

enum { CHANNEL_READ = 4 * (FRAME_HEAD + FRAME_PAYLOAD), CHANNEL_GATHER = 256 * 1024 };

struct channel {
    int fd; /* -1: closed */
    struct loop *loop;
    struct loop_watch *watch;
    const struct channel_handlers *handlers;
    void *context;
    char *scratch;         /* CHANNEL_READ bytes, shared by all channels of a loop */
    struct buffer partial; /* the beginning of a frame whose rest has not arrived */
    struct buffer out;
    size_t out_sent; /* bytes of out that are written */
    struct list senders;
    bool is_dirty, is_blocked, is_over;
};

/* Takes fd over (non-blocking from now on). */
int channel_open(struct channel *channel, struct loop *loop, int fd, char *scratch,
                 const struct channel_handlers *handlers, void *context, struct error *err);
void channel_close(struct channel *channel); /* may be repeated */

/* Reads what is there now, as if the descriptor had become readable (before a worker's end is
 * judged). */
void channel_drain(struct channel *channel);

/* A frame whose structured part is payload: cut at FRAME_PAYLOAD with FRAME_MORE on all but the
 * last. If there is no room for it, nothing more is sent and the next channel_flush() says broken.
 */
void channel_send(struct channel *channel, enum frame_type type, uint32_t request_id,
                  const void *payload, size_t size);

/*
 * A request: head as in frames.h without the body; the body travels behind it, in turn with others.
 */
void channel_send_request(struct channel *channel, uint32_t request_id, const void *head,
                          size_t head_size, struct channel_sender *sender);
void channel_sender_release(struct channel_sender *sender);

void channel_flush(struct channel *channel);
size_t channel_unsent(const struct channel *channel);

/* ---- reading numbers of frames --------------------------------------------------------------- */

uint16_t frame_get16(const char *bytes);
uint32_t frame_get32(const char *bytes);
uint64_t frame_get64(const char *bytes);
void frame_put16(char *bytes, uint16_t value);
void frame_put32(char *bytes, uint32_t value);
void frame_put64(char *bytes, uint64_t value);
void frame_put_head(char *bytes, size_t payload, enum frame_type type, unsigned flags,
                    uint32_t request_id);

#endif
