/* Packets that carry descriptors over a SOCK_SEQPACKET socket. Declared in fd.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fd.h"

union control {
    struct cmsghdr header; /* for its alignment */
    char room[CMSG_SPACE(FD_MAX_PASSED * sizeof(int))];
};

int fd_send_packet(int socket, const void *data, size_t bytes, const int *fds, size_t fd_count)
{
    if (fd_count > FD_MAX_PASSED) {
        errno = EMSGSIZE;
        return -1;
    }
    struct iovec piece = { .iov_len = bytes };
    memcpy(&piece.iov_base, &data, sizeof(data)); /* sendmsg() does not write to it */
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    union control control = { 0 };
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static size_t take_descriptors(struct msghdr *message, int fds[FD_MAX_PASSED])
{
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
            if (count < FD_MAX_PASSED)
                fds[count++] = fd;
            else
                fd_close(&fd);
        }
    }
    return count;
}

ssize_t fd_receive_packet(int socket, void *data, size_t bytes, int *ret_fds, size_t *ret_fd_count)
{
    struct iovec piece = { .iov_base = data, .iov_len = bytes };
    union control control = { 0 };
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t received;
    do
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -1;

    int fds[FD_MAX_PASSED];
    size_t count = take_descriptors(&message, fds);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || (count > 0 && ret_fds == NULL)) {
        for (size_t i = 0; i < count; i++)
            fd_close(&fds[i]);
        errno = EMSGSIZE;
        return -1;
    }
    if (count > 0)
        memcpy(ret_fds, fds, count * sizeof(int));
    if (ret_fd_count != NULL)
        *ret_fd_count = count;
    return received;
}
