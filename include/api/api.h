/*
 * The api role: one unprivileged process that serves HTTP, decides what runs and keeps the store.
 */
#ifndef API_H
#define API_H

/*
 * Serves until the supervisor says stop. listen_fd: listening socket; message_fd: to the
 * supervisor; settings_lines: as settings_write() made them. Returns the exit status: 0 after a
 * graceful stop, 78 when this configuration or data directory cannot be served (the sentence is
 * logged), 1 otherwise.
 */
int api_run(int listen_fd, int message_fd, const char *settings_lines);

#endif
