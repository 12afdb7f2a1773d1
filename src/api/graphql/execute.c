#include "graphql/execute.h"

#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "mem.h"
#include "text.h"

enum { ANSWER_BYTES = 256 << 20, LOOP_ANSWER_BYTES = 64 << 10 };

struct gql_run *gql_run_of(struct call *call)
{
    if (call->files_state == NULL) {
        struct gql_run *run = xcalloc(1, sizeof(*run));
        run->call = call;
        buffer_init(&run->data, ANSWER_BYTES);
        call->files_state = run;
    }
    return call->files_state;
}

void gql_run_release(struct call *call)
{
    struct gql_run *run = call->files_state;

    if (run == NULL)
        return;
    for (size_t i = 0; i < run->count; i++)
        gql_request_release(&run->requests[i]);
    buffer_release(&run->data);
    buffer_release(&run->answer);
    call->files_state = NULL;
    free(run);
}

/* ---- one root field -------------------------------------------------------------------------- */

static void go_on(struct gql_run *run);

static void step_done(struct gql_run *run)
{
    buffer_release(&run->answer);
    run->step = run->step->next;
    go_on(run);
}

static void refuse_step(struct gql_run *run, const char *message)
{
    struct gql_error *error = gql_add_error(&run->requests[run->at].errors,
                                            run->step->selection->at, message);

    error->path = run->step->key;
    buffer_add_text(&run->data, "null");
}

static void shape_answer(struct gql_run *run)
{
    struct gql_step *step = run->step;
    json_t *value = NULL;

    if (run->answer.size > 0)
        value = json_loadb(run->answer.data, run->answer.size, JSON_ALLOW_NUL, NULL);
    else if (text_equals(step->field->type, "None"))
        value = json_pack("{s:s}", "status", "OK");
    else
        value = json_object(); /* an older way of the endpoint, without a document */
    if (run->status >= 400) {
        const char *message = json_string_value(json_object_get(value, "message"));
        refuse_step(run, message == NULL ? "Server Error" : message);
    } else {
        gql_shape(&run->data, step, value);
    }
    json_decref(value);
}

static int shape_in_lane(struct call *call, struct error *err)
{
    (void)err;
    shape_answer(gql_run_of(call));
    return 0;
}

static int tell_in_lane(struct call *call, struct error *err)
{
    struct gql_run *run = gql_run_of(call);
    auto_buffer struct buffer told = { 0 };

    (void)err;
    buffer_init(&told, GQL_TOLD_BYTES);
    gql_tell(call->api->graphql, &told, run->step);
    if (told.overflowed)
        refuse_step(run, "The answer about the schema is too large.");
    else
        buffer_add(&run->data, told.data, told.size);
    return 0;
}

static void lane_done(struct call *call, int status)
{
    (void)status;
    step_done(gql_run_of(call));
}

static void inner_done(void *context)
{
    struct gql_run *run = context;

    if (run->answer.size > LOOP_ANSWER_BYTES) {
        exchange_lane(run->call->inside, shape_in_lane, lane_done);
        return;
    }
    shape_answer(run);
    step_done(run);
}

/* Goes on in a turn of its own: the inner call is not at its end yet. */
static void deliver(struct call_inside *inner, const struct http_answer *answer)
{
    struct gql_run *run = inner->deliver_context;

    run->status = answer->status;
    if (answer->body != NULL) {
        run->answer = *answer->body;
        *answer->body = (struct buffer){ 0 };
    }
    loop_post(run->call->api->loop, inner_done, run);
}

static void hand_over_file(struct gql_run *run, struct call *inner, const json_t *value)
{
    const char *name = json_string_value(json_object_get(value, GQL_FILE_MEMBER));

    for (struct gql_upload *upload = run->uploads; upload != NULL; upload = upload->next)
        if (text_equals(upload->name, name))
            inner->files_state = steal(upload->state);
}

static void start_inner(struct gql_run *run)
{
    const struct gql_field *field = run->step->field;
    json_t *input = run->step->arguments == NULL ? json_object() : json_copy(run->step->arguments);
    struct call_inside *inner = exchange_new_inner(run->call, field->endpoint, input);

    if (field->endpoint->files != NULL)
        hand_over_file(run, &inner->call, json_object_get(input, "code"));
    inner->call.alias = field->alias;
    inner->deliver = deliver;
    inner->deliver_context = run;
    exchange_go_inner(inner, run->call);
}

/* ---- one request after the other ------------------------------------------------------------- */

static void open_request(struct gql_run *run)
{
    buffer_reset(&run->data);
    buffer_add_char(&run->data, '{');
    run->step = run->at < run->count ? run->requests[run->at].steps : NULL;
}

static void close_request(struct gql_run *run)
{
    const struct gql_request *request = &run->requests[run->at];
    struct buffer *out = &run->call->inside->answer;
    bool has_data = request->is_ready;

    buffer_add_char(&run->data, '}');
    buffer_add_text(out, run->at > 0 ? ",{" : "{");
    if (request->errors.first != NULL) {
        buffer_add_text(out, "\"errors\":");
        gql_write_errors(out, &request->errors);
        buffer_add_text(out, has_data ? "," : "");
    }
    if (has_data) {
        buffer_add_text(out, "\"data\":");
        buffer_add(out, run->data.data, run->data.size);
    }
    buffer_add_char(out, '}');
    run->at++;
}

static void finish(struct gql_run *run)
{
    struct call *call = run->call;
    struct error err;

    if (run->is_batch)
        buffer_add_char(&call->inside->answer, ']');
    if (run->data.overflowed || call->inside->answer.overflowed) {
        fail(&err, ERROR_INTERNAL, "%s: the answer could not be written in full",
             call->endpoint->id);
        call_fail(call, &err);
        return;
    }
    call_finish(call);
}

/* Nobody reads the answer, and nothing else would come of it. */
static bool is_in_vain(const struct gql_run *run)
{
    return call_client_left(run->call) && run->requests[run->at].operation->kind == GQL_QUERY;
}

static void go_on(struct gql_run *run)
{
    while (run->at < run->count) {
        struct gql_step *step = run->step;
        if (step == NULL) {
            close_request(run);
            open_request(run);
            continue;
        }
        json_text_key(&run->data, step->key);
        if (step->field == NULL) {
            json_text_string(&run->data, step->on->name, strlen(step->on->name));
            run->step = step->next;
        } else if (is_in_vain(run)) {
            buffer_add_text(&run->data, "null");
            run->step = step->next;
        } else if (step->field->endpoint == NULL) {
            exchange_lane(run->call->inside, tell_in_lane, lane_done);
            return;
        } else {
            start_inner(run);
            return;
        }
    }
    finish(run);
}

void gql_run_begin(struct call *call)
{
    struct gql_run *run = gql_run_of(call);

    call_answer_text(call, "application/json; charset=UTF-8", run->is_batch ? "[" : "");
    open_request(run);
    go_on(run);
}
