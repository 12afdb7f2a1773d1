/* A server on its own thread and port, whose paths say what it shall do. See echo_server.c. */
#ifndef ECHO_SERVER_H
#define ECHO_SERVER_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>

#include "server.h"

struct echo_server {
    struct loop *loop;
    struct http_server *server;
    int listen_fd;
    unsigned short port;
    unsigned long thread;
    struct http_request *held; /* of /hold, until echo_release() */
    size_t body_bytes;         /* of the stream under way */
    bool refused_once;
    char *file; /* path of what /file answers */
    atomic_int stopped, heads, completes, ended, left, refused, too_large, unread;
};

struct echo_server *echo_start(size_t body_memory, unsigned idle_seconds, unsigned connections);
void echo_stop(struct echo_server *echo);
void echo_stop_accepting(struct echo_server *echo);   /* done when it returns */
void echo_release(struct echo_server *echo);          /* answers /hold */
void echo_wait(const atomic_int *counter, int least); /* fails the test after 5 s */

int echo_connect(const struct echo_server *echo);
int echo_connect_from(const struct echo_server *echo, in_addr_t from); /* host byte order */
void echo_send(int client, const char *text);
/* One whole answer (head and body by its content-length, or to the end for HEAD and closes);
 * NUL-terminated. */
char *echo_receive(int client, bool has_body);
bool echo_is_closed(int client); /* the peer has closed: waits for it, at most 5 s */

#endif
