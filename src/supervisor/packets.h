/* What the api may say: a row a message. Judging a packet is apart from acting on it, so that it
 * can be tested alone. */
#ifndef PACKETS_H
#define PACKETS_H

#include <stddef.h>

#include "error.h"
#include "messages.h"

struct supervisor;

/* Descriptors that it keeps are replaced by -1. */
typedef void packet_handle(struct supervisor *supervisor, const union message *message, int *fds,
                           size_t fd_count);

struct packet_row {
    uint32_t type; /* enum message_type */
    const char *name;
    size_t size;
    /* Beyond size and type; NULL: nothing more to check, and no descriptors. */
    int (*check)(const union message *message, size_t fd_count, struct error *err);
    packet_handle *handle;
};

/* Errors: ERROR_INTERNAL with what is wrong: unknown, wrong size, wrong descriptors, a name with a
 * slash, ... */
int packet_check(const union message *message, size_t bytes, size_t fd_count,
                 const struct packet_row **ret_row, struct error *err);

#endif
