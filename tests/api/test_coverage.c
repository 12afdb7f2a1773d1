/*
 * A request for every row there is: endpoints, parameters, errors, models. A row that nothing here
 * reaches fails the test. Errors that only a running function, a build or another host can cause
 * are listed with the test that sees them, which must speak of them.
 */
#include "coverage.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog.h"
#include "clock.h"
#include "fd.h"
#include "health.h"
#include "mem.h"

#define F         "/v1/functions"
#define MULTIPART "content-type: multipart/form-data; boundary=B"
#define PART(disposition, content) \
    "--B\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" content "\r\n"
#define ACTIVATE              PART("name=\"activate\"", "true")
#define FILE_OF(name_, bytes) PART("name=\"code\"; filename=\"" name_ "\"", bytes)
#define END                   "--B--\r\n"

enum { ANY = 0 };

static const struct request {
    const char *method, *target, *headers, *body;
    unsigned status;
} requests[] = {
    { "POST", F, NULL, "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"}", 201 },
    { "POST", F, NULL, "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"}", 409 },
    { "POST", F, NULL, "{\"functionId\":\"g\",\"name\":\"n\",\"runtime\":\"swift-5.5\"}", 404 },
    { "POST", F, NULL,
      "{\"functionId\":\"g\",\"name\":\"n\",\"runtime\":\"node-22\",\"installationId\":\"i\"}",
      404 },
    { "POST", F, NULL, "{}", 400 },
    { "POST", F, GUEST, "{}", 401 },
    { "POST", F, "x-appwrite-key: unknown", "{}", 401 },
    { "POST", F, "x-appwrite-key: dynamic_a.b.c", "{}", 401 },
    { "POST", F, "x-appwrite-project: none", "{}", 404 },
    { "POST", F, "x-appwrite-project: console", "{}", 401 },
    { "GET", "/v1/nothing", NULL, "", 404 },
    { "GET", F, NULL, "", 200 },
    { "GET", F "?queries[0]=x", "x-appwrite-response-format: 1.4.0", "", 400 },
    { "GET", F "?queries[0]=%7B%22method%22:%22cursorAfter%22,%22values%22:%5B%22no%22%5D%7D", NULL,
      "", 400 },
    { "GET", F "/f", NULL, "", 200 },
    { "PUT", F "/f", NULL, "{\"name\":\"m\"}", 200 },
    { "GET", F "/none", NULL, "", 404 },
    { "GET", F "/runtimes", NULL, "", 200 },
    { "GET", F "/specifications", NULL, "", 200 },
    { "PATCH", F "/f/deployment", NULL, "{\"deploymentId\":\"none\"}", 404 },
    { "GET", F "/templates", GUEST, "", 200 },
    { "GET", F "/templates/starter", GUEST, "", 200 },
    { "GET", F "/templates/none", GUEST, "", 404 },

    { "POST", F "/f/variables", NULL, "{\"variableId\":\"v\",\"key\":\"K\",\"value\":\"1\"}", 201 },
    { "POST", F "/f/variables", NULL, "{\"variableId\":\"w\",\"key\":\"K\",\"value\":\"1\"}", 409 },
    { "GET", F "/f/variables", NULL, "", 200 },
    { "GET", F "/f/variables/v", NULL, "", 200 },
    { "GET", F "/f/variables/none", NULL, "", 404 },
    { "PUT", F "/f/variables/v", NULL, "{\"secret\":false}", 400 },
    { "PUT", F "/f/variables/v", NULL, "{\"value\":\"2\"}", 200 },
    { "DELETE", F "/f/variables/v", NULL, "{}", 204 },
    { "POST", "/v1/project/variables", NULL, "{\"variableId\":\"v\",\"key\":\"K\",\"value\":\"1\"}",
      201 },
    { "GET", "/v1/project/variables", NULL, "", 200 },
    { "GET", "/v1/project/variables/v", NULL, "", 200 },
    { "PUT", "/v1/project/variables/v", NULL, "{\"key\":\"L\"}", 200 },
    { "DELETE", "/v1/project/variables/v", NULL, "{}", 204 },

    { "POST", F "/f/deployments", MULTIPART, ACTIVATE END, 404 },
    { "GET", F "/f/deployments", NULL, "", 200 },
    { "GET", F "/f/deployments/none", NULL, "", 404 },
    { "DELETE", F "/f/deployments/none", NULL, "{}", 404 },
    { "POST", F "/f/deployments/duplicate", NULL, "{\"deploymentId\":\"none\"}", 404 },
    { "PATCH", F "/f/deployments/none/status", NULL, "{}", 404 },
    { "PATCH", F "/f/deployments/none/build", NULL, "{}", 404 },
    { "GET", F "/f/deployments/none/download", NULL, "", 404 },
    { "POST", F "/f/deployments/template", NULL,
      "{\"owner\":\"o\",\"repository\":\"r\",\"rootDirectory\":\"\",\"type\":\"tag\","
      "\"reference\":\"1\"}",
      404 },
    { "POST", F "/f/deployments/vcs", NULL, "{\"type\":\"branch\",\"reference\":\"main\"}", 404 },

    { "POST", F "/none/executions", NULL, "{}", 404 },
    { "GET", F "/f/executions", NULL, "", 200 },
    { "GET", F "/f/executions/none", NULL, "", 404 },
    { "DELETE", F "/f/executions/none", NULL, "{}", 404 },

    { "GET", "/v1/health", NULL, "", 200 },
    { "GET", "/v1/health/db", NULL, "", 200 },
    { "GET", "/v1/health/geo", NULL, "", 403 },
    { "GET", "/v1/locale", GUEST, "", 200 },
    { "GET", "/v1/locale/codes", GUEST, "", 200 },
    { "GET", "/v1/locale/continents", GUEST, "", 200 },
    { "GET", "/v1/locale/countries", GUEST, "", 200 },
    { "GET", "/v1/locale/countries/eu", GUEST, "", 200 },
    { "GET", "/v1/locale/countries/phones", GUEST, "", 200 },
    { "GET", "/v1/locale/currencies", GUEST, "", 200 },
    { "GET", "/v1/locale/languages", GUEST, "", 200 },
    { "GET", "/v1/health/version", GUEST, "", 200 },
    { "GET", "/v1/health/db", "x-appwrite-response-format: 1.3.0", "", 200 },
    { "GET", "/v1/health/cache", NULL, "", 403 },
    { "GET", "/v1/health/pubsub", NULL, "", 403 },
    { "GET", "/v1/health/queue", NULL, "", 200 },
    { "GET", "/v1/health/storage", NULL, "", 200 },
    { "GET", "/v1/health/storage/local", NULL, "", 200 },
    { "GET", "/v1/health/anti-virus", NULL, "", 200 },
    { "GET", "/v1/health/time", NULL, "", ANY }, /* as the host is */
    { "GET", "/v1/health/certificate?domain=name.invalid", NULL, "", 404 },
    { "GET", "/v1/health/queue/functions?threshold=0", NULL, "", 503 },
    { "GET", "/v1/health/queue/failed/other", NULL, "", 400 },
    { "GET", "/v1/health/queue/webhooks", NULL, "", 200 },
    { "GET", "/v1/health/queue/logs", NULL, "", 200 },
    { "GET", "/v1/health/queue/certificates", NULL, "", 200 },
    { "GET", "/v1/health/queue/functions", NULL, "", 200 },
    { "GET", "/v1/health/queue/builds", NULL, "", 200 },
    { "GET", "/v1/health/queue/databases", NULL, "", 200 },
    { "GET", "/v1/health/queue/deletes", NULL, "", 200 },
    { "GET", "/v1/health/queue/mails", NULL, "", 200 },
    { "GET", "/v1/health/queue/messaging", NULL, "", 200 },
    { "GET", "/v1/health/queue/migrations", NULL, "", 200 },
    { "GET", "/v1/health/queue/stats-resources", NULL, "", 200 },
    { "GET", "/v1/health/queue/stats-usage", NULL, "", 200 },
    { "GET", "/v1/health/queue/usage", NULL, "", 200 },
    { "GET", "/v1/health/queue/usage-dump", NULL, "", 200 },
    { "GET", "/v1/health/queue/audits", NULL, "", 200 },
    { "GET", "/v1/health/queue/failed/v1-builds", NULL, "", 200 },
    { "GET", "/v1/ping", GUEST, "", 200 },
    { "POST", "/v1/users/u/jwts", NULL, "{}", 201 },
    { "GET", F, "x-appwrite-jwt: a.b.c", "", 200 },

    { "POST", "/v1/graphql", NULL, "{\"query\":\"{functionsList{total}}\"}", 200 },
    { "POST", "/v1/graphql/mutation", NULL, "{}", 400 },
    { "POST", "/v1/graphql", NULL, "[1,2,3,4,5,6,7,8,9,10,11]", 400 },
    { "GET", "/v1/graphql?query=%7B__typename%7D", NULL, "", 200 },
    { "GET", "/v1/graphql?query=mutation%7Ba:__typename%7D", NULL, "", 405 },

    { "GET", "/v1/account", NULL, "", 401 },
    { "POST", "/v1/account/jwts", GUEST, "{}", 401 },
    { "GET", "/v1/console/variables", NULL, "", 200 },
    { "GET", F "/usage", NULL, "", 200 },
    { "GET", F "/f/usage?range=24h", NULL, "", 200 },

    { "POST", "/v1/proxy/rules/function", NULL,
      "{\"domain\":\"a.example\",\"functionId\":\"none\"}", 404 },
    { "POST", "/v1/proxy/rules/function", NULL,
      "{\"domain\":\"f.functions.localhost\",\"functionId\":\"f\"}", 409 },
    { "POST", "/v1/proxy/rules/api", NULL, "{\"domain\":\"name.invalid\"}", 201 },
    { "POST", "/v1/proxy/rules/redirect", NULL,
      "{\"domain\":\"b.example\",\"url\":\"https://c.example\",\"statusCode\":301}", 201 },
    { "POST", "/v1/proxy/rules", NULL, "{\"domain\":\"d.example\",\"resourceType\":\"api\"}", 201 },
    { "GET", "/v1/proxy/rules", NULL, "", 200 },
    { "GET", "/v1/proxy/rules/none", NULL, "", 404 },
    { "PATCH", "/v1/proxy/rules/none/verification", NULL, "{}", 404 },
    { "DELETE", "/v1/proxy/rules/none", NULL, "{}", 404 },
    { "DELETE", F "/f", NULL, "[]", 204 },
    { "POST", F, NULL,
      "{\"functionId\":\"u\",\"name\":\"n\",\"runtime\":\"node-22\",\"entrypoint\":\"main.js\"}",
      201 },
};

/* Uploads of a function that has an entrypoint. */
static const struct request uploads[] = {
    { "POST", F "/u/deployments", MULTIPART, ACTIVATE END, 400 },
    { "POST", F "/u/deployments", MULTIPART, ACTIVATE FILE_OF("a.txt", "plain") END, 400 },
    { "POST", F "/u/deployments", MULTIPART "\ncontent-range: bytes 5-1/9",
      ACTIVATE FILE_OF("a.tar.gz", "12345") END, 400 },
    { "POST", F "/u/deployments", MULTIPART "\ncontent-range: bytes 0-4/99999999999",
      ACTIVATE FILE_OF("a.tar.gz", "12345") END, 400 },
    { "POST", F "/u/deployments", MULTIPART "\ncontent-range: bytes 0-4/5\nx-appwrite-id: up",
      ACTIVATE FILE_OF("a.tar.gz", "12345") END, 202 },
    { "GET", F "/u/deployments", NULL, "", 200 },
    { "GET", F "/u/deployments/up/download", "range: bytes=1-2", "", 206 },
    { "GET", F "/u/deployments/up/download", "range: bytes=10-20", "", 416 },
    { "PATCH", F "/u/deployment", NULL, "{\"deploymentId\":\"up\"}", 400 },
    { "PATCH", F "/u/deployments/up/build", "x-appwrite-response-format: 1.6.0", "{}", 200 },
    { "GET", F "/usage", "x-appwrite-response-format: 1.4.0", "", 200 },
};

static void call_all(struct coverage *coverage, const struct request *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct request *row = &rows[i];
        const struct reply *reply = coverage_call(coverage, row->method, row->target, row->headers,
                                                  row->body);
        if (reply->status != row->status && row->status != ANY)
            fail_msg("%s %s: %u instead of %u: %s", row->method, row->target, reply->status,
                     row->status, reply->body);
    }
}

/* ---- what takes more than a request ---------------------------------------------------------- */

static void expect(struct coverage *coverage, enum error_type type, const char *method,
                   const char *target, const char *headers, const char *body)
{
    const struct reply *reply = coverage_call(coverage, method, target, headers, body);

    assert_status(reply, (unsigned)error_rows[type].code);
    assert_string_equal(reply_text(reply, "type"), error_rows[type].type);
}

static void settings_refuse(struct coverage *coverage)
{
    struct settings *settings = &coverage->harness->settings;
    struct buffer large;

    free(settings->origins);
    settings->origins = xstrdup("https://app.test");
    expect(coverage, ERROR_GENERAL_UNKNOWN_ORIGIN, "GET", "/v1/ping",
           GUEST "\norigin: https://evil.test", "");
    settings->rate_graphql = 1;
    coverage_call(coverage, "GET", "/v1/graphql?query=%7Ba:__typename%7D", GUEST, "");
    expect(coverage, ERROR_GENERAL_RATE_LIMIT_EXCEEDED, "GET", "/v1/graphql?query=%7B__typename%7D",
           GUEST, "");
    settings->rate_graphql = 60;
    settings->disk_reserve_mb = INT64_C(1) << 40;
    expect(coverage, ERROR_GENERAL_STORAGE_FULL, "POST", F "/u/deployments", MULTIPART,
           ACTIVATE FILE_OF("a.tar.gz", "12345") END);
    settings->disk_reserve_mb = 0;

    buffer_init(&large, 1 << 20);
    buffer_add_text(&large, "--B\r\nContent-Disposition: form-data; name=\"commands\"\r\n\r\n");
    while (large.size < 100000)
        buffer_add_text(&large, "0123456789");
    buffer_add_text(&large, "\r\n" END);
    expect(coverage, ERROR_GENERAL_PAYLOAD_TOO_LARGE, "POST", F "/u/deployments", MULTIPART,
           large.data);
    buffer_release(&large);
}

static void users_are_refused(struct coverage *coverage)
{
    expect(coverage, ERROR_USER_JWT_INVALID, "GET", F, GUEST "\nx-appwrite-jwt: a.b.c", "");
    const struct reply *reply = coverage_call(coverage, "POST", "/v1/users/u/jwts", NULL, "{}");
    auto_free char *user = xasprintf(GUEST "\nx-appwrite-jwt: %s", reply_text(reply, "jwt"));
    assert_status(coverage_call(coverage, "GET", "/v1/account", user, ""), 200);
    expect(coverage, ERROR_USER_JWT_CREATION_DENIED, "POST", "/v1/account/jwts", user, "{}");
    reply = coverage_call(coverage, "POST", "/v1/proxy/rules/api", NULL,
                          "{\"domain\":\"other.invalid\"}");
    auto_free char *path = xasprintf("/v1/proxy/rules/%s/verification", reply_text(reply, "$id"));
    expect(coverage, ERROR_RULE_VERIFICATION_FAILED, "PATCH", path, NULL, "{}");
}

static int insert_execution(struct db *db, void *context, struct error *err)
{
    return store_execution_insert(db, context, err);
}

static void executions_are_refused(struct coverage *coverage)
{
    static const struct {
        const char *status;
        enum error_type type;
    } rows[] = { { "failed", ERROR_BUILD_FAILED },
                 { "canceled", ERROR_BUILD_CANCELED },
                 { "building", ERROR_BUILD_NOT_READY } };
    struct harness *harness = coverage->harness;
    struct live_function *function = (struct live_function *)(uintptr_t)registry_function(
        harness->api.registry, "default", "u");
    struct error err;
    auto_execution struct execution execution = {
        .seq = clock_realtime_us(),
        .function_seq = function->function.seq,
        .deployment_id = xstrdup("up"),
        .trigger = xstrdup("http"),
        .status = xstrdup("processing"),
        .request_method = xstrdup("GET"),
        .request_path = xstrdup("/"),
    };

    free(function->deployment.id);
    function->deployment.id = xstrdup("up");
    for (size_t i = 0; i < COUNT(rows); i++) {
        free(function->deployment.status);
        function->deployment.status = xstrdup(rows[i].status);
        expect(coverage, rows[i].type, "POST", F "/u/executions", NULL, "{}");
    }
    expect(coverage, ERROR_GENERAL_BAD_REQUEST, "POST", F "/u/executions", NULL,
           "{\"async\":true,\"scheduledAt\":\"2020-01-01T00:00:00.000Z\"}");
    id_generate(execution.seq, execution.id);
    assert_int_equal(store_write_wait(harness->api.store, insert_execution, &execution, &err), 0);
    auto_free char *path = xasprintf(F "/u/executions/%s", execution.id);
    assert_status(coverage_call(coverage, "GET", path, NULL, ""), 200);
    expect(coverage, ERROR_EXECUTION_IN_PROGRESS, "DELETE", path, NULL, "{}");
}

struct gate {
    pthread_mutex_t mutex;
    sem_t reached;
};

static void wait_at_gate(void *context, void *lane_state)
{
    struct gate *gate = context;

    (void)lane_state;
    sem_post(&gate->reached);
    pthread_mutex_lock(&gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void lanes_without_room_refuse(struct coverage *coverage)
{
    struct gate gate = { .mutex = PTHREAD_MUTEX_INITIALIZER };

    sem_init(&gate.reached, 0, 0);
    pthread_mutex_lock(&gate.mutex);
    assert_int_equal(lanes_add(coverage->harness->api.lanes, wait_at_gate, &gate), 0);
    sem_wait(&gate.reached); /* from here on the one lane takes nothing more */
    while (lanes_add(coverage->harness->api.lanes, wait_at_gate, &gate) == 0)
        ;
    expect(coverage, ERROR_GENERAL_OVERLOADED, "GET", F, NULL, "");
    pthread_mutex_unlock(&gate.mutex);
    while (coverage_call(coverage, "GET", F, NULL, "")->status != 200)
        ; /* one lane, in order: nobody looks at the gate any more */
}

/* Uploads before the directories are there, and with them. */
static void uploads_need_their_directories(struct coverage *coverage)
{
    static const char *const names[] = { "uploads", "packages" };

    expect(coverage, ERROR_INTERNAL, "POST", F "/u/deployments", MULTIPART,
           ACTIVATE FILE_OF("a.tar.gz", "12345") END);
    for (size_t i = 0; i < COUNT(names); i++) {
        auto_free char *path = xasprintf("%s/%s", coverage->harness->directory, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    call_all(coverage, uploads, COUNT(uploads));
}

/* The parameters of a raw body are its handler's to read: this answer takes all three. */
static void raw_bodies_are_read(struct coverage *coverage)
{
    static const char body[] = "{\"query\":\"query A($x:Boolean!){__typename @include(if:$x)} "
                               "query B{b:__typename}\",\"operationName\":\"A\","
                               "\"variables\":{\"x\":true}}";
    static const char *const names[] = { "query", "operationName", "variables" };
    size_t position = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;) {
        if (!row->raw_body)
            continue;
        const struct reply *reply = coverage_call(coverage, row->method, row->path, NULL, body);
        assert_string_equal(reply->body, "{\"data\":{\"__typename\":\"Query\"}}");
        for (size_t i = 0; row->params[i].name != NULL; i++)
            for (size_t name = 0; name < COUNT(names); name++)
                if (strcmp(row->params[i].name, names[name]) == 0)
                    coverage->harness->params_hit[position - 1] |= UINT64_C(1) << i;
    }
}

/* ---- what is seen elsewhere ------------------------------------------------------------------ */

/* Paths below tests/, where this runs; words: what the test says of the error. */
static const struct {
    enum error_type type;
    const char *test, *words;
} elsewhere[] = {
    { ERROR_GENERAL_NOT_UTF8, "system/test_executions.py", "Malformed UTF-8" },
    { ERROR_GENERAL_URI_TOO_LONG, "system/test_hostile.py", "general_uri_too_long" },
    { ERROR_GENERAL_HTTP_VERSION_UNSUPPORTED, "system/test_hostile.py",
      "general_http_version_unsupported" },
    { ERROR_GENERAL_TOO_MANY_HEADERS, "system/test_heads.py", "general_too_many_headers" },
    { ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT, "system/test_limits.py", "function_synchronous_timeout" },
    { ERROR_FUNCTION_ASYNCHRONOUS_TIMEOUT, "run/test_queue.c", "Asynchronous function execution" },
    { ERROR_FUNCTION_EXECUTE_PERMISSION_MISSING, "system/test_domains.py",
      "Execution not permitted" },
    { ERROR_FUNCTION_OVERLOADED, "system/test_limits.py", "function_overloaded" },
    { ERROR_BUILD_NOT_FOUND, "store/test_deployment.c", "ERROR_BUILD_NOT_FOUND" },
    { ERROR_BUILD_ALREADY_COMPLETED, "system/test_builds.py", "build_already_completed" },
    { ERROR_HEALTH_CERTIFICATE_EXPIRED, "http/test_certificate.c",
      "ERROR_HEALTH_CERTIFICATE_EXPIRED" },
    { ERROR_DATABASE_QUERY_ORDER_NULL, "store/test_list.c", "ERROR_DATABASE_QUERY_ORDER_NULL" },
    { ERROR_DATABASE_TIMEOUT, "store/test_list.c", "ERROR_DATABASE_TIMEOUT" },
};

static void check_elsewhere(struct harness *harness)
{
    for (size_t i = 0; i < COUNT(elsewhere); i++) {
        struct error err;
        char *text;
        size_t size;
        if (harness->errors_hit[elsewhere[i].type])
            fail_msg("%s is caused here: it need not be listed",
                     error_rows[elsewhere[i].type].name);
        if (fd_read_file(AT_FDCWD, elsewhere[i].test, 1 << 20, &text, &size, &err) < 0)
            fail_msg("%s", err.message);
        if (strstr(text, elsewhere[i].words) == NULL)
            fail_msg("%s does not speak of \"%s\"", elsewhere[i].test, elsewhere[i].words);
        free(text);
        harness->errors_hit[elsewhere[i].type] = true;
    }
}

static void every_row_is_reached(void **state)
{
    struct coverage coverage = { .harness = *state };

    call_all(&coverage, requests, COUNT(requests));
    uploads_need_their_directories(&coverage);
    users_are_refused(&coverage);
    executions_are_refused(&coverage);
    raw_bodies_are_read(&coverage);
    coverage_all_params(&coverage);
    settings_refuse(&coverage);
    lanes_without_room_refuse(&coverage);
    coverage_render(&coverage, &model_health_time, &(struct health_time){ 0 });
    coverage_render(&coverage, &model_health_certificate, &(struct health_certificate){ 0 });
    check_elsewhere(coverage.harness);

    size_t missing = coverage_missing_endpoints(&coverage) + coverage_missing_params(&coverage) +
                     coverage_missing_errors(&coverage) + coverage_missing_models(&coverage);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_is_reached, harness_setup, harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
