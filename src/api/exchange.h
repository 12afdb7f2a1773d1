/*
 * A call's way through the server: what the frame keeps besides what a handler sees, and who does
 * what where.
 *
 *   RECEIVING --body--> IN_LANE --done--> PENDING --finish--> answered, freed
 *        \                 ^ |               ^
 *         `--small body----+-'---------------'
 *
 * A client that leaves early ends a RECEIVING call at once; one in a lane, or with a loop handler,
 * goes on to its end and only its answer is dropped.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "call.h"
#include "domain.h"

enum exchange_state { RECEIVING, IN_LANE, PENDING };

struct change {
    struct change *next;
    enum change_kind kind;
    const char *id;
    struct registry_change *read; /* NULL: not read yet, or taken over */
};

struct follow {
    struct follow *next;
    void (*run)(struct api *api, void *context);
    void *context;
};

struct stream;

struct call_inside {
    struct exchange exchange; /* first: what http_request_user() points to */
    struct call call;
    enum exchange_state state;
    struct http_request *request; /* NULL: the client left, or a test */
    bool client_left;
    bool needs_project; /* the project may still be named by the body */
    bool is_head;

    json_t *input;
    bool input_is_text;
    uint64_t given;
    struct buffer body; /* taken from the request for a lane */
    json_t **owned;     /* objects that parameters point to */
    size_t owned_count;
    struct {
        const char *name, *value;
    } path_params[ROUTER_PARAMETERS];
    size_t path_param_count;

    /* the answer */
    unsigned status;
    struct http_header headers[24];
    size_t header_count;
    struct buffer answer;
    const char *content_type;
    int file;
    uint64_t file_offset, file_bytes;
    const struct field *const *list_fields;
    bool has_answer;

    struct change *changes;
    struct unread unread; /* of changes */
    struct follow *follows;

    /* what a lane does, and how it went */
    int (*work)(struct call *call, struct error *err);
    void (*then)(struct call *call, int status); /* on the loop */
    int work_status;
    struct error err;

    struct stream *stream; /* multipart with files, as it arrives */

    /* a test, or the call this one is inside of, takes the answer here instead of the network */
    void (*deliver)(struct call_inside *inside, const struct http_answer *answer);
    void *deliver_context;

    unsigned char memory[4096]; /* last: the arena's first, not zeroed; enough for most calls */
};

/* What a request says, as the front or a test has it. All borrowed; copied. */
struct incoming {
    const char *method, *path, *query;
    const struct http_header *headers;
    size_t header_count;
    const char *peer; /* address text */
    struct origin origin;
};

struct call_inside *exchange_new(struct api *api, const struct incoming *incoming);
/* Finds the endpoint and checks who calls. -1 with err: the answer. */
int exchange_admit(struct call_inside *inside, struct error *err);
/* The whole body is there (moved out of body): parameters, handler. */
void exchange_go(struct call_inside *inside, struct buffer *body);
void exchange_client_left(struct call_inside *inside);

/*
 * A call of our own on behalf of another one: its caller, its headers, this endpoint and input (a
 * JSON object, taken over). Set deliver, then go; authentication, scopes and limits are checked as
 * for any other. deliver is called exactly once, maybe before exchange_go_inner() returns.
 */
struct call_inside *exchange_new_inner(const struct call *outer, const struct endpoint *endpoint,
                                       json_t *input);
void exchange_go_inner(struct call_inside *inside, const struct call *outer);

/* Runs work in a lane, then then() on the loop. False: no room, the call has been answered 503. */
bool exchange_lane(struct call_inside *inside, int (*work)(struct call *call, struct error *err),
                   void (*then)(struct call *call, int status));
/* A lane handler's way: parameters from the input, handle. */
int exchange_handle(struct call *call, struct error *err);
void exchange_handled(struct call *call, int status);

/* Sends what was filled in, or the error, and frees the call. */
void exchange_answer(struct call_inside *inside);
void exchange_fail(struct call_inside *inside, const struct error *err);
/* -1 with the 413 that names the limit (bytes) and the setting it comes from; NULL: none. */
int exchange_too_large(uint64_t limit, const char *setting, struct error *err);
void exchange_free(struct call_inside *inside);

/* stream.c: multipart bodies whose files go to the endpoint as they arrive. */
bool stream_begin(struct call_inside *inside, struct error *err); /* is this body one? */
bool stream_data(struct exchange *exchange, struct http_request *request, const char *data,
                 size_t bytes);
void stream_complete(struct exchange *exchange, struct http_request *request);
void stream_free(struct call_inside *inside);

#endif
