/*
 * Every model at every response format against what was published for that format: nothing is
 * missing, everything has its type, and what is there beyond that is listed here.
 */
#include <string.h>

#include "call.h"
#include "documents.h"
#include "harness.h"
#include "mem.h"
#include "models/render.h"
#include "published.h"
#include "samples.h"
#include "text.h"
#include "versions.h"

static const struct {
    const char *format; /* "": none asked for */
    const char *published;
} formats[] = {
    { "", "2.0" },       { "2.0.0", "2.0" }, { "1.9.6", "1.9" },  { "1.9.5", "1.9" },
    { "1.9.4", "1.9" },  { "1.9.1", "1.9" }, { "1.9.0", "1.9" },  { "1.8.1", "1.8" },
    { "1.8.0", "1.8" },  { "1.7.4", "1.7" }, { "1.7.0", "1.7" },  { "1.6.2", "1.6" },
    { "1.6.0", "1.6" },  { "1.5.0", "1.5" }, { "1.4.13", "1.4" }, { "1.4.0", "1.4" },
    { "1.3.0", "1.1" },  { "1.2.0", "1.1" }, { "1.1.0", "1.1" },  { "1.0.0", "1.0" },
    { "0.15.0", "1.0" },
};

/*
 * What formats below a version get without its having been published for them: newer members that
 * the API leaves where they are, and those of this server alone.
 */
static const struct {
    const char *below; /* NULL: every format */
    const char *model, *names;
    bool lists; /* only in lists */
} extras[] = {
    { NULL, "deployment", "chunksTotal chunksUploaded" },
    { NULL, "healthStatus", "host" },
    { "1.9.0", "function", "deploymentRetention providerBranches providerPaths" },
    { "1.8.0", "execution", "deploymentId" },
    { "1.7.0", "proxyRule", "redirectUrl" },
    { "1.6.0", "deployment", "buildSize" },
    { "1.6.0", "execution", "scheduledAt", .lists = true },
    { "1.6.0", "function", "scopes specification", .lists = true },
    { "1.6.0", "runtime", "key" },
    { "1.4.0", "deployment", "type" },
    { "1.4.0", "deployment",
      "providerRepositoryName providerRepositoryOwner providerRepositoryUrl providerBranch" },
    { "1.4.0", "deployment", "providerBranchUrl providerCommitHash providerCommitAuthor" },
    { "1.4.0", "deployment", "providerCommitAuthorUrl providerCommitMessage providerCommitUrl" },
    { "1.4.0", "execution", "requestMethod requestPath requestHeaders responseHeaders" },
    { "1.4.0", "function", "live logging entrypoint commands version installationId" },
    { "1.4.0", "function", "providerRepositoryId providerBranch providerRootDirectory" },
    { "1.4.0", "function", "providerSilentMode" },
    { "1.4.0", "variable", "resourceType" },
    { "1.1.0", "deployment", "buildTime" },
};

enum { ANSWER_BYTES = 64 << 10, DOCUMENT_BYTES = 4 << 20 };

struct subject {
    const char *name;
    uint64_t format;
    bool is_single;
    bool used[COUNT(extras)];
    size_t schemas; /* how many were compared */
};

static bool is_word_of(const char *words, const char *word)
{
    auto_free char *copy = xstrdup(words);
    char *rest = copy;

    for (const char *one; (one = strsep(&rest, " ")) != NULL;)
        if (strcmp(one, word) == 0)
            return true;
    return false;
}

static bool is_extra(void *context, const char *model, const char *key)
{
    struct subject *subject = context;

    for (size_t i = 0; i < COUNT(extras); i++)
        if (strcmp(extras[i].model, model) == 0 && is_word_of(extras[i].names, key) &&
            (!extras[i].lists || !subject->is_single) &&
            (extras[i].below == NULL || subject->format < format_number(extras[i].below)))
            return subject->used[i] = true;
    return false;
}

static uint64_t number_of(const char *format)
{
    return text_is_empty(format) ? FORMAT_NEWEST : format_number(format);
}

static bool is_answered(const struct sample *sample, uint64_t format)
{
    return (sample->from == NULL || format >= format_number(sample->from)) &&
           (sample->below == NULL || format < format_number(sample->below));
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t compare_one(struct call *call, struct subject *subject,
                          const struct published *published, const struct sample *sample,
                          bool is_full, bool is_single)
{
    auto_buffer struct buffer out = { 0 };
    struct writing writing = { call, &out, sample->extra, is_single };
    auto_free char *where = xasprintf("format \"%s\", %s, %s", subject->name,
                                      is_single ? "single" : "in a list",
                                      is_full ? "full" : "bare");

    subject->is_single = is_single;
    buffer_init(&out, ANSWER_BYTES);
    render_document(&writing,
                    models_fields(call->api->models, call->format, sample->model, is_single),
                    is_full ? sample->full : sample->bare);
    assert_false(out.overflowed);
    json_t *answer = json_loadb(out.data, out.size, 0, NULL);
    assert_non_null(answer);
    size_t differences = published_compare(published, sample->published, answer, is_full, is_extra,
                                           subject, where);
    json_decref(answer);
    return differences;
}

static size_t compare_all(struct harness *harness, struct subject *subject,
                          const struct published *published)
{
    struct call call = { .api = &harness->api,
                         .db = harness->db,
                         .format = subject->format,
                         .caller.kind = CALLER_KEY };
    size_t differences = 0;

    for (const struct sample *sample = samples; sample->published != NULL; sample++) {
        if (!is_answered(sample, subject->format) ||
            !published_has_model(published, sample->published))
            continue;
        for (int single = 0; single < 2; single++) {
            differences += compare_one(&call, subject, published, sample, true, single == 1);
            if (sample->bare != NULL)
                differences += compare_one(&call, subject, published, sample, false, single == 1);
        }
    }
    return differences;
}

/* The one that the samples speak of, with a variable. */
static void create_function(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", "/v1/functions",
                               HEADERS("content-type: application/json"),
                               "{\"functionId\":\"shown\",\"name\":\"x\",\"runtime\":\"node-22\"}"),
                  201);
    assert_status(harness_call(harness, "POST", "/v1/functions/shown/variables",
                               HEADERS("content-type: application/json"),
                               "{\"variableId\":\"v\",\"key\":\"K\",\"value\":\"x\"}"),
                  201);
}

static void every_format_has_what_was_published_for_it(void **state)
{
    struct harness *harness = *state;
    struct subject subject = { 0 };
    size_t differences = 0;

    create_function(harness);
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct published *published = published_read(formats[i].published);
        subject.name = formats[i].format;
        subject.format = number_of(formats[i].format);
        differences += compare_all(harness, &subject, published);
        published_free(published);
    }
    assert_int_equal(differences, 0);
    for (size_t i = 0; i < COUNT(extras); i++)
        if (!subject.used[i])
            fail_msg("no format shows \"%s\" of %s beyond what was published", extras[i].names,
                     extras[i].model);
}

/* ---- documents ------------------------------------------------------------------------------- */

/* The name of the schema of a list of the model, or NULL. */
static char *list_of(const struct model *model)
{
    return model->items == NULL ? NULL : xasprintf("%sList", model->name);
}

static size_t compare_schemas(struct subject *subject, const struct published *published,
                              const json_t *schemas)
{
    size_t differences = 0;

    subject->is_single = true;
    for (const struct sample *sample = samples; sample->published != NULL; sample++) {
        const json_t *schema = json_object_get(schemas, sample->model->name);
        auto_free char *list = list_of(sample->model);
        if (schema != NULL && is_answered(sample, subject->format) &&
            published_has_model(published, sample->published)) {
            subject->schemas++;
            differences += published_compare_schema(published, sample->published, schema, is_extra,
                                                    subject, subject->name);
        }
        schema = list == NULL ? NULL : json_object_get(schemas, list);
        if (schema != NULL && published_has_model(published, list))
            differences += published_compare_schema(published, list, schema, is_extra, subject,
                                                    subject->name);
    }
    return differences;
}

static void every_document_has_what_was_published_for_its_format(void **state)
{
    struct subject subject = { 0 };
    size_t differences = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct published *published = published_read(formats[i].published);
        auto_buffer struct buffer out = { 0 };
        struct error err;

        buffer_init(&out, DOCUMENT_BYTES);
        subject.name = formats[i].format;
        subject.format = number_of(formats[i].format);
        assert_int_equal(api_document_openapi(formats[i].format, &out, &err), 0);
        json_t *document = json_loadb(out.data, out.size, 0, NULL);
        const json_t *components = json_object_get(document, "components");
        subject.schemas = 0;
        differences += compare_schemas(&subject, published, json_object_get(components, "schemas"));
        assert_true(subject.schemas >= 16); /* 1.0 has so many: documents lack what is not used */
        json_decref(document);
        published_free(published);
    }
    assert_int_equal(differences, 0);
}

/* ---- completeness ---------------------------------------------------------------------------- */

static const struct sample *sample_of(const char *published, const struct model *model)
{
    for (const struct sample *sample = samples; sample->published != NULL; sample++)
        if (text_equals(sample->published, published) || sample->model == model)
            return sample;
    return NULL;
}

static void every_model_has_a_sample(void **state)
{
    /* Compared as a part of another model, below as an error, or published nowhere. */
    static const char apart[] = "headers metric templateRuntime error user consoleVariables "
                                "healthVersion";

    (void)state;
    for (size_t i = 0; all_models[i] != NULL; i++)
        if (sample_of(NULL, all_models[i]) == NULL && !is_word_of(apart, all_models[i]->name))
            fail_msg("no sample of %s", all_models[i]->name);
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct published *published = published_read(formats[i].published);
        for (size_t j = 0; j < published->count; j++) {
            const char *model = published->members[j].model;
            if (sample_of(model, NULL) == NULL && !is_word_of(apart, model) &&
                !text_ends(model, "List"))
                fail_msg("no sample of %s, published in %s", model, formats[i].published);
        }
        published_free(published);
    }
}

static const struct list {
    const char *path, *model;
    bool is_full;
} lists[] = {
    { "/v1/functions", "functionList", false },
    { "/v1/functions/shown/deployments", "deploymentList", false },
    { "/v1/functions/shown/executions", "executionList", false },
    { "/v1/functions/shown/variables", "variableList", true },
    { "/v1/functions/runtimes", "runtimeList", true },
    { "/v1/functions/specifications", "specificationList", true },
    { "/v1/functions/templates", "templateFunctionList", false },
    { "/v1/proxy/rules", "proxyRuleList", false },
    { "/v1/health/db", "healthStatusList", true },
    { "/v1/locale/codes", "localeCodeList", true },
    { "/v1/locale/countries", "countryList", true },
    { "/v1/locale/countries/phones", "phoneList", true },
    { "/v1/locale/continents", "continentList", true },
    { "/v1/locale/currencies", "currencyList", true },
    { "/v1/locale/languages", "languageList", true },
    { 0 },
};

static void every_format_has_errors_and_lists_as_published(void **state)
{
    struct harness *harness = *state;
    struct subject subject = { 0 };
    size_t differences = 0;

    create_function(harness);
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct published *published = published_read(formats[i].published);
        auto_free char *header = xasprintf("x-appwrite-response-format: %s", formats[i].format);

        subject.name = formats[i].format;
        subject.format = number_of(formats[i].format);
        const struct reply *reply = harness_call(harness, "GET", "/v1/functions/none",
                                                 HEADERS(header), NULL);
        differences += published_compare(published, "error", reply->json, true, is_extra, &subject,
                                         subject.name);
        for (const struct list *list = lists; list->path != NULL; list++) {
            if (!published_has_model(published, list->model))
                continue;
            reply = harness_call(harness, "GET", list->path, HEADERS(header), NULL);
            assert_status(reply, 200);
            differences += published_compare(published, list->model, reply->json, list->is_full,
                                             is_extra, &subject, subject.name);
        }
        published_free(published);
    }
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_has_a_sample),
        cmocka_unit_test_setup_teardown(every_format_has_what_was_published_for_it, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(every_format_has_errors_and_lists_as_published,
                                        harness_setup, harness_teardown),
        cmocka_unit_test(every_document_has_what_was_published_for_its_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
