/*
 * The socket to the supervisor. Packets go out at once or wait in order for room; what comes in is
 * reported to the child it is about. The supervisor is trusted; a packet that makes no sense still
 * ends the link rather than being guessed at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fd.h"
#include "internal.h"
#include "log.h"
#include "mem.h"

enum { CHILDREN_MAX = 65535 };

struct tree_request {
    struct list link;
    uint64_t id;
    run_tree_done *done;
    void *context;
};

static void lose(struct link *link, const char *sentence)
{
    if (link->is_lost)
        return;
    link->is_lost = true;
    log_error("supervisor: %s", sentence);
    if (link->watch != NULL)
        loop_watch_remove(link->run->loop, steal(link->watch));
    if (link->run->options.on_supervisor_lost != NULL)
        link->run->options.on_supervisor_lost(link->run->options.context);
}

/* ---- children ------------------------------------------------------------------------------ */

static int enter(struct link *link, struct child *child)
{
    size_t slot = 0;
    while (slot < link->child_slots && link->children[slot] != NULL)
        slot++;
    if (slot == CHILDREN_MAX)
        return -1;
    if (slot == link->child_slots) {
        size_t count = link->child_slots == 0 ? 64 : 2 * link->child_slots;
        if (count > CHILDREN_MAX)
            count = CHILDREN_MAX;
        link->children = xrealloc(link->children, count * sizeof(struct child *));
        memset(link->children + link->child_slots, 0,
               (count - link->child_slots) * sizeof(struct child *));
        link->child_slots = count;
    }
    link->children[slot] = child;
    child->id = ++link->sequence << 16 | slot;
    return 0;
}

static struct child *find(const struct link *link, uint64_t id)
{
    size_t slot = id & 0xffff;
    struct child *child = slot < link->child_slots ? link->children[slot] : NULL;
    return child != NULL && child->id == id ? child : NULL;
}

void link_forget(struct link *link, struct child *child)
{
    if (child->id == 0 || find(link, child->id) != child)
        return;
    link->children[child->id & 0xffff] = NULL;
    child->id = 0;
}

/* ---- sending ------------------------------------------------------------------------------- */

static void packet_free(struct packet *packet)
{
    for (size_t i = 0; i < packet->fd_count; i++)
        fd_close(&packet->fds[i]);
    free(packet);
}

static int keep_packet(struct link *link, const void *message, size_t size, const int *fds,
                       size_t fd_count, struct error *err)
{
    struct packet *packet = xcalloc(1, sizeof(*packet));
    memcpy(&packet->message, message, size);
    packet->size = size;
    for (size_t i = 0; i < fd_count; i++) {
        packet->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (packet->fds[i] < 0) {
            int number = errno;
            packet_free(packet);
            errno = number;
            return fail_errno(err, "keep a descriptor for the supervisor");
        }
        packet->fd_count++;
    }
    list_append(&link->packets, &packet->link);
    return 0;
}

/* The reading side tells the loss; what the supervisor still said comes first. */
static bool is_closed(int number)
{
    return number == EPIPE || number == ECONNRESET;
}

static int send_packet(struct link *link, const void *message, size_t size, const int *fds,
                       size_t fd_count, struct error *err)
{
    if (link->is_lost)
        return fail(err, ERROR_INTERNAL, "the supervisor is gone");
    if (list_is_empty(&link->packets)) {
        if (fd_send_packet(link->fd, message, size, fds, fd_count) == 0)
            return 0;
        if (errno != EAGAIN)
            return fail_errno(err, "tell the supervisor");
        loop_watch_change(link->run->loop, link->watch, EPOLLIN | EPOLLOUT);
    }
    return keep_packet(link, message, size, fds, fd_count, err);
}

/* A packet that waited cannot be sent: whoever it is about is told as the supervisor would have. */
static void refuse(struct link *link, const struct packet *packet, int number)
{
    const struct message_start *start = &packet->message.start;
    struct child *child = start->type == MESSAGE_START ? find(link, start->worker_id) : NULL;
    if (child != NULL)
        child->events->start_failed(child, strerror(number));
    else if (!is_closed(number))
        lose(link, strerror(number));
}

static void send_waiting(struct link *link)
{
    struct list *first;
    while ((first = list_first(&link->packets)) != NULL) {
        struct packet *packet = list_member(first, struct packet, link);
        int number = fd_send_packet(link->fd, &packet->message, packet->size, packet->fds,
                                    packet->fd_count) < 0
                         ? errno
                         : 0;
        if (number == EAGAIN)
            return;
        list_remove(first);
        if (number != 0)
            refuse(link, packet, number);
        packet_free(packet);
    }
    if (link->watch != NULL)
        loop_watch_change(link->run->loop, link->watch, EPOLLIN);
}

void link_send(struct link *link, const void *message, size_t size)
{
    struct error err;
    if (link->is_lost || send_packet(link, message, size, NULL, 0, &err) == 0)
        return;
    if (is_closed(errno))
        log_warning("supervisor: %s", err.message);
    else /* it would wait for ever for what it was not told */
        lose(link, err.message);
}

void link_send_worker(struct link *link, enum message_type type, uint64_t worker_id)
{
    if (worker_id == 0)
        return;
    struct message_worker message = { .type = type, .worker_id = worker_id };
    link_send(link, &message, sizeof(message));
}

int link_start(struct link *link, struct child *child, const struct child_events *events,
               struct message_start *message, const struct buffer *launch, const int *fds,
               size_t fd_count, struct error *err)
{
    if (link->is_lost)
        return fail(err, ERROR_INTERNAL, "the supervisor is gone");
    auto_fd int launch_fd = fd_memfd("launch", launch->data, launch->size, err);
    if (launch_fd < 0)
        return -1;
    if (enter(link, child) < 0)
        return fail(err, ERROR_INTERNAL, "too many processes");
    child->events = events;
    message->worker_id = child->id;
    int all[FD_MAX_PASSED] = { launch_fd };
    memcpy(all + 1, fds, fd_count * sizeof(*fds));
    if (send_packet(link, message, sizeof(*message), all, fd_count + 1, err) < 0) {
        link_forget(link, child);
        return -1;
    }
    return 0;
}

void link_flush(struct link *link)
{
    if (link->fd < 0)
        return;
    fd_set_blocking(link->fd, true);
    send_waiting(link);
}

/* ---- trees --------------------------------------------------------------------------------- */

static void request_tree(struct run *run, enum message_type type, enum tree_place place,
                         const char *tree, run_tree_done *done, void *context)
{
    struct link *link = &run->link;
    struct message_tree message = { .type = type, .place = place, .request_id = ++link->sequence };
    int length = snprintf(message.tree, sizeof(message.tree), "%s", tree);
    if (link->is_lost || length >= MESSAGE_NAME) {
        done(context, link->is_lost ? "the supervisor is gone" : "the tree's name is too long");
        return;
    }
    struct tree_request *request = xcalloc(1, sizeof(*request));
    *request = (struct tree_request){ .id = message.request_id, .done = done, .context = context };
    list_append(&link->tree_requests, &request->link);
    link_send(link, &message, sizeof(message));
}

void run_tree_seal(struct run *run, const char *tree, run_tree_done *done, void *context)
{
    request_tree(run, MESSAGE_SEAL, TREE_BUILD, tree, done, context);
}

void run_tree_remove(struct run *run, const char *tree, run_tree_done *done, void *context)
{
    request_tree(run, MESSAGE_REMOVE, TREE_BUILD, tree, done, context);
}

void run_cache_remove(struct run *run, const char *project_id, run_tree_done *done, void *context)
{
    request_tree(run, MESSAGE_REMOVE, TREE_CACHE, project_id, done, context);
}

static void take_tree(struct link *link, const struct message_tree *message)
{
    for (struct list *at = link->tree_requests.next; at != &link->tree_requests; at = at->next) {
        struct tree_request *request = list_member(at, struct tree_request, link);
        if (request->id != message->request_id)
            continue;
        list_remove(at);
        request->done(request->context, message->error);
        free(request);
        return;
    }
}

/* ---- receiving ----------------------------------------------------------------------------- */

/* Which size a packet of each type has; 0: no type of the supervisor's. */
static size_t packet_size(uint32_t type)
{
    switch ((enum message_type)type) {
    case MESSAGE_STARTED:
        return sizeof(struct message_worker);
    case MESSAGE_START_FAILED:
    case MESSAGE_HANDED_OVER:
        return sizeof(struct message_failed);
    case MESSAGE_EXITED:
        return sizeof(struct message_exited);
    case MESSAGE_SEALED:
    case MESSAGE_REMOVED:
        return sizeof(struct message_tree);
    case MESSAGE_STOP:
        return sizeof(struct message_stop);
    case MESSAGE_WELCOME:
    case MESSAGE_START:
    case MESSAGE_HAND_OVER:
    case MESSAGE_HELLO_SEEN:
    case MESSAGE_KILL:
    case MESSAGE_SEAL:
    case MESSAGE_REMOVE:
    case MESSAGE_CLEAN_SHUTDOWN:
        return 0;
    }
    return 0;
}

static void take_failed(struct link *link, struct message_failed *message)
{
    struct child *child = find(link, message->worker_id);
    message->error[sizeof(message->error) - 1] = '\0';
    if (child == NULL)
        return;
    if (message->type == MESSAGE_HANDED_OVER) {
        if (child->events->handed_over != NULL)
            child->events->handed_over(child, message->error);
        return;
    }
    child->events->start_failed(child, message->error);
}

static void take_packet(struct link *link, union message *message)
{
    const struct run_options *options = &link->run->options;
    struct child *child;
    switch ((enum message_type)message->type) {
    case MESSAGE_START_FAILED:
    case MESSAGE_HANDED_OVER:
        take_failed(link, &message->failed);
        return;
    case MESSAGE_EXITED:
        child = find(link, message->exited.worker_id);
        if (child != NULL)
            child->events->exited(child, &message->exited);
        return;
    case MESSAGE_SEALED:
    case MESSAGE_REMOVED:
        message->tree.error[sizeof(message->tree.error) - 1] = '\0';
        take_tree(link, &message->tree);
        return;
    case MESSAGE_STOP:
        if (options->on_stop != NULL)
            options->on_stop(options->context, message->stop.now != 0);
        return;
    case MESSAGE_STARTED:
    case MESSAGE_WELCOME:
    case MESSAGE_START:
    case MESSAGE_HAND_OVER:
    case MESSAGE_HELLO_SEEN:
    case MESSAGE_KILL:
    case MESSAGE_SEAL:
    case MESSAGE_REMOVE:
    case MESSAGE_CLEAN_SHUTDOWN:
        return;
    }
}

static void receive(struct link *link)
{
    /* Bounded, so that a storm of ends does not hold the loop; what is left makes the socket ready
     * again. */
    for (int i = 0; i < 64 && !link->is_lost; i++) {
        union message message;
        int fds[FD_MAX_PASSED];
        size_t fd_count = 0;
        memset(&message, 0, sizeof(message));
        ssize_t got = fd_receive_packet(link->fd, &message, sizeof(message), fds, &fd_count);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        for (size_t k = 0; got > 0 && k < fd_count; k++)
            fd_close(&fds[k]);
        if (got <= 0) {
            lose(link, got == 0 ? "it has ended" : strerror(errno));
        } else if ((size_t)got < sizeof(message.type) || (size_t)got != packet_size(message.type)) {
            lose(link, "it sent a packet that makes no sense");
        } else {
            take_packet(link, &message);
        }
    }
}

static void link_ready(void *context, uint32_t events)
{
    struct link *link = context;
    if (events & EPOLLOUT)
        send_waiting(link);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(link);
}

/* ---- life ---------------------------------------------------------------------------------- */

int link_open(struct link *link, struct run *run, int fd, struct error *err)
{
    *link = (struct link){ .run = run, .fd = fd };
    list_init(&link->packets);
    list_init(&link->tree_requests);
    if (fd_set_blocking(fd, false) < 0)
        return fail_errno(err, "supervisor socket");
    return loop_watch_add(run->loop, fd, EPOLLIN, link_ready, link, &link->watch, err);
}

void link_close(struct link *link)
{
    struct list *first;
    if (link->watch != NULL)
        loop_watch_remove(link->run->loop, steal(link->watch));
    while (link->packets.next != NULL && (first = list_take_first(&link->packets)) != NULL)
        packet_free(list_member(first, struct packet, link));
    while (link->tree_requests.next != NULL &&
           (first = list_take_first(&link->tree_requests)) != NULL)
        free(list_member(first, struct tree_request, link));
    free(link->children);
    link->children = NULL;
    fd_close(&link->fd);
}
