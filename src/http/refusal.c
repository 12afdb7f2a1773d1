/*
 * What libmicrohttpd refuses by itself: a head that is no HTTP, has no Host, or does not fit into
 * its memory, a body whose chunks are none. It queues a page of its own for that, in several cases
 * with the head twice, so that the client takes the second one for the body (seen with 0.9.75).
 *
 * Its call of MHD_queue_response() goes through the dynamic linker, which finds the one below
 * before the library's. That one has the handlers say what the answer is, writes it to the socket
 * itself, nothing else being under way there, and tells libmicrohttpd that nothing was queued:
 * then it closes the connection. Our own answers go to the library's function (refusal_pass). Where
 * the library was linked so that it calls its own (-Bsymbolic-functions), its pages stay.
 */
#include "front.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "mem.h"

enum { HEAD_BYTES = 8192, PIECE_BYTES = 16384, UNREAD_BYTES = 1 << 20 };

typedef enum MHD_Result queue_function(struct MHD_Connection *connection, unsigned status,
                                       struct MHD_Response *response);

enum MHD_Result refusal_pass(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    static queue_function *_Atomic library;
    queue_function *queue = library;

    if (queue == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");

        if (symbol == NULL)
            abort(); /* linked in some way that there is no library to pass it to */
        memcpy(&queue, &symbol, sizeof(queue));
        library = queue;
    }
    return queue(connection, status, response);
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response)
{
    struct http_server *server = connection_server(connection);

    if (server == NULL)
        return refusal_pass(connection, status, response);
    request_refuse(server, connection, status);
    return MHD_NO;
}

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    buffer_addf(context, "%s: %s\r\n", name, value);
    return MHD_YES;
}

static void add_head(struct buffer *text, unsigned status, struct MHD_Response *response,
                     size_t body_bytes)
{
    char date[64];
    struct tm when;
    time_t now = time(NULL);

    gmtime_r(&now, &when);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &when);
    buffer_addf(text, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n", status,
                MHD_get_reason_phrase_for(status), date);
    MHD_get_response_headers(response, add_header, text);
    buffer_addf(text, "Content-Length: %zu\r\n\r\n", body_bytes);
}

/* Bytes nobody has read would make the kernel reset the connection, and the client lose the
 * answer. */
static void discard_unread(int fd)
{
    char scratch[PIECE_BYTES];
    ssize_t seen;
    size_t sum = 0;

    do {
        seen = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);
        sum += seen > 0 ? (size_t)seen : 0;
    } while (seen > 0 && sum < UNREAD_BYTES);
}

void refusal_send(struct http_request *request, const struct http_answer *answer)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const char *said = answer->body != NULL ? answer->body->data : answer->body_copy;
    size_t said_bytes = answer->body != NULL ? answer->body->size : answer->body_copy_size;
    auto_free char *body = xmalloc(said_bytes + 1); /* answer_build() takes the answer's own */
    unsigned status;
    struct buffer text;

    if (said_bytes > 0)
        memcpy(body, said, said_bytes);
    struct MHD_Response *response = answer_build(answer, HEAD_BYTES, &status);
    buffer_init(&text, (size_t)2 * HEAD_BYTES + said_bytes);
    add_head(&text, status, response, said_bytes);
    buffer_add(&text, body, said_bytes);
    if (info != NULL) { /* a client that does not take this at once goes without */
        discard_unread(info->connect_fd);
        (void)!send(info->connect_fd, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    buffer_release(&text);
    MHD_destroy_response(response);
}
