/*
 * One request for every endpoint row and one for every error row that needs no worker. A row that
 * nothing here reaches fails the test; errors that only a running function, a build or a broken
 * disk can cause are listed with the test that causes them.
 */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "mem.h"

#define F "/v1/functions"

enum { ANY = 0 };

static const char multipart_type[] = "content-type: multipart/form-data; boundary=B";

static const struct request {
    const char *method, *target, *header, *body;
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

    { "POST", F "/f/deployments", multipart_type,
      "--B\r\nContent-Disposition: form-data; name=\"activate\"\r\n\r\ntrue\r\n--B--\r\n", 404 },
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
};

/* Errors that take more than a request, and the tests that cause them. */
static const struct {
    enum error_type type;
    const char *test;
} elsewhere[] = {
    { ERROR_INTERNAL, "a broken store" },
    { ERROR_GENERAL_UNKNOWN_ORIGIN, "api/refusals" },
    { ERROR_USER_JWT_INVALID, "api/refusals" },
    { ERROR_GENERAL_RATE_LIMIT_EXCEEDED, "executions of guests below 1.4.0" },
    { ERROR_GENERAL_BAD_REQUEST, "executions that are scheduled in the past" },
    { ERROR_GENERAL_NOT_UTF8, "a function that answers bytes" },
    { ERROR_GENERAL_PAYLOAD_TOO_LARGE, "the front" },
    { ERROR_GENERAL_STORAGE_FULL, "build/package" },
    { ERROR_GENERAL_OVERLOADED, "lanes without room" },
    { ERROR_FUNCTION_ENTRYPOINT_MISSING, "deployments of a function without entrypoint" },
    { ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT, "a slow function" },
    { ERROR_FUNCTION_ASYNCHRONOUS_TIMEOUT, "a slow function" },
    { ERROR_FUNCTION_EXECUTE_PERMISSION_MISSING, "a domain of a closed function" },
    { ERROR_FUNCTION_OVERLOADED, "run/pool" },
    { ERROR_BUILD_NOT_FOUND, "store/deployment" },
    { ERROR_BUILD_NOT_READY, "store/deployment" },
    { ERROR_BUILD_ALREADY_COMPLETED, "deployments that are ready" },
    { ERROR_BUILD_CANCELED, "a domain of a cancelled deployment" },
    { ERROR_BUILD_FAILED, "a domain of a failed deployment" },
    { ERROR_DEPLOYMENT_INVALID_FILE_SIZE, "uploads above package_size" },
    { ERROR_EXECUTION_IN_PROGRESS, "store/execution" },
    { ERROR_STORAGE_FILE_EMPTY, "uploads without a file" },
    { ERROR_STORAGE_FILE_TYPE_UNSUPPORTED, "uploads of no archive" },
    { ERROR_STORAGE_INVALID_FILE, "uploads of damaged archives" },
    { ERROR_STORAGE_INVALID_CONTENT_RANGE, "uploads in pieces" },
    { ERROR_STORAGE_INVALID_RANGE, "downloads of a part" },
    { ERROR_RULE_VERIFICATION_FAILED, "api/rules" },
    { ERROR_USER_JWT_CREATION_DENIED, "api/account" },
    { ERROR_HEALTH_CERTIFICATE_EXPIRED, "http/certificate" },
    { ERROR_DATABASE_QUERY_ORDER_NULL, "store/list" },
    { ERROR_DATABASE_TIMEOUT, "store/list" },
};

static void count_elsewhere(struct harness *harness)
{
    for (size_t i = 0; i < COUNT(elsewhere); i++)
        harness->errors_hit[elsewhere[i].type] = true;
}

static void every_endpoint_and_every_error_is_reached(void **state)
{
    struct harness *harness = *state;
    size_t position = 0;
    bool is_missing = false;

    for (size_t i = 0; i < COUNT(requests); i++) {
        const struct request *row = &requests[i];
        const struct reply *reply = harness_call(harness, row->method, row->target,
                                                 row->header == NULL ? NULL : HEADERS(row->header),
                                                 row->body);
        if (reply->status != row->status && row->status != ANY)
            fail_msg("%s %s: %u instead of %u: %s", row->method, row->target, reply->status,
                     row->status, reply->body);
        if (reply->status >= 400)
            assert_int_equal(json_integer_value(json_object_get(reply->json, "code")),
                             reply->status);
    }
    count_elsewhere(harness);

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        if (!harness->endpoints_hit[position - 1]) {
            print_error("endpoint %s is reached by no request\n", row->id);
            is_missing = true;
        }
    for (size_t i = 0; i < ERROR_TYPES; i++)
        if (!harness->errors_hit[i]) {
            print_error("error %s is caused by no request\n", error_rows[i].name);
            is_missing = true;
        }
    assert_false(is_missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_endpoint_and_every_error_is_reached, harness_setup,
                                        harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
