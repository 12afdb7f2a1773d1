/*
 * docs/generated is what the rows say: `functiond docs NAME > docs/generated/NAME` after a change.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "catalog.h"
#include "documents.h"
#include "fd.h"
#include "mem.h"
#include "settings.h"

enum { DOCUMENT_BYTES = 4 << 20 };

static void assert_same(const char *name, const struct buffer *document)
{
    auto_free char *path = xasprintf("../docs/generated/%s", name), *file = NULL;
    struct error err;
    size_t size;

    if (fd_read_file(AT_FDCWD, path, DOCUMENT_BYTES, &file, &size, &err) < 0)
        fail_msg("%s", err.message);
    if (size != document->size || memcmp(file, document->data, size) != 0)
        fail_msg("%s is out of date: write it again with functiond docs", path);
}

static void the_error_table_is_up_to_date(void **state)
{
    auto_buffer struct buffer out = { 0 };

    (void)state;
    buffer_init(&out, DOCUMENT_BYTES);
    api_document_errors(&out);
    assert_same("errors.md", &out);
}

static void the_settings_table_is_up_to_date(void **state)
{
    auto_buffer struct buffer out = { 0 };

    (void)state;
    buffer_init(&out, DOCUMENT_BYTES);
    settings_document(&out);
    assert_same("settings.md", &out);
}

static void the_api_document_is_up_to_date(void **state)
{
    auto_buffer struct buffer out = { 0 };
    struct error err;

    (void)state;
    buffer_init(&out, DOCUMENT_BYTES);
    assert_int_equal(api_document_openapi("", &out, &err), 0);
    assert_same("openapi.json", &out);
}

/* Every $ref points at a schema that is there. */
static void check_references(const json_t *value, const json_t *schemas)
{
    const char *key;
    json_t *inner;
    size_t index;

    if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, key, inner)
        {
            if (strcmp(key, "$ref") == 0)
                assert_non_null(json_object_get(schemas, json_string_value(inner) +
                                                             strlen("#/components/schemas/")));
            check_references(inner, schemas);
        }
    json_array_foreach(value, index, inner) check_references(inner, schemas);
}

static void every_format_has_a_document_whose_references_hold(void **state)
{
    static const char *const formats[] = { "", "2.0.0", "1.9.0", "1.7.0", "1.6.0", "1.0.0" };

    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++) {
        auto_buffer struct buffer out = { 0 };
        struct error err;

        buffer_init(&out, DOCUMENT_BYTES);
        assert_int_equal(api_document_openapi(formats[i], &out, &err), 0);
        json_t *document = json_loads(out.data, 0, NULL);
        assert_non_null(document);
        check_references(document,
                         json_object_get(json_object_get(document, "components"), "schemas"));
        json_decref(document);
    }
}

static json_t *document_of(const char *format)
{
    auto_buffer struct buffer out = { 0 };
    struct error err;

    buffer_init(&out, DOCUMENT_BYTES);
    assert_int_equal(api_document_openapi(format, &out, &err), 0);
    json_t *document = json_loadb(out.data, out.size, 0, NULL);
    assert_non_null(document);
    return document;
}

static json_t *operation_of(const json_t *document, const char *path, const char *method)
{
    json_t *item = json_object_get(json_object_get(document, "paths"), path);
    json_t *operation = json_object_get(item, method);

    assert_non_null(operation);
    return operation;
}

static json_t *body_of(const json_t *operation, const char *type)
{
    json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
    json_t *schema = json_object_get(json_object_get(content, type), "schema");

    assert_non_null(schema);
    return schema;
}

static bool has_property(const json_t *schema, const char *name)
{
    return json_object_get(json_object_get(schema, "properties"), name) != NULL;
}

static bool is_required(const json_t *schema, const char *name)
{
    json_t *value;
    size_t index;

    json_array_foreach(json_object_get(schema, "required"), index, value)
    {
        if (strcmp(json_string_value(value), name) == 0)
            return true;
    }
    return false;
}

static void an_upload_has_a_file(void **state)
{
    json_t *document = document_of("");
    json_t *operation = operation_of(document, "/functions/{functionId}/deployments", "post");

    (void)state;
    assert_true(is_required(body_of(operation, "multipart/form-data"), "code"));
    assert_true(
        json_is_true(json_object_get(json_object_get(operation, "requestBody"), "required")));
    json_decref(document);
}

static void older_formats_have_the_names_of_their_time(void **state)
{
    static const char executions[] = "/functions/{functionId}/executions";
    static const char variables[] = "/functions/{functionId}/variables";
    json_t *document = document_of("1.0.0");
    json_t *body = body_of(operation_of(document, executions, "post"), "application/json");

    (void)state;
    assert_true(has_property(body, "data"));
    assert_false(has_property(body, "body"));
    body = body_of(operation_of(document, "/functions", "post"), "application/json");
    assert_true(has_property(body, "specification"));
    assert_false(has_property(body, "buildSpecification"));
    assert_false(has_property(body, "commands"));
    body = body_of(operation_of(document, variables, "post"), "application/json");
    assert_false(has_property(body, "secret"));
    assert_false(is_required(body, "variableId"));
    body = body_of(operation_of(document, "/functions/{functionId}/variables/{variableId}", "put"),
                   "application/json");
    assert_true(has_property(body, "value"));
    assert_false(has_property(body, "secret"));
    json_decref(document);
    document = document_of("1.6.0");
    body = body_of(operation_of(document, "/functions", "post"), "application/json");
    assert_true(has_property(body, "templateRepository"));
    json_decref(document);
    document = document_of("");
    body = body_of(operation_of(document, "/functions", "post"), "application/json");
    assert_false(has_property(body, "templateRepository"));
    body = body_of(operation_of(document, variables, "post"), "application/json");
    assert_true(is_required(body, "variableId"));
    json_decref(document);
}

static void a_format_has_no_schemas_of_another_time(void **state)
{
    json_t *document = document_of("1.0.0");
    json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");

    (void)state;
    assert_non_null(json_object_get(schemas, "variable"));
    assert_null(json_object_get(schemas, "specification"));
    assert_null(json_object_get(schemas, "build"));
    json_decref(document);
}

static void who_only_names_a_project_must_name_it(void **state)
{
    json_t *document = document_of("");
    json_t *security = json_object_get(operation_of(document, "/ping", "get"), "security");

    (void)state;
    assert_int_equal(json_array_size(security), 1);
    assert_non_null(json_object_get(json_array_get(security, 0), "Project"));
    json_decref(document);
}

static void a_format_that_is_none_has_no_document(void **state)
{
    auto_buffer struct buffer out = { 0 };
    struct error err;

    (void)state;
    buffer_init(&out, DOCUMENT_BYTES);
    assert_int_equal(api_document_openapi("9.9.9", &out, &err), -1);
    assert_int_equal(api_document_openapi("x", &out, &err), -1);
}

/* What the documents, the router and the checks rely on. */
static void every_row_is_complete(void **state)
{
    size_t position = 0;

    (void)state;
    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;) {
        assert_non_null(strchr(row->id, '.'));
        assert_non_null(row->summary);
        assert_true(strncmp(row->path, "/v1/", 4) == 0);
        assert_true(row->auth != 0);
        assert_true((row->handle != NULL) == (row->runs == RUNS_IN_LANE));
        assert_true(row->begin != NULL || row->runs == RUNS_IN_LANE);
        assert_true((row->auth & (AUTH_PUBLIC | AUTH_PROJECT)) != 0 || row->scopes != NULL);
        for (const struct param *param = row->params; param != NULL && param->name; param++)
            assert_true(param->hidden || param->text != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_error_table_is_up_to_date),
        cmocka_unit_test(the_settings_table_is_up_to_date),
        cmocka_unit_test(the_api_document_is_up_to_date),
        cmocka_unit_test(every_format_has_a_document_whose_references_hold),
        cmocka_unit_test(an_upload_has_a_file),
        cmocka_unit_test(older_formats_have_the_names_of_their_time),
        cmocka_unit_test(a_format_has_no_schemas_of_another_time),
        cmocka_unit_test(who_only_names_a_project_must_name_it),
        cmocka_unit_test(a_format_that_is_none_has_no_document),
        cmocka_unit_test(every_row_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
