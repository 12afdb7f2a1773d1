/* Deployments from git hosts, as far as their rows go, and the list of templates. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "entities.h"
#include "mem.h"
#include "source.h"

static const char function[] = "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\","
                               "\"entrypoint\":\"src/main.js\"}";
static const char starter[] = "{\"owner\":\"appwrite\",\"repository\":\"templates\","
                              "\"rootDirectory\":\"node/starter\",\"type\":\"tag\","
                              "\"reference\":\"1.0.1\",\"activate\":true}";

#define TEMPLATE "/v1/functions/f/deployments/template"
#define VCS      "/v1/functions/f/deployments/vcs"

static void given_function(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, function), 201);
}

static void use_setting(char **setting, const char *value)
{
    free(*setting);
    *setting = xstrdup(value);
}

static void read_row(struct harness *harness, const char *id, struct deployment *ret_row)
{
    struct error err;

    assert_int_equal(store_deployment_get(harness->db, "default", "f", id, true, ret_row, &err), 0);
}

static void a_range_of_tags_is_looked_up_unless_that_is_off(void **state)
{
    struct harness *harness = *state;
    static const char body[] = "{\"owner\":\"appwrite\",\"repository\":\"templates\","
                               "\"rootDirectory\":\"\",\"type\":\"tag\",\"reference\":\"0.1.*\"}";
    auto_deployment struct deployment row = { 0 };
    const struct reply *reply;
    given_function(harness);

    reply = harness_call(harness, "POST", TEMPLATE, NULL, body);

    assert_status(reply, 202);
    assert_string_equal(reply_text(reply, "providerBranchUrl"), "");
    read_row(harness, reply_text(reply, "$id"), &row);
    assert_string_equal(row.source_url, "https://github.com/appwrite/templates.git/info/refs"
                                        "?service=git-upload-pack");
    assert_string_equal(row.source_range, "0.1.*");
    use_setting(&harness->settings.template_tags_url, "");
    reply = harness_call(harness, "POST", TEMPLATE, NULL, body);
    assert_status(reply, 400);
    assert_non_null(strstr(reply_text(reply, "message"), "template_tags_url"));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void a_template_deployment_is_a_row_before_it_is_fetched(void **state)
{
    struct harness *harness = *state;
    auto_deployment struct deployment row = { 0 };
    given_function(harness);

    const struct reply *reply = harness_call(harness, "POST", TEMPLATE, NULL, starter);

    assert_status(reply, 202);
    assert_string_equal(reply_text(reply, "type"), "vcs");
    assert_string_equal(reply_text(reply, "status"), "waiting");
    assert_string_equal(reply_text(reply, "providerRepositoryUrl"),
                        "https://github.com/appwrite/templates");
    assert_string_equal(reply_text(reply, "providerBranchUrl"),
                        "https://github.com/appwrite/templates/tree/1.0.1");
    assert_true(json_is_true(json_object_get(reply->json, "activate")));
    read_row(harness, reply_text(reply, "$id"), &row);
    assert_string_equal(row.source_url, "https://codeload.github.com/appwrite/templates/tar.gz/"
                                        "refs/tags/1.0.1");
    assert_string_equal(row.provider_root_directory, "node/starter");
    assert_string_equal(row.source_hash, "");
}

static void older_formats_name_a_version_instead(void **state)
{
    static const char body[] = "{\"owner\":\"o\",\"repository\":\"r\",\"rootDirectory\":\"\","
                               "\"version\":\"0.3.1\"}";
    struct harness *harness = *state;
    auto_deployment struct deployment row = { 0 };
    given_function(harness);

    assert_status(harness_call(harness, "POST", TEMPLATE, NULL, body), 400);
    const struct reply *reply = harness_call(harness, "POST", TEMPLATE,
                                             HEADERS("x-appwrite-response-format: 1.8.0"), body);

    assert_status(reply, 202);
    assert_true(json_is_false(json_object_get(reply->json, "activate")));
    read_row(harness, reply_text(reply, "$id"), &row);
    assert_string_equal(row.source_url, "https://codeload.github.com/o/r/tar.gz/refs/tags/0.3.1");
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *owner, *repository, *type, *reference, *name;
    } rows[] = {
        { "", "r", "tag", "1", "owner" },
        { "..", "r", "tag", "1", "owner" },
        { "a/../b", "r", "tag", "1", "owner" },
        { "o", "", "tag", "1", "repository" },
        { "o", ".", "tag", "1", "repository" },
        { "o", "r", "branch", "", "reference" },
        { "o", "r", "branch", "a/..", "reference" },
        { "o", "r", "branch", "/a", "reference" },
        { "o", "r", "branch", "a//b", "reference" },
        { "o", "r", "tag", "../*", "reference" },
    };
    struct harness *harness = *state;
    given_function(harness);

    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_free char *body = xasprintf("{\"owner\":\"%s\",\"repository\":\"%s\",\"type\":\"%s\","
                                         "\"reference\":\"%s\",\"rootDirectory\":\"\"}",
                                         rows[i].owner, rows[i].repository, rows[i].type,
                                         rows[i].reference);
        auto_free char *start = xasprintf("Invalid `%s` param: ", rows[i].name);
        const struct reply *reply = harness_call(harness, "POST", TEMPLATE, NULL, body);
        assert_status(reply, 400);
        assert_non_null(strstr(reply_text(reply, "message"), start));
    }
}

static void a_function_is_connected_by_settings(void **state)
{
    static const char connected[] =
        "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\",\"entrypoint\":\"main.js\","
        "\"installationId\":\"github\",\"providerRepositoryId\":\"acme/shop\","
        "\"providerBranch\":\"main\",\"providerRootDirectory\":\"fn\"}";
    struct harness *harness = *state;
    auto_deployment struct deployment row = { 0 };

    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, connected), 404);
    use_setting(&harness->settings.vcs_provider, "github");
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, connected), 201);
    const struct reply *reply = harness_call(harness, "POST", VCS, NULL,
                                             "{\"type\":\"branch\",\"reference\":\"a b/c?d\"}");

    assert_status(reply, 202);
    assert_string_equal(reply_text(reply, "providerBranch"), "a b/c?d");
    read_row(harness, reply_text(reply, "$id"), &row);
    assert_string_equal(row.provider_root_directory, "fn");
    assert_string_equal(row.source_url, "https://api.github.com/repos/acme/shop/tarball/"
                                        "refs/heads/a%20b/c%3Fd");
    use_setting(&harness->settings.vcs_provider, "none");
    assert_status(
        harness_call(harness, "POST", VCS, NULL, "{\"type\":\"branch\",\"reference\":\"main\"}"),
        404);
}

static void an_update_keeps_a_connection_unless_it_names_the_repository(void **state)
{
    static const char connected[] =
        "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\",\"entrypoint\":\"main.js\","
        "\"installationId\":\"gitlab\",\"providerRepositoryId\":\"acme/shop\","
        "\"providerBranch\":\"main\",\"providerRootDirectory\":\"fn\"}";
    struct harness *harness = *state;
    use_setting(&harness->settings.vcs_provider, "gitlab");
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, connected), 201);

    const struct reply *reply = harness_call(harness, "PUT", "/v1/functions/f", NULL,
                                             "{\"name\":\"n\"}");
    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "installationId"), "gitlab");
    assert_string_equal(reply_text(reply, "providerRepositoryId"), "acme/shop");
    assert_string_equal(reply_text(reply, "providerRootDirectory"), "fn");

    reply = harness_call(harness, "PUT", "/v1/functions/f", NULL,
                         "{\"name\":\"n\",\"providerRepositoryId\":\"\"}");
    assert_string_equal(reply_text(reply, "installationId"), "");
    assert_string_equal(reply_text(reply, "providerRepositoryId"), "");
    assert_true(json_is_true(json_object_get(reply->json, "providerSilentMode")));
}

static void a_redeploy_keeps_where_it_comes_from(void **state)
{
    struct harness *harness = *state;
    auto_deployment struct deployment row = { 0 };
    given_function(harness);
    const struct reply *reply = harness_call(harness, "POST", TEMPLATE, NULL, starter);
    auto_free char *body = xasprintf("{\"deploymentId\":\"%s\"}", reply_text(reply, "$id"));

    reply = harness_call(harness, "POST", "/v1/functions/f/deployments/duplicate", NULL, body);

    assert_status(reply, 202);
    read_row(harness, reply_text(reply, "$id"), &row);
    assert_non_null(strstr(row.source_url, "/appwrite/templates/"));
    assert_string_equal(row.type, "vcs");
}

/* ---- addresses and tokens -------------------------------------------------------------------- */

static void every_kind_of_host_has_its_addresses(void **state)
{
    static const struct {
        const char *provider, *url, *source_url, *page, *header;
    } rows[] = {
        { "gitlab", "",
          "https://gitlab.com/api/v4/projects/a%2Fb%2Fr/repository/archive.tar.gz?"
          "sha=x%2Fy",
          "https://gitlab.com/a/b/r/-/tree/x/y", "PRIVATE-TOKEN: secret" },
        { "gitea", "https://git.example.org/",
          "https://git.example.org/api/v1/repos/a%2Fb/r/"
          "archive/x/y.tar.gz",
          "https://git.example.org/a/b/r/src/branch/x/y", "Authorization: token secret" },
        { "github", "http://h:8000/{repository}/{full_reference}", "http://h:8000/r/refs/heads/x/y",
          "http://h:8000/a/b/r/tree/x/y", "Authorization: Bearer secret" },
    };
    const struct source source = {
        .owner = "a/b", .repository = "r", .root = "", .reference = "x/y"
    };
    struct harness *harness = *state;
    struct error err;

    use_setting(&harness->settings.vcs_token, "secret");
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_deployment struct deployment row = { 0 };
        use_setting(&harness->settings.vcs_provider, rows[i].provider);
        use_setting(&harness->settings.vcs_url, rows[i].url);
        assert_int_equal(source_from_vcs(&harness->settings, &source, &row, &err), 0);
        auto_free char *header = source_token_header(&harness->settings, row.source_url);
        assert_string_equal(row.source_url, rows[i].source_url);
        assert_string_equal(row.provider_branch_url, rows[i].page);
        assert_string_equal(header, rows[i].header);
        assert_null(source_token_header(&harness->settings, "https://elsewhere.example/x"));
    }
}

/* ---- templates ------------------------------------------------------------------------------- */

static size_t count_of(const struct reply *reply)
{
    return json_array_size(json_object_get(reply->json, "templates"));
}

static const char *id_at(const struct reply *reply, size_t index)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(reply->json, "templates"), index), "id"));
}

static void templates_are_listed_for_everybody(void **state)
{
    const char *const *nobody = HEADERS(GUEST, "x-appwrite-project:");
    auto_free char *third = NULL;

    const struct reply *reply = harness_call(*state, "GET", "/v1/functions/templates", nobody, "");
    assert_status(reply, 200);
    assert_int_equal(json_integer_value(json_object_get(reply->json, "total")), 40);
    assert_int_equal(count_of(reply), 25);
    third = xstrdup(id_at(reply, 2));

    reply = harness_call(*state, "GET", "/v1/functions/templates?limit=1&offset=2&total=false",
                         nobody, "");
    assert_int_equal(count_of(reply), 1);
    assert_string_equal(id_at(reply, 0), third);
    assert_int_equal(json_integer_value(json_object_get(reply->json, "total")), 0);
}

static void templates_are_found_by_use_case_and_runtime(void **state)
{
    const struct reply *reply = harness_call(
        *state, "GET", "/v1/functions/templates?useCases[0]=starter", HEADERS(GUEST), "");
    assert_int_equal(count_of(reply), 1);
    assert_string_equal(id_at(reply, 0), "starter");

    reply = harness_call(*state, "GET",
                         "/v1/functions/templates?useCases[]=auth&useCases[]=starter&"
                         "runtimes[]=node-22",
                         HEADERS(GUEST), "");
    assert_int_equal(count_of(reply), 1); /* the one for auth is of a language not installed */
    assert_status(harness_call(*state, "GET", "/v1/functions/templates?useCases[]=nothing",
                               HEADERS(GUEST), ""),
                  400);
    assert_status(
        harness_call(*state, "GET", "/v1/functions/templates?limit=0", HEADERS(GUEST), ""), 400);
}

static bool has_runtime(const struct reply *reply, const char *name)
{
    json_t *runtimes = json_object_get(reply->json, "runtimes"), *runtime;
    size_t index;

    json_array_foreach(
        runtimes, index,
        runtime) if (strcmp(json_string_value(json_object_get(runtime, "name")), name) ==
                     0) return json_string_length(json_object_get(runtime,
                                                                  "providerRootDirectory")) > 0;
    return false;
}

static void a_template_names_every_runtime_that_would_run_it_here(void **state)
{
    struct harness *harness = *state;

    const struct reply *reply = harness_call(harness, "GET", "/v1/functions/templates/starter",
                                             HEADERS(GUEST), "");
    assert_status(reply, 200);
    assert_int_equal(json_object_size(reply->json), 17);
    assert_true(has_runtime(reply, "node-22"));
    assert_true(has_runtime(reply, "python-3.12"));
    assert_false(has_runtime(reply, "swift-5.5"));
    assert_string_equal(reply_text(reply, "providerVersion"), "1.0.1");

    use_setting(&harness->settings.runtimes, "python-3.11");
    reply = harness_call(harness, "GET", "/v1/functions/templates/starter", HEADERS(GUEST), "");
    assert_false(has_runtime(reply, "node-22"));
    assert_true(has_runtime(reply, "python-3.11"));
}

static void variables_of_a_template_have_no_secret_below_1_7(void **state)
{
    static const char target[] = "/v1/functions/templates/prompt-chatgpt";
    const struct reply *reply = harness_call(*state, "GET", target, HEADERS(GUEST), "");
    const json_t *variable = json_array_get(json_object_get(reply->json, "variables"), 0);

    assert_string_equal(json_string_value(json_object_get(variable, "name")), "OPENAI_API_KEY");
    assert_true(json_is_true(json_object_get(variable, "required")));
    assert_int_equal(json_object_size(variable), 7);
    reply = harness_call(*state, "GET", target, HEADERS(GUEST, "x-appwrite-response-format: 1.6.0"),
                         "");
    variable = json_array_get(json_object_get(reply->json, "variables"), 0);
    assert_null(json_object_get(variable, "secret"));
    assert_int_equal(json_object_size(variable), 6);
}

#define WITH_HARNESS(test) cmocka_unit_test_setup_teardown(test, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HARNESS(a_range_of_tags_is_looked_up_unless_that_is_off),
        WITH_HARNESS(a_template_deployment_is_a_row_before_it_is_fetched),
        WITH_HARNESS(older_formats_name_a_version_instead),
        WITH_HARNESS(names_that_lead_elsewhere_are_refused),
        WITH_HARNESS(a_function_is_connected_by_settings),
        WITH_HARNESS(an_update_keeps_a_connection_unless_it_names_the_repository),
        WITH_HARNESS(a_redeploy_keeps_where_it_comes_from),
        WITH_HARNESS(every_kind_of_host_has_its_addresses),
        WITH_HARNESS(templates_are_listed_for_everybody),
        WITH_HARNESS(templates_are_found_by_use_case_and_runtime),
        WITH_HARNESS(a_template_names_every_runtime_that_would_run_it_here),
        WITH_HARNESS(variables_of_a_template_have_no_secret_below_1_7),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
