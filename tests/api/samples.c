#include "samples.h"

#include "health.h"
#include "locale_models.h"
#include "runtimes.h"
#include "services/templates.h"
#include "services/usage.h"
#include "store.h"
#include "tables.h"
#include "token.h"

/* Entities own their texts; these are never changed nor freed. */
#define T(name_, text_) static char name_[] = text_
T(word, "word");
T(empty, "");
T(project, "default");
T(list, "[\"any\"]");
T(headers, "[{\"name\":\"content-type\",\"value\":\"text/plain\"}]");
T(schedule, "0 * * * *");
T(function_id, "shown"); /* has a variable: test_models.c */
T(completed, "completed");
T(ready, "ready");
T(created, "created");

enum { SOME_DATE = 1700000000 };
#define DATES .created_at = SOME_DATE * INT64_C(1000000), .updated_at = SOME_DATE * INT64_C(1000000)

static const struct function function = {
    .project_id = project,
    .id = function_id,
    .name = word,
    .runtime = word,
    .execute = list,
    .events = list,
    .schedule = schedule,
    .timeout = 15,
    .enabled = true,
    .logging = true,
    .live = true,
    .entrypoint = word,
    .commands = word,
    .scopes = list,
    .version = word,
    .installation_id = word,
    .provider_repository_id = word,
    .provider_branch = word,
    .provider_root_directory = word,
    .provider_branches = list,
    .provider_paths = list,
    .build_specification = word,
    .runtime_specification = word,
    .deployment_retention = 3,
    .deployment_id = word,
    .deployment_created_at = SOME_DATE * INT64_C(1000000),
    .latest_deployment_id = word,
    .latest_deployment_created_at = SOME_DATE * INT64_C(1000000),
    .latest_deployment_status = ready,
    DATES,
};
static const struct function bare_function = { .project_id = project, .id = empty };

static const struct variable variable = {
    .project_id = project,
    .function_id = function_id,
    .id = word,
    .key = word,
    .value = word,
    DATES,
};
static const struct variable bare_variable = {
    .project_id = project,
    .function_id = empty,
    .value = word,
    .secret = true,
};

static const struct deployment deployment = {
    .project_id = project,
    .function_id = function_id,
    .id = word,
    .type = word,
    .status = ready,
    .entrypoint = word,
    .activate = true,
    .source_size = 2,
    .build_size = 3,
    .build_logs = word,
    .build_duration = 4,
    .build_started_at = SOME_DATE * INT64_C(1000000),
    .provider_repository_name = word,
    .provider_commit_hash = word,
    DATES,
};
static const struct deployment bare_deployment = { .status = empty };
static const struct deployment_extra deployment_extra = { 2, 1 };

static const struct execution execution = {
    .seq = SOME_DATE * INT64_C(1000000),
    .id = "0123456789abcdef0123",
    .function_id = function_id,
    .deployment_id = word,
    .user_id = word,
    .trigger = word,
    .status = completed,
    .request_method = word,
    .request_path = word,
    .request_headers = headers,
    .response_status = 404,
    .response_headers = headers,
    .logs = word,
    .errors = word,
    .duration = 0.5,
    .scheduled_at = SOME_DATE * INT64_C(1000000),
    .updated_at = SOME_DATE * INT64_C(1000000),
};
static const struct execution bare_execution = { .status = completed };
static const struct execution_extra execution_extra = { "body", 4, headers };

static const struct rule rule = {
    .id = word,
    .domain = word,
    .type = word,
    .trigger = word,
    .function_id = function_id,
    .deployment_id = word,
    .branch = word,
    .redirect_url = word,
    .redirect_status = 301,
    .status = created,
    DATES,
};
static const struct rule bare_rule = { .function_id = empty, .status = created };

static const struct runtime_row runtime = { "node-22", "node",     "Node.js",   "22", "base",
                                            "image:1", "node.png", "[\"x86\"]", false };
static const struct specification specification = { "s-0.5vcpu-512mb", 512, 500 };

static const struct template_runtime template_runtimes_of[] = {
    { "node", "npm install", "src/main.js", "node/starter" },
    { "python", "pip install -r requirements.txt", "src/main.py", "python/starter" },
    { NULL },
};
static const struct template_variable template_variables[] = {
    { "NAME", "What it is for.", "", "abc", "text", true, true },
    { NULL },
};
static const struct template_row template = {
    .id = "starter",
    .name = "Starter",
    .icon = "icon",
    .timeout = 15,
    .use_case = "starter",
    .version = "0.3.*",
    .tagline = "Begins.",
    .runtimes = template_runtimes_of,
    .variables = template_variables,
    .events = list,
    .scopes = list,
};

static const struct usage usage = {
    .range = word,
    .count = 2,
    .begin_us = SOME_DATE * INT64_C(1000000),
    .step_us = INT64_C(3600000000),
};

static const struct health_status health_status = { "db", 1, "pass", "{\"profile\":\"full\"}" };
static const struct health_queue health_queue = { 3 };
static const struct health_time health_time = { SOME_DATE, SOME_DATE, 0 };
static const struct health_certificate health_certificate = { word, word, word, word, word, word };

static const struct caller_place place = {
    "127.0.0.1", "AT", "Austria", "EU", "Europe", "EUR", true,
};
static const struct named_code code = { "de", "German" };
static const struct phone_code phone = { "+43", "AT", "Austria" };

/* A jwt's entity is its text, and so is the version's. */
static const char text_here[] = "2.0.0";

const struct sample samples[] = {
    { "function", &model_function, &function, &bare_function },
    { "variable", &model_variable, &variable, &bare_variable },
    { "deployment", &model_deployment, &deployment, &bare_deployment },
    { "deployment", &model_deployment, &deployment, NULL, .extra = &deployment_extra },
    { "build", &model_build, &deployment, &bare_deployment },
    { "execution", &model_execution, &execution, &bare_execution },
    { "execution", &model_execution, &execution, NULL, .extra = &execution_extra },
    { "proxyRule", &model_rule, &rule, &bare_rule },
    { "runtime", &model_runtime, &runtime },
    { "specification", &model_specification, &specification },
    { "templateFunction", &model_template_function, &template },
    { "templateVariable", &model_template_variable, template_variables },
    { "usageFunctions", &model_usage_old, &usage, .below = "1.5.0" },
    { "usageFunctions", &model_usage_functions, &usage, .from = "1.5.0" },
    { "usageFunction", &model_usage_function, &usage },
    { "healthStatus", &model_health_status, &health_status },
    { "healthStatus", &model_health_report, &health_status },
    { "healthQueue", &model_health_queue, &health_queue },
    { "healthTime", &model_health_time, &health_time },
    { "healthAntivirus", &model_health_antivirus, &health_queue },
    { "healthCertificate", &model_health_certificate, &health_certificate },
    { "locale", &model_locale, &place },
    { "localeCode", &model_locale_code, &code },
    { "country", &model_country, &code },
    { "continent", &model_continent, &code },
    { "phone", &model_phone, &phone },
    { "currency", &model_currency, &locale_currencies[0] },
    { "language", &model_language, &locale_languages[0] },
    { "jwt", &model_jwt, text_here },
    { 0 },
};
