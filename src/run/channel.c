/*
 * The worker channel: reading and checking frames, gathering and writing them. No state of requests
 * is here: what a frame means, and whether it may come now, is the worker's to say.
 */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "fd.h"
#include "mem.h"

/* A worker that does not read is ended beyond this; bodies wait elsewhere and are counted there. */
enum { OUT_LIMIT = 1 << 30 };

uint16_t frame_get16(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint16_t)(b[0] | (unsigned)b[1] << 8);
}

uint32_t frame_get32(const char *bytes)
{
    return (uint32_t)frame_get16(bytes) | (uint32_t)frame_get16(bytes + 2) << 16;
}

uint64_t frame_get64(const char *bytes)
{
    return (uint64_t)frame_get32(bytes) | (uint64_t)frame_get32(bytes + 4) << 32;
}

void frame_put16(char *bytes, uint16_t value)
{
    bytes[0] = (char)(value & 0xff);
    bytes[1] = (char)(value >> 8);
}

void frame_put32(char *bytes, uint32_t value)
{
    frame_put16(bytes, (uint16_t)(value & 0xffff));
    frame_put16(bytes + 2, (uint16_t)(value >> 16));
}

void frame_put64(char *bytes, uint64_t value)
{
    frame_put32(bytes, (uint32_t)(value & 0xffffffff));
    frame_put32(bytes + 4, (uint32_t)(value >> 32));
}

void frame_put_head(char *bytes, size_t payload, enum frame_type type, unsigned flags,
                    uint32_t request_id)
{
    frame_put32(bytes, (uint32_t)payload);
    bytes[4] = (char)type;
    bytes[5] = (char)flags;
    frame_put16(bytes + 6, 0);
    frame_put32(bytes + 8, request_id);
}

/* ---- reading ------------------------------------------------------------------------------- */

static void fail_channel(struct channel *channel, const char *sentence)
{
    if (channel->is_over)
        return;
    channel->is_over = true;
    if (channel->watch != NULL)
        loop_watch_remove(channel->loop, steal(channel->watch));
    channel->handlers->broken(channel->context, sentence);
}

/*
 * Consumes whole frames; returns how many bytes it took. Stops when the owner closed the channel.
 */
static size_t take_frames(struct channel *channel, const char *bytes, size_t size)
{
    size_t position = 0;
    while (!channel->is_over && size - position >= FRAME_HEAD) {
        const char *head = bytes + position;
        size_t payload = frame_get32(head);
        const char *sentence = "sent a malformed frame";
        if (payload > FRAME_PAYLOAD || frame_get16(head + 6) != 0) {
            fail_channel(channel, sentence);
            break;
        }
        if (size - position - FRAME_HEAD < payload)
            break;
        struct frame frame = {
            .type = (enum frame_type)(unsigned char)head[4],
            .flags = (unsigned char)head[5],
            .request_id = frame_get32(head + 8),
            .payload = head + FRAME_HEAD,
            .size = payload,
        };
        position += FRAME_HEAD + payload;
        if (channel->handlers->frame(channel->context, &frame, &sentence) < 0)
            fail_channel(channel, sentence);
    }
    return position;
}

static void shrink(struct buffer *buffer, size_t most_bytes)
{
    size_t limit = buffer->limit;
    if (buffer->capacity > most_bytes) {
        buffer_release(buffer);
        buffer_init(buffer, limit);
    }
}

/* One read; false when nothing came. */
static bool read_once(struct channel *channel)
{
    size_t kept = channel->partial.size;
    if (kept > 0)
        memcpy(channel->scratch, channel->partial.data, kept);
    ssize_t got = recv(channel->fd, channel->scratch + kept, CHANNEL_READ - kept, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        fail_channel(channel, NULL);
        return false;
    }

    size_t size = kept + (size_t)got;
    size_t taken = take_frames(channel, channel->scratch, size);
    if (channel->is_over)
        return false;
    buffer_reset(&channel->partial);
    if (taken < size) /* less than a frame: it fits */
        buffer_add(&channel->partial, channel->scratch + taken, size - taken);
    else
        shrink(&channel->partial, 4096);
    return true;
}

void channel_drain(struct channel *channel)
{
    /* Bounded by what a socket buffer can hold, so that a worker that writes for ever does not hold
     * the loop. */
    for (int i = 0; i < 64 && channel->fd >= 0 && !channel->is_over; i++)
        if (!read_once(channel))
            break;
}

static void channel_ready(void *context, uint32_t events)
{
    struct channel *channel = context;
    if (events & EPOLLOUT)
        channel_flush(channel);
    if (channel->fd >= 0 && !channel->is_over && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        read_once(channel);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void mark_dirty(struct channel *channel)
{
    if (channel->is_dirty || channel->is_over)
        return;
    channel->is_dirty = true;
    channel->handlers->dirty(channel->context);
}

/* What does not fit is noted by the buffer; the next flush ends the channel before a torn frame
 * leaves. */
static void add_frame(struct channel *channel, enum frame_type type, unsigned flags,
                      uint32_t request_id, const void *payload, size_t size)
{
    char head[FRAME_HEAD];
    frame_put_head(head, size, type, flags, request_id);
    buffer_add(&channel->out, head, sizeof(head));
    if (size > 0)
        buffer_add(&channel->out, payload, size);
}

/* All pieces but the last; returns the rest, at most FRAME_PAYLOAD bytes. */
static size_t add_pieces(struct channel *channel, enum frame_type type, uint32_t request_id,
                         const char **payload, size_t size)
{
    while (size > FRAME_PAYLOAD) {
        add_frame(channel, type, FRAME_MORE, request_id, *payload, FRAME_PAYLOAD);
        *payload += FRAME_PAYLOAD;
        size -= FRAME_PAYLOAD;
    }
    return size;
}

void channel_send(struct channel *channel, enum frame_type type, uint32_t request_id,
                  const void *payload, size_t size)
{
    if (channel->fd < 0 || channel->is_over)
        return;
    const char *bytes = payload;
    size = add_pieces(channel, type, request_id, &bytes, size);
    add_frame(channel, type, 0, request_id, bytes, size);
    mark_dirty(channel);
}

void channel_send_request(struct channel *channel, uint32_t request_id, const void *head,
                          size_t head_size, struct channel_sender *sender)
{
    sender->request_id = request_id;
    sender->sent = 0;
    if (channel->fd < 0 || channel->is_over)
        return;
    const char *bytes = head;
    size_t rest = add_pieces(channel, FRAME_REQUEST, request_id, &bytes, head_size);
    size_t first = FRAME_PAYLOAD - rest;
    if (first > sender->body.size)
        first = sender->body.size;

    char frame[FRAME_HEAD];
    frame_put_head(frame, rest + first, FRAME_REQUEST, 0, request_id);
    buffer_add(&channel->out, frame, sizeof(frame));
    buffer_add(&channel->out, bytes, rest);
    if (first > 0)
        buffer_add(&channel->out, sender->body.data, first);
    sender->sent = first;
    if (sender->sent < sender->body.size)
        list_append(&channel->senders, &sender->link);
    else
        buffer_release(&sender->body);
    mark_dirty(channel);
}

void channel_sender_release(struct channel_sender *sender)
{
    list_remove(&sender->link);
    buffer_release(&sender->body);
    sender->sent = 0;
}

/*
 * One frame of each body that waits, in turn, so that small requests and cancels pass large ones.
 */
static void add_bodies(struct channel *channel)
{
    while (channel->out.size - channel->out_sent < CHANNEL_GATHER) {
        struct list *link = list_take_first(&channel->senders);
        if (link == NULL)
            return;
        struct channel_sender *sender = list_member(link, struct channel_sender, link);
        size_t bytes = sender->body.size - sender->sent;
        if (bytes > FRAME_PAYLOAD)
            bytes = FRAME_PAYLOAD;
        add_frame(channel, FRAME_BODY, 0, sender->request_id, sender->body.data + sender->sent,
                  bytes);
        sender->sent += bytes;
        if (sender->sent < sender->body.size)
            list_append(&channel->senders, link);
        else
            buffer_release(&sender->body);
    }
}

static void expect_writable(struct channel *channel, bool expected)
{
    if (channel->is_blocked == expected)
        return;
    channel->is_blocked = expected;
    if (channel->watch != NULL)
        loop_watch_change(channel->loop, channel->watch, expected ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void forget_written(struct channel *channel)
{
    if (channel->out_sent < channel->out.size) {
        /* A worker that is always a little behind does not make us keep all it ever got. */
        if (channel->out_sent >= CHANNEL_GATHER && channel->out_sent >= channel->out.size / 2) {
            buffer_cut_front(&channel->out, channel->out_sent);
            channel->out_sent = 0;
        }
        return;
    }
    channel->out_sent = 0;
    buffer_reset(&channel->out);
    shrink(&channel->out, (size_t)2 * CHANNEL_GATHER);
}

void channel_flush(struct channel *channel)
{
    channel->is_dirty = false;
    if (channel->fd < 0 || channel->is_over)
        return;
    for (int writes = 0; writes < 16; writes++) {
        add_bodies(channel);
        if (channel->out.overflowed) {
            fail_channel(channel, "does not read what is sent to it");
            return;
        }
        size_t size = channel->out.size - channel->out_sent;
        if (size == 0)
            break;
        ssize_t sent = send(channel->fd, channel->out.data + channel->out_sent, size,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            /* A closed channel is seen by the next read, after what the worker still said. */
            expect_writable(channel, errno == EAGAIN);
            return;
        }
        channel->out_sent += (size_t)sent;
        forget_written(channel);
    }
    expect_writable(channel,
                    channel->out.size > channel->out_sent || !list_is_empty(&channel->senders));
}

size_t channel_unsent(const struct channel *channel)
{
    return channel->out.size - channel->out_sent;
}

/* ---- life ---------------------------------------------------------------------------------- */

int channel_open(struct channel *channel, struct loop *loop, int fd, char *scratch,
                 const struct channel_handlers *handlers, void *context, struct error *err)
{
    *channel = (struct channel){
        .fd = fd, .loop = loop, .scratch = scratch, .handlers = handlers, .context = context
    };
    buffer_init(&channel->partial, CHANNEL_READ);
    buffer_init(&channel->out, OUT_LIMIT);
    list_init(&channel->senders);
    if (loop_watch_add(loop, fd, EPOLLIN, channel_ready, channel, &channel->watch, err) < 0) {
        fd_close(&channel->fd);
        return -1;
    }
    return 0;
}

void channel_close(struct channel *channel)
{
    channel->is_over = true;
    if (channel->watch != NULL)
        loop_watch_remove(channel->loop, steal(channel->watch));
    fd_close(&channel->fd);
    buffer_release(&channel->partial);
    buffer_release(&channel->out);
    channel->out_sent = 0;
    while (channel->senders.next != NULL && list_take_first(&channel->senders) != NULL)
        continue;
}
