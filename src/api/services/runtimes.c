/* What functions can run on: runtimes and specifications. */
#include <string.h>

#include "call.h"
#include "services.h"
#include "services/runtimes.h"
#include "text.h"

static bool is_listed(const char *list, const char *word)
{
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length == strlen(word) && strncmp(at, word, length) == 0)
            return true;
        at += length;
    }
    return false;
}

int runtime_check(const struct call *call, const char *id, struct error *err)
{
    const struct settings *settings = call->api->settings;
    const struct interpreter *interpreter;
    bool is_exact;

    if (!text_is_empty(settings->runtimes) && !is_listed(settings->runtimes, id))
        return fail(err, ERROR_FUNCTION_RUNTIME_UNSUPPORTED, "Runtime \"%s\" is not supported", id);
    return runtimes_resolve(call->api->runtimes, id, settings->runtime_substitute, &interpreter,
                            &is_exact, err);
}

static int runtimes_list(struct call *call, struct error *err)
{
    size_t count;
    const struct runtime_row *rows = runtime_rows(&count);
    int64_t total = 0;

    call_list_begin(call, NULL);
    for (size_t i = 0; i < count; i++)
        if (runtimes_has(call->api->runtimes, &rows[i])) {
            call_list_row(call, &rows[i]);
            total++;
        }
    return call_list_end(call, total, err);
}

struct specification_list {
    const char *type;
};

static const char *const *choices_type(struct call *call)
{
    static const char *const types[] = { "runtimes", "builds", NULL };

    (void)call;
    return types;
}

static const struct param specification_params[] = {
    TEXT(struct specification_list, type, .optional = true, .choices = choices_type,
         .fallback = "runtimes", .text = "Of workers or of builds; they are the same."),
    { 0 },
};

static int specifications_list(struct call *call, struct error *err)
{
    size_t count;
    const struct specification *rows = specifications(&count);

    call_list_begin(call, NULL);
    for (size_t i = 0; i < count; i++)
        call_list_row(call, &rows[i]);
    return call_list_end(call, (int64_t)count, err);
}

const struct endpoint runtimes_endpoints[] = {
    { .id = "functions.listRuntimes",
      .method = "GET",
      .path = "/v1/functions/runtimes",
      .auth = AUTH_KEY | AUTH_PUBLIC,
      .answers = &model_runtime,
      .list = true,
      .status = 200,
      .summary = "List runtimes",
      .handle = runtimes_list },
    { .id = "functions.listSpecifications",
      .method = "GET",
      .path = "/v1/functions/specifications",
      .auth = AUTH_KEY,
      .scopes = SCOPES("functions.read"),
      .since = "1.6.0",
      .params = specification_params,
      .params_size = sizeof(struct specification_list),
      .answers = &model_specification,
      .list = true,
      .status = 200,
      .summary = "List specifications",
      .handle = specifications_list },
    { 0 },
};
