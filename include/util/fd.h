/* File descriptors: every one is close-on-exec from birth. */
#ifndef FD_H
#define FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

void fd_close(int *fd); /* closes if >= 0 and sets -1; keeps errno */
#define auto_fd __attribute__((cleanup(fd_close)))
int fd_steal(int *fd); /* hands it over, leaves -1 */

int fd_set_blocking(int fd, bool blocking);
int fd_pipe(int *ret_read, int *ret_write, struct error *err);   /* cloexec */
int fd_socketpair(int type, int ret_pair[2], struct error *err); /* AF_UNIX, cloexec */
/* A sealed memory file at offset 0, or -1. */
int fd_memfd(const char *name, const void *data, size_t bytes, struct error *err);

int fd_write_all(int fd, const void *data, size_t bytes); /* blocking; 0 or -1 with errno */
ssize_t fd_read_all(int fd, void *data, size_t bytes);    /* up to EOF or bytes; -1 with errno */

/*
 * Whole small file of at most limit bytes; NUL appended, caller frees. dirfd may be AT_FDCWD. An
 * empty path means dirfd itself, a memory file, which is read from its start without being moved.
 * errno stays that of the failed call.
 */
int fd_read_file(int dirfd, const char *path, size_t limit_bytes, char **ret_data, size_t *ret_size,
                 struct error *err);

/* Writes path.new, fsyncs, renames, fsyncs the directory. */
int fd_write_file(int dirfd, const char *path, const void *data, size_t bytes, mode_t mode,
                  struct error *err);

int fd_mkdir(int dirfd, const char *path, mode_t mode, struct error *err); /* existing is fine */

/* Removes a file or a whole tree, never following a symbolic link; absent is fine. */
int fd_remove_tree(int dirfd, const char *path, struct error *err);

/*
 * Send and receive one packet with descriptors (SOCK_SEQPACKET). At most FD_MAX_PASSED descriptors,
 * which is also what ret_fds must have room for; they are the caller's then. -1 with errno;
 * EMSGSIZE if the packet or its descriptors did not fit (they are closed). ret_fds and ret_fd_count
 * NULL: no descriptor is accepted. 0 bytes: the other end is closed.
 */
enum { FD_MAX_PASSED = 8 };
int fd_send_packet(int socket, const void *data, size_t bytes, const int *fds, size_t fd_count);
ssize_t fd_receive_packet(int socket, void *data, size_t bytes, int *ret_fds, size_t *ret_fd_count);

#endif
