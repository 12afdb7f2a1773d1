/* OpenAPI 3.0 from the rows: what the server does, not what somebody wrote about it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api_version.h"
#include "catalog.h"
#include "documents.h"
#include "mem.h"
#include "model.h"
#include "text.h"
#include "versions.h"

/* ---- schemas --------------------------------------------------------------------------------- */

#define SCHEMAS "#/components/schemas/"

static json_t *reference(const char *model)
{
    auto_free char *path = xasprintf(SCHEMAS "%s", model);

    return json_pack("{s:s}", "$ref", path);
}

static json_t *schema_of_type(const char *type)
{
    if (!text_starts(type, "array:"))
        return json_pack("{s:s}", "type", type);
    const char *item = type + strlen("array:");
    json_t *items = text_equals(item, "string") ? json_pack("{s:s}", "type", "string")
                                                : reference(item);
    return json_pack("{s:s,s:o}", "type", "array", "items", items);
}

static json_t *schema_of_field(const struct field *field)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_HERE:
    case FIELD_CONSTANT:
        return json_pack("{s:s}", "type", "string");
    case FIELD_INTEGER:
        return json_pack("{s:s}", "type", "integer");
    case FIELD_REAL:
        return json_pack("{s:s}", "type", "number");
    case FIELD_BOOLEAN:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_DATE:
        return json_pack("{s:s}", "type", "string");
    case FIELD_DATE_OR_NULL:
        return json_pack("{s:s,s:b}", "type", "string", "nullable", 1);
    case FIELD_JSON:
    case FIELD_OWN:
        return schema_of_type(field->type);
    }
    return json_null();
}

static json_t *schema_of_model(const struct field *const *fields)
{
    json_t *properties = json_object(), *required = json_array();

    for (; *fields != NULL; fields++) {
        if ((*fields)->in_extra)
            continue;
        json_t *schema = schema_of_field(*fields);
        json_object_set_new(schema, "description", json_string((*fields)->text));
        if ((*fields)->nullable)
            json_object_set_new(schema, "nullable", json_true());
        json_object_set_new(properties, (*fields)->name, schema);
        json_array_append_new(required, json_string((*fields)->name));
    }
    return json_pack("{s:s,s:o,s:o}", "type", "object", "properties", properties, "required",
                     required);
}

static json_t *schema_of_list(const struct model *model)
{
    return json_pack("{s:s,s:{s:{s:s},s:{s:s,s:o}},s:[s,s]}", "type", "object", "properties",
                     "total", "type", "integer", model->items, "type", "array", "items",
                     reference(model->name), "required", "total", model->items);
}

/* Schemas that no model row describes. */
static void add_fixed_schemas(json_t *schemas)
{
    json_object_set_new(schemas, "headers",
                        json_pack("{s:s,s:{s:{s:s},s:{s:s}},s:[s,s]}", "type", "object",
                                  "properties", "name", "type", "string", "value", "type", "string",
                                  "required", "name", "value"));
    json_object_set_new(schemas, "error",
                        json_pack("{s:s,s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s}},s:[s,s,s,s]}", "type",
                                  "object", "properties", "message", "type", "string", "code",
                                  "type", "integer", "type", "type", "string", "version", "type",
                                  "string", "required", "message", "code", "type", "version"));
}

static json_t *all_schemas(const struct models *models, uint64_t format)
{
    json_t *schemas = json_object();

    for (size_t i = 0; all_models[i] != NULL; i++) {
        const struct model *model = all_models[i];
        json_object_set_new(schemas, model->name,
                            schema_of_model(models_fields(models, format, model, true)));
        if (model->items == NULL)
            continue;
        auto_free char *name = xasprintf("%sList", model->name);
        json_object_set_new(schemas, name, schema_of_list(model));
    }
    add_fixed_schemas(schemas);
    return schemas;
}

/* Takes over from all what value refers to, and what that refers to. */
static void keep_used(const json_t *value, const json_t *all, json_t *used)
{
    const char *key;
    json_t *inner;
    size_t index;

    json_array_foreach(value, index, inner)
    {
        keep_used(inner, all, used);
    }
    if (!json_is_object(value))
        return;
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        if (!text_equals(key, "$ref")) {
            keep_used(inner, all, used);
            continue;
        }
        const char *name = json_string_value(inner) + strlen(SCHEMAS);
        json_t *schema = json_object_get(all, name);
        if (json_object_get(used, name) != NULL)
            continue;
        json_object_set(used, name, schema);
        keep_used(schema, all, used);
    }
}

/* A format has no schemas of what came later or was gone by then. */
static json_t *used_schemas(const json_t *paths, json_t *all)
{
    json_t *used = json_object();

    keep_used(paths, all, used);
    json_decref(all);
    return used;
}

/* ---- parameters ------------------------------------------------------------------------------ */

static void add_text_rules(json_t *schema, const struct param *param)
{
    if (param->max > 0) {
        json_object_set_new(schema, "maxLength", json_integer(param->max));
        if (!param->empty)
            json_object_set_new(schema, "minLength", json_integer(1));
    }
}

static json_t *schema_of_param(const struct param *param)
{
    json_t *schema = NULL, *items;

    switch (param->kind) {
    case PARAM_TEXT:
    case PARAM_BYTES:
        schema = json_pack("{s:s}", "type", "string");
        add_text_rules(schema, param);
        break;
    case PARAM_INTEGER:
        schema = json_pack("{s:s}", "type", "integer");
        if (param->max > 0) {
            json_object_set_new(schema, "minimum", json_integer(param->min));
            json_object_set_new(schema, "maximum", json_integer(param->max));
        }
        break;
    case PARAM_BOOLEAN:
        schema = json_pack("{s:s}", "type", "boolean");
        break;
    case PARAM_OBJECT:
        schema = json_pack("{s:s}", "type", "object");
        break;
    case PARAM_LIST:
    case PARAM_QUERIES:
        items = json_pack("{s:s}", "type", "string");
        if (param->kind == PARAM_LIST)
            add_text_rules(items, param);
        schema = json_pack("{s:s,s:i,s:o}", "type", "array", "maxItems",
                           param->items > 0 ? (int)param->items : 100, "items", items);
        break;
    }
    if (param->nullable)
        json_object_set_new(schema, "nullable", json_true());
    if (param->fallback != NULL && param->kind == PARAM_TEXT)
        json_object_set_new(schema, "default", json_string(param->fallback));
    if (param->fallback != NULL && param->kind == PARAM_BOOLEAN)
        json_object_set_new(schema, "default", json_boolean(text_equals(param->fallback, "true")));
    if (param->fallback != NULL && param->kind == PARAM_INTEGER)
        json_object_set_new(schema, "default", json_integer(strtoll(param->fallback, NULL, 10)));
    return schema;
}

static bool is_in_path(const struct endpoint *row, const char *name)
{
    auto_free char *segment = xasprintf("{%s}", name);

    return strstr(row->path, segment) != NULL;
}

static void add_parameter(json_t *parameters, const struct endpoint *row, const struct param *param,
                          const struct sent_input *form)
{
    bool in_path = is_in_path(row, param->name);
    auto_free char *name = xasprintf(
        "%s%s", form->name,
        !in_path && (param->kind == PARAM_LIST || param->kind == PARAM_QUERIES) ? "[]" : "");

    json_array_append_new(parameters, json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", name, "in",
                                                in_path ? "path" : "query", "required",
                                                in_path || !form->is_optional, "description",
                                                param->text == NULL ? "" : param->text, "schema",
                                                schema_of_param(param)));
}

static void add_property(json_t *schema, const char *name, bool is_optional, json_t *property)
{
    json_object_set_new(json_object_get(schema, "properties"), name, property);
    if (is_optional)
        return;
    if (json_object_get(schema, "required") == NULL)
        json_object_set_new(schema, "required", json_array());
    json_array_append_new(json_object_get(schema, "required"), json_string(name));
}

static void add_body(json_t *operation, const struct endpoint *row, json_t *schema)
{
    const char *file = row->files == NULL ? NULL : row->files->file;

    if (file != NULL)
        add_property(schema, file, false,
                     json_pack("{s:s,s:s,s:s}", "type", "string", "format", "binary", "description",
                               "Package: tar.gz, tgz or zip."));
    if (json_object_size(json_object_get(schema, "properties")) == 0)
        return;
    json_object_set_new(operation, "requestBody",
                        json_pack("{s:b,s:{s:{s:O}}}", "required",
                                  json_object_get(schema, "required") != NULL, "content",
                                  file != NULL ? "multipart/form-data" : "application/json",
                                  "schema", schema));
}

static bool is_documented(const struct param *param, uint64_t format)
{
    return !param->hidden && (param->below == NULL || format < format_number(param->below));
}

static void add_parameters(json_t *operation, const struct endpoint *row, uint64_t format)
{
    json_t *parameters = json_array();
    json_t *schema = json_pack("{s:s,s:{}}", "type", "object", "properties");
    bool is_get = strcmp(row->method, "GET") == 0;

    for (const struct param *param = row->params; param != NULL && param->name != NULL; param++) {
        struct sent_input form = versions_input(format, row->id, param);
        if (!is_documented(param, format) || form.name == NULL)
            continue;
        if (is_get || is_in_path(row, param->name)) {
            add_parameter(parameters, row, param, &form);
            continue;
        }
        json_t *property = schema_of_param(param);
        json_object_set_new(property, "description",
                            json_string(param->text == NULL ? "" : param->text));
        add_property(schema, form.name, form.is_optional, property);
    }
    json_object_set_new(operation, "parameters", parameters);
    add_body(operation, row, schema);
    json_decref(schema);
}

/* ---- operations ------------------------------------------------------------------------------ */

static json_t *content_of(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

/* Of bytes that are no document of a model. */
static json_t *schema_of_bytes(const char *type)
{
    if (text_equals(type, "application/json"))
        return json_object();
    return text_starts(type, "text/")
               ? json_pack("{s:s}", "type", "string")
               : json_pack("{s:s,s:s}", "type", "string", "format", "binary");
}

static json_t *answers_of(const struct endpoint *row)
{
    static const char *const refusals[] = { "4XX", "5XX" };
    json_t *answers = json_object();
    auto_free char *status = xasprintf("%u", row->status);
    json_t *answer = json_pack("{s:s}", "description", row->status == 204 ? "Done." : "Answer.");

    if (row->answers != NULL) {
        auto_free char *name = row->list ? xasprintf("%sList", row->answers->name)
                                         : xstrdup(row->answers->name);
        json_object_set_new(answer, "content", content_of("application/json", reference(name)));
    } else if (row->bytes_type != NULL) {
        json_object_set_new(answer, "content",
                            content_of(row->bytes_type, schema_of_bytes(row->bytes_type)));
    }
    json_object_set_new(answers, status, answer);
    for (size_t i = 0; i < COUNT(refusals); i++)
        json_object_set_new(answers, refusals[i],
                            json_pack("{s:s,s:o}", "description", "Refusal.", "content",
                                      content_of("application/json", reference("error"))));
    return answers;
}

static json_t *security_of(const struct endpoint *row)
{
    json_t *list = json_array();

    if ((row->auth & AUTH_PUBLIC) != 0)
        json_array_append_new(list, json_object());
    if ((row->auth & AUTH_PROJECT) != 0)
        json_array_append_new(list, json_pack("{s:[]}", "Project"));
    if ((row->auth & AUTH_KEY) != 0)
        json_array_append_new(list, json_pack("{s:[],s:[]}", "Project", "Key"));
    if ((row->auth & AUTH_CLIENT) != 0) {
        json_array_append_new(list, json_pack("{s:[],s:[]}", "Project", "JWT"));
        json_array_append_new(list, json_pack("{s:[]}", "Project"));
    }
    return list;
}

static json_t *operation_of(const struct endpoint *row, uint64_t format)
{
    json_t *operation = json_pack("{s:s,s:s}", "operationId", row->id, "summary", row->summary);
    const char *dot = strchr(row->id, '.');
    json_t *scopes = json_array();

    json_object_set_new(operation, "tags",
                        json_pack("[o]", json_stringn(row->id, (size_t)(dot - row->id))));
    for (size_t i = 0; row->scopes != NULL && row->scopes[i] != NULL; i++)
        json_array_append_new(scopes, json_string(row->scopes[i]));
    json_object_set_new(operation, "x-scopes", scopes);
    add_parameters(operation, row, format);
    json_object_set_new(operation, "responses", answers_of(row));
    json_object_set_new(operation, "security", security_of(row));
    return operation;
}

static bool is_of_format(const struct endpoint *row, uint64_t format)
{
    return (row->since == NULL || format >= format_number(row->since)) &&
           (row->until == NULL || format <= format_number(row->until));
}

static json_t *all_paths(uint64_t format)
{
    json_t *paths = json_object();
    size_t position = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;) {
        const char *path = row->path + strlen("/v1");
        auto_free char *method = xstrdup(row->method);
        if (!is_of_format(row, format))
            continue;
        text_lower(method);
        if (json_object_get(paths, path) == NULL)
            json_object_set_new(paths, path, json_object());
        json_object_set_new(json_object_get(paths, path), method, operation_of(row, format));
    }
    return paths;
}

static json_t *key_scheme(const char *header)
{
    return json_pack("{s:s,s:s,s:s}", "type", "apiKey", "name", header, "in", "header");
}

int api_document_openapi(const char *format, struct buffer *out, struct error *err)
{
    uint64_t number = text_is_empty(format) ? FORMAT_NEWEST : format_number(format);

    if (number == 0 || format_is_too_new(number))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "\"%s\" is no response format up to %s",
                    format, api_version);
    struct models *models = models_new();
    json_t *paths = all_paths(number);
    json_t *schemas = used_schemas(paths, all_schemas(models, number));
    json_t *document = json_pack(
        "{s:s,s:{s:s,s:s,s:s,s:{s:s}},s:[{s:s}],s:o,s:{s:o,s:{s:o,s:o,s:o}}}", "openapi", "3.0.3",
        "info", "title", "functiond", "version", text_is_empty(format) ? api_version : format,
        "description", "Functions: create, deploy, execute.", "license", "name", "MIT License",
        "servers", "url", "/v1", "paths", paths, "components", "schemas", schemas,
        "securitySchemes", "Project", key_scheme("X-Appwrite-Project"), "Key",
        key_scheme("X-Appwrite-Key"), "JWT", key_scheme("X-Appwrite-JWT"));
    char *text = json_dumps(document, JSON_INDENT(2));
    int status = text == NULL || buffer_add_text(out, text) < 0 || buffer_add_char(out, '\n') < 0
                     ? fail(err, ERROR_INTERNAL, "the document could not be written")
                     : 0;
    free(text);
    json_decref(document);
    models_free(models);
    return status;
}
