/*
 * GET /v1/functions/templates: ready-made functions that a client may offer. Deploying one is
 * createTemplateDeployment with what its document says.
 *
 * Source: appwrite app/config/templates/function.php and
 * src/Appwrite/Platform/Modules/Functions/Http/Templates; the texts are ours.
 */
#include "templates.h"

#include <string.h>

#include "mem.h"
#include "runtimes.h"
#include "services.h"
#include "services/runtimes.h"
#include "text.h"

/* clang-format off */
#define NODE(root)   { "node", "npm install", "src/main.js", "node/" root }
#define PYTHON(root) { "python", "pip install -r requirements.txt", "src/main.py", "python/" root }
#define PHP(root)    { "php", "composer install", "src/index.php", "php/" root }
#define DART(root)   { "dart", "dart pub get", "lib/main.dart", "dart/" root }
#define RUBY(root)   { "ruby", "bundle install", "lib/main.rb", "ruby/" root }
#define DENO(root)   { "deno", "deno cache src/main.ts", "src/main.ts", "deno/" root }
#define BUN(root)    { "bun", "bun install", "src/main.ts", "bun/" root }
#define GO(root)     { "go", "", "main.go", "go/" root }
#define RUST(root)   { "rust", "", "main.rs", "rust/" root }
/* clang-format on */

#define RUNTIMES(...)  ((const struct template_runtime[]){ __VA_ARGS__, { NULL } })
#define VARIABLES(...) ((const struct template_variable[]){ __VA_ARGS__, { NULL } })
#define TEMPLATE(id_, name_, icon_, timeout_, use_case_, version_, tagline_, runtimes_, \
                 variables_, events_, scopes_)                                          \
    { .id = id_,                                                                        \
      .name = name_,                                                                    \
      .icon = icon_,                                                                    \
      .timeout = timeout_,                                                              \
      .use_case = use_case_,                                                            \
      .version = version_,                                                              \
      .tagline = tagline_,                                                              \
      .runtimes = runtimes_,                                                            \
      .variables = variables_,                                                          \
      .events = events_,                                                                \
      .scopes = scopes_ },

static const struct template_row rows[] = {
#include "templates.def"
};

void template_runtimes(const struct call *call, const struct template_row *row,
                       template_runtime_each *each, void *context)
{
    size_t count;
    const struct runtime_row *published = runtime_rows(&count);
    struct error ignored;

    for (const struct template_runtime *runtime = row->runtimes; runtime->family; runtime++)
        for (size_t i = 0; i < count; i++)
            if (strcmp(published[i].key, runtime->family) == 0 &&
                runtime_check(call, published[i].id, &ignored) == 0)
                each(context, runtime, published[i].id);
}

/* ---- list ------------------------------------------------------------------------------------ */

struct template_list {
    struct text_list runtimes;
    struct text_list useCases;
    int64_t limit;
    int64_t offset;
    bool total;
};

static const char *const *choices_use_cases(struct call *call)
{
    static const char *const words[] = { "starter",   "databases", "ai",   "messaging",
                                         "utilities", "dev-tools", "auth", NULL };

    (void)call;
    return words;
}

static const struct param list_params[] = {
    LIST(struct template_list, runtimes, .optional = true, .choices = choices_runtimes,
         .text = "Only those that run on one of these."),
    LIST(struct template_list, useCases, .optional = true, .choices = choices_use_cases,
         .text = "Only those for one of these."),
    INTEGER(struct template_list, limit, .optional = true, .min = 1, .max = 5000, .fallback = "25",
            .text = "Most that are answered."),
    INTEGER(struct template_list, offset, .optional = true, .min = 0, .max = 5000, .fallback = "0",
            .text = "How many are passed over."),
    BOOLEAN(struct template_list, total, .optional = true, .loose = true, .fallback = "true",
            .text = "Count all that match."),
    { 0 },
};

static bool has_item(const struct text_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

struct wanted {
    const struct text_list *runtimes;
    bool is_found;
};

static void look_for_runtime(void *context, const struct template_runtime *runtime, const char *id)
{
    struct wanted *wanted = context;

    (void)runtime;
    wanted->is_found = wanted->is_found || has_item(wanted->runtimes, id);
}

static bool is_wanted(const struct call *call, const struct template_list *in,
                      const struct template_row *row)
{
    struct wanted wanted = { .runtimes = &in->runtimes };

    if (in->useCases.count > 0 && !has_item(&in->useCases, row->use_case))
        return false;
    if (in->runtimes.count == 0)
        return true;
    template_runtimes(call, row, look_for_runtime, &wanted);
    return wanted.is_found;
}

static int templates_list(struct call *call, struct error *err)
{
    const struct template_list *in = call->params;
    int64_t total = 0;

    call_list_begin(call, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!is_wanted(call, in, &rows[i]))
            continue;
        if (total >= in->offset && total < in->offset + in->limit)
            call_list_row(call, &rows[i]);
        total++;
    }
    return call_list_end(call, in->total ? total : 0, err);
}

/* ---- get ------------------------------------------------------------------------------------- */

struct template_one {
    const char *templateId;
};

static const struct param one_params[] = {
    TEXT(struct template_one, templateId, .max = 128, .text = "Template ID."),
    { 0 },
};

static int templates_get(struct call *call, struct error *err)
{
    const struct template_one *in = call->params;

    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].id, in->templateId) == 0)
            return call_answer(call, &rows[i], NULL, err);
    return fail(err, ERROR_FUNCTION_TEMPLATE_NOT_FOUND, NULL);
}

const struct endpoint templates_endpoints[] = {
    { .id = "functions.listTemplates",
      .method = "GET",
      .path = "/v1/functions/templates",
      .auth = AUTH_KEY | AUTH_PUBLIC,
      .since = "1.6.0",
      .params = list_params,
      .params_size = sizeof(struct template_list),
      .answers = &model_template_function,
      .list = true,
      .status = 200,
      .summary = "List function templates.",
      .handle = templates_list },
    { .id = "functions.getTemplate",
      .method = "GET",
      .path = "/v1/functions/templates/{templateId}",
      .auth = AUTH_KEY | AUTH_PUBLIC,
      .since = "1.6.0",
      .params = one_params,
      .params_size = sizeof(struct template_one),
      .answers = &model_template_function,
      .status = 200,
      .summary = "Get a function template.",
      .handle = templates_get },
    { 0 },
};
