/* Children that are no workers: the steps of builds. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"
#include "mem.h"

struct other_child {
    struct child child;
    struct run *run;
    void (*ended)(void *context, bool failed, uint32_t exit_reason, int status, uint64_t cpu_us,
                  const char *text);
    void *context;
};

static void finish(struct other_child *other, bool failed, uint32_t reason, int status,
                   uint64_t cpu_us, const char *text)
{
    link_forget(&other->run->link, &other->child);
    other->ended(other->context, failed, reason, status, cpu_us, text);
    free(other);
}

static void start_failed(struct child *child, const char *sentence)
{
    finish(list_member(child, struct other_child, child), true, EXIT_STATUS, 0, 0, sentence);
}

static void exited(struct child *child, const struct message_exited *message)
{
    finish(list_member(child, struct other_child, child), false, message->reason, message->status,
           message->cpu_us, "");
}

static const struct child_events events = { .start_failed = start_failed, .exited = exited };

uint64_t run_child_start(struct run *run, const struct child_request *request)
{
    struct other_child *other = xcalloc(1, sizeof(*other));
    *other = (struct other_child){ .run = run,
                                   .ended = request->ended,
                                   .context = request->context };
    struct message_start message = {
        .type = MESSAGE_START,
        .flags = (request->stdin_fd >= 0 ? START_HAS_STDIN : 0U) |
                 (request->own_program ? START_OWN_PROGRAM : 0U),
        .kind = request->kind,
        .network = request->network,
        .memory_mb = request->memory_mb,
        .cpus_milli = request->cpus_milli,
        .cpu_seconds = request->cpu_seconds,
    };
    snprintf(message.tree, sizeof(message.tree), "%s", request->tree == NULL ? "" : request->tree);
    snprintf(message.cache, sizeof(message.cache), "%s",
             request->cache == NULL ? "" : request->cache);
    int fds[3];
    size_t count = 0;
    if (request->stdin_fd >= 0)
        fds[count++] = request->stdin_fd;
    fds[count++] = request->stdout_fd;
    fds[count++] = request->stderr_fd;

    struct error err;
    if (link_start(&run->link, &other->child, &events, &message, request->launch, fds, count,
                   &err) < 0) {
        finish(other, true, EXIT_STATUS, 0, 0, err.message);
        return 0;
    }
    return other->child.id;
}

void run_child_kill(struct run *run, uint64_t child_id)
{
    link_send_worker(&run->link, MESSAGE_KILL, child_id);
}
