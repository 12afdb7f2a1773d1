/*
 * The endpoints of GraphQL: what a request may look like, and its files.
 *
 * Source: appwrite app/controllers/api/graphql.php; graphql-multipart-request-spec for `operations`
 * and `map`.
 */
#include <stdlib.h>
#include <string.h>

#include "graphql/execute.h"
#include "input.h"
#include "json_depth.h"
#include "mem.h"
#include "services.h"
#include "services/upload.h"
#include "text.h"

enum { BODY_BYTES = 16 << 20, PLAIN_BYTES = 1 << 20, FILES_MOST = 10 };

/* ---- files ----------------------------------------------------------------------------------- */

/*
 * Every file is received as the package of a deployment is. It waits here until a field takes it;
 * what no field takes goes with the call.
 */
static struct gql_upload *last_upload(struct gql_run *run)
{
    struct gql_upload *upload = run->uploads;

    while (upload != NULL && upload->next != NULL)
        upload = upload->next;
    return upload;
}

static struct gql_upload *add_upload(struct gql_run *run, const char *name)
{
    struct gql_upload *upload = xcalloc(1, sizeof(*upload)), *last = last_upload(run);

    upload->name = xstrdup(name);
    if (last == NULL)
        run->uploads = upload;
    else
        last->next = upload;
    return upload;
}

static int file_begin(struct call *call, const struct multipart_part *part, struct error *err)
{
    struct gql_run *run = gql_run_of(call);
    struct multipart_part code = { .name = "code",
                                   .file_name = part->file_name,
                                   .content_type = part->content_type };
    size_t count = 0;

    if (!call_is_key(call))
        return fail(err, ERROR_USER_UNAUTHORIZED, NULL);
    for (const struct gql_upload *at = run->uploads; at != NULL; at = at->next)
        count++;
    if (count == FILES_MOST)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "More than %d files.", FILES_MOST);
    struct gql_upload *upload = run->receiving = add_upload(run, part->name);
    call->files_state = NULL;
    int status = upload_files.begin(call, &code, err);
    upload->state = call->files_state;
    call->files_state = run;
    return status;
}

static int file_data(struct call *call, const char *data, size_t bytes, struct error *err)
{
    struct gql_run *run = gql_run_of(call);

    call->files_state = run->receiving->state;
    int status = upload_files.data(call, data, bytes, err);
    call->files_state = run;
    return status;
}

static int file_end(struct call *call, struct error *err)
{
    struct gql_run *run = gql_run_of(call);

    call->files_state = run->receiving->state;
    int status = upload_files.end(call, err);
    call->files_state = run;
    return status;
}

static void files_release(struct call *call)
{
    struct gql_run *run = call->files_state;

    while (run != NULL && run->uploads != NULL) {
        struct gql_upload *upload = run->uploads;
        run->uploads = upload->next;
        call->files_state = upload->state;
        upload_files.release(call);
        free(upload->name);
        free(upload);
    }
    call->files_state = run;
    gql_run_release(call);
}

static uint64_t files_limit(const struct call *call)
{
    return call_is_key(call) ? upload_files.limit(call) : PLAIN_BYTES;
}

static const struct endpoint_files files = {
    .begin = file_begin,
    .data = file_data,
    .end = file_end,
    .release = files_release,
    .limit = files_limit,
};

/* ---- multipart ------------------------------------------------------------------------------- */

static json_t *read_text(const json_t *text)
{
    const char *reason;

    return json_is_string(text)
               ? json_read(json_string_value(text), json_string_length(text), &reason)
               : NULL;
}

/* Puts a file where the path says: variables.code, 0.variables.code. */
static int map_file(json_t *operations, const char *path, const char *name, struct error *err)
{
    auto_free char *steps = xstrdup(path);
    char *step = steps, *dot;
    json_t *at = operations, *file = json_pack("{s:s}", GQL_FILE_MEMBER, name);
    int64_t index = 0;
    int status = -1;

    for (; (dot = strchr(step, '.')) != NULL; step = dot + 1) {
        *dot = '\0';
        if (json_is_array(at) && text_to_int(step, &index) == 0 && index >= 0)
            at = json_array_get(at, (size_t)index);
        else
            at = json_object_get(at, step);
    }
    if (file != NULL && json_is_object(at))
        status = json_object_set(at, step, file);
    else if (file != NULL && json_is_array(at) && text_to_int(step, &index) == 0 && index >= 0)
        status = json_array_set(at, (size_t)index, file);
    json_decref(file);
    if (status < 0)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "Nothing is at \"%.100s\" of operations.",
                    path);
    return 0;
}

static int read_multipart(struct call *call, json_t **ret_document, struct error *err)
{
    json_t *input = call->inside->input;
    json_t *operations = read_text(json_object_get(input, "operations"));
    json_t *map = read_text(json_object_get(input, "map")), *paths, *path;
    const char *name;
    size_t i;

    if (json_object_get(input, "operations") == NULL) { /* a form that came in parts */
        json_decref(map);
        *ret_document = json_incref(input);
        return 0;
    }
    int status = operations == NULL ? fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                                           "The part \"operations\" is no JSON.")
                                    : 0;
    json_object_foreach(map, name, paths)
    {
        json_array_foreach(paths, i, path)
        {
            if (status == 0 && json_is_string(path))
                status = map_file(operations, json_string_value(path), name, err);
        }
    }
    json_decref(map);
    if (status < 0)
        json_decref(operations);
    else
        *ret_document = operations;
    return status;
}

/* ---- the other forms ------------------------------------------------------------------------- */

struct query_input {
    const char *query;
    const char *operationName;
    json_t *variables;
};

static const struct param query_params[] = {
    TEXT(struct query_input, query, .optional = true, .text = "The query to execute."),
    TEXT(struct query_input, operationName, .optional = true, .empty = true,
         .text = "Which of its operations, if there are several."),
    OBJECT(struct query_input, variables, .optional = true, .text = "Values of its variables."),
    { 0 },
};

/* For the documents: the body is read here. */
struct body_input {
    json_t *query;
};

static const struct param body_params[] = {
    OBJECT(struct body_input, query, .optional = true, .text = "The query or queries to execute."),
    { 0 },
};

static json_t *document_of_query(const struct query_input *in)
{
    json_t *document = json_object();

    if (in->query != NULL)
        json_object_set_new(document, "query", json_string(in->query));
    if (in->operationName != NULL)
        json_object_set_new(document, "operationName", json_string(in->operationName));
    if (in->variables != NULL)
        json_object_set(document, "variables", in->variables);
    return document;
}

static int read_json(const char *body, size_t bytes, json_t **ret_document, struct error *err)
{
    const char *reason = "";

    if (bytes == 0)
        return fail(err, ERROR_GRAPHQL_NO_QUERY, NULL);
    json_t *document = json_read(body, bytes, &reason);
    if (document == NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "The body is no JSON: %s", reason);
    *ret_document = document;
    return 0;
}

/* Whatever came as {"query":...}, or a list of such. New reference. */
static int read_document(struct call *call, json_t **ret_document, struct error *err)
{
    const char *type = call_header(call, "content-type");
    const char *body = call->inside->body.data == NULL ? "" : call->inside->body.data;
    size_t bytes = call->inside->body.size;

    if (strcmp(call->endpoint->method, "GET") == 0) {
        *ret_document = document_of_query(call->params);
        return 0;
    }
    if (text_starts_nocase(type == NULL ? "" : type, "application/graphql")) {
        *ret_document = json_pack("{s:o?}", "query", json_stringn(body, bytes));
        return *ret_document == NULL ? fail(err, ERROR_GRAPHQL_NO_QUERY, NULL) : 0;
    }
    switch (input_form_of(type)) {
    case INPUT_MULTIPART:
        return read_multipart(call, ret_document, err);
    case INPUT_FORM:
        return input_from_body(type, body, bytes, ret_document, err);
    case INPUT_JSON:
    case INPUT_NONE:
        break;
    }
    return read_json(body, bytes, ret_document, err);
}

/* ---- requests -------------------------------------------------------------------------------- */

static int read_variables(struct call *call, json_t *value, json_t **ret_variables,
                          struct error *err)
{
    bool is_none = value == NULL || json_is_null(value) ||
                   (json_is_array(value) && json_array_size(value) == 0) ||
                   (json_is_string(value) && json_string_length(value) == 0);
    json_t *variables = json_is_string(value) && !is_none ? read_text(value) : json_incref(value);

    if (is_none) {
        json_decref(variables);
        return 0;
    }
    if (!json_is_object(variables)) {
        json_decref(variables);
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `variables` param: Value must be a valid object");
    }
    call_own_json(call, variables);
    *ret_variables = variables;
    return 0;
}

static int read_request(struct call *call, const json_t *document, struct gql_request *request,
                        struct error *err)
{
    const json_t *query = json_object_get(document, "query");

    if (!json_is_string(query) || json_string_length(query) == 0)
        return fail(err, ERROR_GRAPHQL_NO_QUERY, NULL);
    request->text = json_string_value(query);
    request->bytes = json_string_length(query);
    request->operation_name = json_string_value(json_object_get(document, "operationName"));
    return read_variables(call, json_object_get(document, "variables"), &request->given, err);
}

/* Clients of SDKs put the whole request into `query`. */
static json_t *inner_document(json_t *document)
{
    json_t *query = json_object_get(document, "query");

    return json_is_object(query) || json_is_array(query) ? query : document;
}

static int read_requests(struct call *call, json_t *document, struct error *err)
{
    struct gql_run *run = gql_run_of(call);
    size_t count = json_is_array(document) ? json_array_size(document) : 1;

    if (count == 0)
        return fail(err, ERROR_GRAPHQL_NO_QUERY, NULL);
    if (count > (size_t)call->api->settings->graphql_batch)
        return fail(err, ERROR_GRAPHQL_TOO_MANY_QUERIES, NULL);
    run->requests = call_alloc(call, count * sizeof(*run->requests));
    run->is_batch = count > 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(document) ? json_array_get(document, i) : document;
        if (read_request(call, one, &run->requests[i], err) < 0)
            return -1;
        run->count++;
    }
    return 0;
}

static int refuse_mutation(struct call *call, struct error *err)
{
    call_answer_header(call, "Allow", "POST");
    return fail(err, ERROR_GRAPHQL_METHOD_UNSUPPORTED, NULL);
}

/* Lane: everything up to the first field. */
static int graphql_read(struct call *call, struct error *err)
{
    const struct settings *settings = call->api->settings;
    struct gql_limits limits = { .complexity = (uint64_t)settings->graphql_complexity,
                                 .depth = (uint64_t)settings->graphql_depth,
                                 .introspection = settings->graphql_introspection };
    json_t *document = NULL;

    if (read_document(call, &document, err) < 0)
        return -1;
    call_own_json(call, document);
    if (read_requests(call, inner_document(document), err) < 0)
        return -1;
    struct gql_run *run = gql_run_of(call);
    bool is_get = strcmp(call->endpoint->method, "GET") == 0;
    for (size_t i = 0; i < run->count; i++) {
        struct gql_request *request = &run->requests[i];
        request->is_ready = gql_prepare(&call->arena, call->api->graphql, &limits, request);
        if (is_get && request->operation != NULL && request->operation->kind != GQL_QUERY)
            return refuse_mutation(call, err);
    }
    return 0;
}

#define GRAPHQL                                                                                   \
    .auth = AUTH_KEY | AUTH_CLIENT, .scopes = SCOPES("graphql"), .since = "1.2.0", .status = 200, \
    .bytes_type = "application/json", .limit = { RATE(rate_graphql, 60) }, .files = &files,       \
    .handle = graphql_read, .begin = gql_run_begin
#define GRAPHQL_BODY                                                                   \
    .method = "POST", .params = body_params, .params_size = sizeof(struct body_input), \
    .body = BODY_FILES, .body_limit = BODY_BYTES, .raw_body = true

const struct endpoint graphql_endpoints[] = {
    { .id = "graphql.query",
      .path = "/v1/graphql",
      GRAPHQL,
      GRAPHQL_BODY,
      .summary = "Execute GraphQL queries or mutations." },
    { .id = "graphql.mutation",
      .path = "/v1/graphql/mutation",
      GRAPHQL,
      GRAPHQL_BODY,
      .summary = "Execute GraphQL queries or mutations." },
    { .id = "graphql.get",
      .method = "GET",
      .path = "/v1/graphql",
      GRAPHQL,
      .params = query_params,
      .params_size = sizeof(struct query_input),
      .summary = "Execute a GraphQL query." },
    { 0 },
};
