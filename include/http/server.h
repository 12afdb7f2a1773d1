/*
 * The HTTP front: libmicrohttpd driven from our loop (external epoll, no thread of its own).
 *
 * Everything is called on the loop's thread. A request is announced twice: first when its head is
 * there (the handler says how its body shall travel), then when it is complete. The handler answers
 * exactly once, at once or later; until then the connection is suspended by the server. The server
 * never looks at paths, keys or bodies.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "error.h"
#include "loop.h"

struct http_server;
struct http_request;

struct http_header {
    const char *name; /* as given; compare without case */
    const char *value;
};

enum http_body {
    /* into request memory, up to body_limit; more answers through on_too_large */
    HTTP_BODY_GATHER,
    HTTP_BODY_STREAM, /* handed to on_data in pieces */
    /*
     * the handler has answered already; up to 64 MiB are read and thrown away so that the client
     * sees the answer, beyond that the connection is closed
     */
    HTTP_BODY_REFUSE
};

struct http_handlers {
    void *context;
    /*
     * The head has arrived. May call http_answer() (refusals) and return HTTP_BODY_REFUSE; may set
     * *body_limit (bytes).
     */
    enum http_body (*on_head)(void *context, struct http_request *request, size_t *body_limit);
    /*
     * What came is no request, or none that can be read: answer with this status before returning;
     * the connection is closed behind it. Instead of on_head. 400 with a reason: its framing
     * contradicts itself (content-length beside transfer-encoding, two lengths, a coding other than
     * chunked). Else libmicrohttpd refuses it, reason is NULL, and neither method nor path are
     * known: 400, 413 (a length beyond all numbers), 414 and 431 (more than head_bytes), 505. In
     * the middle of a body this is announced as a request of its own.
     */
    void (*on_refused)(void *context, struct http_request *request, unsigned status,
                       const char *reason);
    /*
     * HTTP_BODY_STREAM only. Takes the bytes now (returns true), or returns false: nothing was
     * taken, the connection is suspended, and the same bytes, perhaps with more behind them, come
     * again after http_request_resume_body().
     */
    bool (*on_data)(void *context, struct http_request *request, const char *data, size_t bytes);
    void (*on_complete)(void *context, struct http_request *request);
    /* A gathered body passed its limit: answer (413 envelope). Called instead of on_complete. */
    void (*on_too_large)(void *context, struct http_request *request, size_t body_limit);
    /*
     * The request is over: answered, or the client went away before. The pointer is dead
     * afterwards. Never called from inside http_answer(). A client that leaves while its answer is
     * awaited is noticed at once if it resets the connection within the first milliseconds, else
     * when the answer is sent.
     */
    void (*on_end)(void *context, struct http_request *request, bool client_left);
};

struct http_options {
    struct loop *loop;
    int listen_fd; /* listening socket, non-blocking; stays the caller's */
    /*
     * At once. Beyond that, who has waited longest for a request's head is closed for who comes,
     * then slow bodies and slow readers.
     */
    unsigned connections;
    /* without a byte, or until a head is there in full */
    unsigned idle_seconds;
    /*
     * bytes all gathered bodies may take together; past it readers are suspended, and those closed
     * whose bodies hardly move
     */
    size_t body_memory;
    /*
     * bytes that the heads of a request and of its answer share; cleared after every request:
     * 32 KiB instead of 20 KiB cost 12 % of a request's time
     */
    size_t head_bytes;
    struct http_handlers handlers;
};

/*
 * The loop must outlive the server, but must not run any more when it is freed. Make the server
 * before those whose output requests cause, so that its hook at the end of a turn runs before
 * theirs. The process ignores SIGPIPE from here on.
 */
int http_server_new(const struct http_options *options, struct http_server **ret_server,
                    struct error *err);
/* listening socket no longer polled */
void http_server_stop_accepting(struct http_server *server);
size_t http_server_open_requests(const struct http_server *server);
void http_server_free(struct http_server *server); /* open requests are ended */

/* ---- what a request says (all borrowed, valid until on_end) ---------------------------------- */

const char *http_method(const struct http_request *request);
/* as sent, not decoded, without the query */
const char *http_path(const struct http_request *request);
/* as sent, without "?"; "" if none */
const char *http_query(const struct http_request *request);
/* first value, or NULL */
const char *http_header(const struct http_request *request, const char *name);
size_t http_header_count(const struct http_request *request);
/* in order of arrival */
struct http_header http_header_at(const struct http_request *request, size_t index);
/* text of the peer's IP address */
const char *http_client_address(const struct http_request *request);
/* gathered; NUL-terminated; "" if none */
const char *http_body_data(const struct http_request *request);
size_t http_body_size(const struct http_request *request);
/* moves the gathered body out */
void http_body_steal(struct http_request *request, struct buffer *ret_body);

/* the handler's own state */
void http_request_set_user(struct http_request *request, void *user);
void *http_request_user(const struct http_request *request);
void http_request_resume_body(struct http_request *request);

/* ---- answering ------------------------------------------------------------------------------- */

struct http_answer {
    unsigned status;
    /* copied; content-length, connection, date are the server's */
    const struct http_header *headers;
    size_t header_count;
    /* or/and "name: value\r\n" lines, header_block_size bytes, already checked */
    const char *header_block;
    size_t header_block_size;
    struct buffer *body;   /* taken over (left empty); NULL: none */
    const char *body_copy; /* or bytes to copy */
    size_t body_copy_size;
    /* or a descriptor, closed by the server; -1: none. 0 is not special: always set it */
    int file;
    uint64_t file_offset, file_size;
};

/*
 * Answers. Exactly once a request (a second time aborts), unless on_end came first. A status
 * outside 200..999 becomes 500. HEAD drops the body but keeps its length. A header with CR, LF or
 * NUL is left out. The heads of request and answer share head_bytes: an answer with more headers
 * than fit becomes a plain 500; an error without header_block keeps its status, body and content
 * type.
 */
void http_answer(struct http_request *request, const struct http_answer *answer);

#endif
