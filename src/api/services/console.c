/*
 * What command line clients ask a console for before they push a function. There is no console
 * here; keys may ask, too.
 *
 * Source: appwrite app/controllers/api/console.php.
 */
#include "call.h"
#include "origins.h"
#include "services.h"

struct console {
    char *functions_domain;
    char *target; /* host a name has to lead to */
    int64_t package_size;
};

static void write_true(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "true");
}

static void write_false(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "false");
}

static const struct field console_fields[] = {
    F_TEXT("_APP_DOMAIN_TARGET_CNAME", struct console, target, .text = "Host of this server."),
    F_TEXT("_APP_DOMAIN_FUNCTIONS", struct console, functions_domain,
           .text = "Suffix of function domains."),
    F_CONSTANT("_APP_DOMAIN_SITES", "", .text = "Always empty: there are no sites."),
    F_INTEGER("_APP_COMPUTE_SIZE_LIMIT", struct console, package_size,
              .text = "Bytes of the largest package."),
    F_INTEGER("_APP_FUNCTIONS_SIZE_LIMIT", struct console, package_size, .text = "Likewise."),
    F_OWN("_APP_DOMAIN_ENABLED", "boolean", write_true, .text = "Always true."),
    F_OWN("_APP_VCS_ENABLED", "boolean", write_false, .text = "Always false."),
    F_OWN("_APP_ASSISTANT_ENABLED", "boolean", write_false, .text = "Always false."),
    F_CONSTANT("_APP_USAGE_STATS", "enabled", .text = "Always enabled."),
    F_CONSTANT("_APP_OPTIONS_FORCE_HTTPS", "disabled", .text = "Always disabled."),
    { 0 },
};
const struct model model_console_variables = { "consoleVariables", NULL, console_fields };

static int console_variables(struct call *call, struct error *err)
{
    const struct settings *settings = call->api->settings;
    size_t bytes = 0;
    const char *host = origin_host(settings->public_url, &bytes);
    const struct console console = {
        .functions_domain = call_textf(call, "%s", settings->functions_domain),
        .target = bytes == 0 ? call_textf(call, "localhost")
                             : call_textf(call, "%.*s", (int)bytes, host),
        .package_size = settings->package_size,
    };

    return call_answer(call, &console, NULL, err);
}

const struct endpoint console_endpoints[] = {
    { .id = "console.variables",
      .method = "GET",
      .path = "/v1/console/variables",
      .auth = AUTH_KEY,
      .scopes = SCOPES("projects.read", "project.read", "functions.read", "functions.write"),
      .answers = &model_console_variables,
      .status = 200,
      .summary = "What clients that push functions want to know",
      .handle = console_variables },
    { 0 },
};
