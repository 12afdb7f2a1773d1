#include "coverage.h"

#include <string.h>

#include "catalog.h"
#include "exchange.h"
#include "hostile.h"
#include "mem.h"

enum { LINES = 6 };

/* ---- models ---------------------------------------------------------------------------------- */

static bool is_of_kind(const struct field *field, const json_t *value)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_HERE:
    case FIELD_CONSTANT:
    case FIELD_DATE:
        return json_is_string(value);
    case FIELD_DATE_OR_NULL:
        return json_is_string(value) || json_is_null(value);
    case FIELD_INTEGER:
        return json_is_integer(value);
    case FIELD_REAL:
        return json_is_number(value);
    case FIELD_BOOLEAN:
        return json_is_boolean(value);
    case FIELD_JSON:
    case FIELD_OWN:
        return value != NULL;
    }
    return false;
}

static bool is_of_model(const struct model *model, const json_t *object)
{
    size_t count = 0;

    for (; model->fields[count].name != NULL; count++)
        if (!is_of_kind(&model->fields[count], json_object_get(object, model->fields[count].name)))
            return false;
    return json_object_size(object) == count;
}

static void mark_models(struct coverage *coverage, const json_t *value)
{
    const char *key;
    json_t *inner;
    size_t index;

    for (size_t i = 0; json_is_object(value) && all_models[i] != NULL; i++)
        coverage->models_hit[i] = coverage->models_hit[i] || is_of_model(all_models[i], value);
    json_object_foreach((json_t *)(uintptr_t)value, key, inner) mark_models(coverage, inner);
    json_array_foreach(value, index, inner) mark_models(coverage, inner);
}

void coverage_render(struct coverage *coverage, const struct model *model, const void *entity)
{
    const struct incoming incoming = { .method = "GET",
                                       .path = "/",
                                       .query = "",
                                       .origin = { .host = "h", .client_ip = "127.0.0.1" } };
    struct call_inside *inside = exchange_new(&coverage->harness->api, &incoming);
    struct endpoint endpoint = { .id = "any.get", .answers = model };
    struct error err;

    inside->call.endpoint = &endpoint;
    assert_int_equal(call_answer_model(&inside->call, model, entity, NULL, &err), 0);
    json_t *document = json_loadb(inside->answer.data, inside->answer.size, 0, NULL);
    mark_models(coverage, document);
    json_decref(document);
    exchange_free(inside);
}

/* ---- requests -------------------------------------------------------------------------------- */

const struct reply *coverage_call(struct coverage *coverage, const char *method, const char *target,
                                  const char *headers, const char *body)
{
    const char *lines[LINES + 1] = { NULL };
    auto_free char *copy = xstrdup(headers == NULL ? "" : headers);
    char *rest = headers == NULL ? NULL : copy;
    size_t count = 0;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        assert_true(count < LINES);
        lines[count++] = line;
    }
    const struct reply *reply = harness_call(coverage->harness, method, target, lines, body);
    if (reply->status >= 400)
        assert_int_equal(json_integer_value(json_object_get(reply->json, "code")), reply->status);
    mark_models(coverage, reply->json);
    return reply;
}

/* Optional parameters that take no value one could guess. */
static const struct {
    const char *name, *value;
} values[] = {
    { "buildSpecification", "s-0.5vcpu-512mb" },
    { "runtimeSpecification", "s-0.5vcpu-512mb" },
    { "scheduledAt", "2100-01-01T00:00:00.000Z" },
    { "runtimes", "node-22" },
    { "useCases", "starter" },
};

static json_t *value_of(struct hostile *hostile, const struct param *param)
{
    for (size_t i = 0; i < COUNT(values); i++)
        if (strcmp(values[i].name, param->name) == 0)
            return json_string(values[i].value);
    return hostile_good(hostile, param);
}

static void add_param(struct hostile *hostile, const struct param *param, bool is_get,
                      struct buffer *out)
{
    json_t *value = value_of(hostile, param);
    auto_free char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (!is_get)
        buffer_addf(out, ",\"%s\":%s", param->name, json);
    else if (param->kind == PARAM_QUERIES)
        buffer_addf(out, "&%s[0]=%%7B%%22method%%22:%%22limit%%22,%%22values%%22:%%5B1%%5D%%7D",
                    param->name);
    else
        buffer_addf(out, "&%s%s=%s", param->name, param->kind == PARAM_LIST ? "[]" : "",
                    json_is_string(value) ? json_string_value(value) : json);
    json_decref(value);
}

static void call_with_all(struct hostile *hostile, const struct endpoint *row)
{
    bool is_get = strcmp(row->method, "GET") == 0;
    struct buffer path, params;

    buffer_init(&path, HOSTILE_TARGET);
    buffer_init(&params, HOSTILE_TARGET);
    hostile_path(hostile, row, row->path, NULL, NULL, &path);
    buffer_add_text(&params, is_get ? "?_=0" : "{\"_\":0");
    for (const struct param *param = row->params; param->name != NULL; param++)
        if (!hostile_in_path(row, param))
            add_param(hostile, param, is_get, &params);
    buffer_add_text(is_get ? &path : &params, is_get ? params.data : "}");
    hostile_call(hostile, row, path.data, NULL, is_get ? "" : params.data,
                 is_get ? 0 : params.size);
    buffer_release(&path);
    buffer_release(&params);
}

void coverage_all_params(struct coverage *coverage)
{
    struct hostile hostile;
    size_t position = 0;

    hostile_begin(&hostile, coverage->harness);
    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        if (row->params != NULL)
            call_with_all(&hostile, row);
    assert_int_equal(hostile.failures, 0);
}

/* ---- what is missing ------------------------------------------------------------------------- */

size_t coverage_missing_endpoints(const struct coverage *coverage)
{
    size_t position = 0, missing = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        if (!coverage->harness->endpoints_hit[position - 1]) {
            print_error("endpoint %s is reached by no request\n", row->id);
            missing++;
        }
    return missing;
}

size_t coverage_missing_params(const struct coverage *coverage)
{
    size_t position = 0, missing = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        for (size_t i = 0; row->params != NULL && row->params[i].name != NULL; i++)
            if ((coverage->harness->params_hit[position - 1] >> i & 1) == 0) {
                print_error("parameter %s of %s was never taken\n", row->params[i].name, row->id);
                missing++;
            }
    return missing;
}

size_t coverage_missing_errors(const struct coverage *coverage)
{
    size_t missing = 0;

    for (size_t i = 0; i < ERROR_TYPES; i++)
        if (!coverage->harness->errors_hit[i]) {
            print_error("error %s is caused by no request\n", error_rows[i].name);
            missing++;
        }
    return missing;
}

size_t coverage_missing_models(const struct coverage *coverage)
{
    size_t missing = 0;

    for (size_t i = 0; all_models[i] != NULL; i++) {
        assert_true(i < COVERAGE_MODELS);
        if (!coverage->models_hit[i]) {
            print_error("model %s is in no answer\n", all_models[i]->name);
            missing++;
        }
    }
    return missing;
}
