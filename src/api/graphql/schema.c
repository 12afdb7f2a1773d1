/*
 * The schema out of the rows of the catalogue. A type has the fields of all response formats: a
 * document of any age is valid, and what the format asked for lacks is null.
 */
#include "graphql/graphql.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "mem.h"
#include "model.h"
#include "text.h"
#include "versions.h"

enum { FIELDS_MOST = 160, ARGUMENTS_MOST = 80 };

/* Names of the time before an endpoint had its own path. */
static const struct {
    const char *name, *id;
    size_t alias;
} old_fields[] = {
    { "functionsUpdateDeployment", "functions.updateFunctionDeployment", 1 },
    { "functionsCreateBuild", "functions.createDuplicateDeployment", 1 },
    { "functionsRetryBuild", "functions.createDuplicateDeployment", 2 },
};

static const struct gql_field header_fields[] = {
    { .name = "name", .type = "String", .text = "Header name.", .member = "name" },
    { .name = "value", .type = "String", .text = "Header value.", .member = "value" },
    { 0 },
};

static const struct gql_field none_fields[] = {
    { .name = "status", .type = "String", .text = "OK when it is done.", .member = "status" },
    { 0 },
};

static const struct gql_object fixed_objects[] = {
    { .name = "String", .kind = GQL_SCALAR, .text = "Text." },
    { .name = "Int", .kind = GQL_SCALAR, .text = "Whole number." },
    { .name = "Float", .kind = GQL_SCALAR, .text = "Number." },
    { .name = "Boolean", .kind = GQL_SCALAR, .text = "true or false." },
    { .name = "Json", .kind = GQL_SCALAR, .text = "Any JSON value." },
    { .name = "Assoc", .kind = GQL_SCALAR, .text = "A JSON object, or its text." },
    { .name = "InputFile", .kind = GQL_SCALAR, .text = "A file of a multipart request." },
    { .name = "Headers", .kind = GQL_OBJECT, .text = "One header.", .fields = header_fields },
    { .name = "None", .kind = GQL_OBJECT, .text = "Nothing to tell.", .fields = none_fields },
};

/* ---- names ----------------------------------------------------------------------------------- */

static char *capital(struct arena *arena, const char *name, const char *behind)
{
    char *text = arena_textf(arena, "%s%s", name, behind);

    text[0] = (char)toupper((unsigned char)text[0]);
    return text;
}

/* functions.createExecution -> functionsCreateExecution */
static char *field_name(struct arena *arena, const char *id)
{
    char *name = arena_text(arena, id, strlen(id)), *dot = strchr(name, '.');

    if (dot != NULL) {
        memmove(dot, dot + 1, strlen(dot + 1) + 1);
        *dot = (char)toupper((unsigned char)*dot);
    }
    return name;
}

/* $id -> _id */
static const char *member_name(struct arena *arena, const char *member)
{
    return member[0] == '$' ? arena_textf(arena, "_%s", member + 1) : member;
}

/* ---- models ---------------------------------------------------------------------------------- */

static bool is_model(const char *name)
{
    bool is_known = strcmp(name, "headers") == 0;

    for (size_t i = 0; all_models[i] != NULL && !is_known; i++)
        is_known = strcmp(all_models[i]->name, name) == 0;
    return is_known;
}

static const char *type_of_text(struct arena *arena, const char *type)
{
    static const struct {
        const char *type, *name;
    } rows[] = { { "string", "String" },
                 { "integer", "Int" },
                 { "number", "Float" },
                 { "boolean", "Boolean" } };

    if (type == NULL)
        return "Json";
    if (text_starts(type, "array:"))
        return arena_textf(arena, "[%s]", type_of_text(arena, type + strlen("array:")));
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].type, type) == 0)
            return rows[i].name;
    return is_model(type) ? capital(arena, type, "") : "Json";
}

static const char *type_of_field(struct arena *arena, const struct field *field)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TEXT_HERE:
    case FIELD_CONSTANT:
    case FIELD_DATE:
    case FIELD_DATE_OR_NULL:
        return "String";
    case FIELD_INTEGER:
        return "Int";
    case FIELD_REAL:
        return "Float";
    case FIELD_BOOLEAN:
        return "Boolean";
    case FIELD_JSON:
    case FIELD_OWN:
        return type_of_text(arena, field->type);
    }
    return "Json";
}

struct fields {
    struct arena *arena;
    struct gql_field rows[FIELDS_MOST];
    size_t count;
};

static void add_field(struct fields *fields, const struct gql_field *field)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strcmp(fields->rows[i].name, field->name) == 0)
            return;
    if (fields->count < FIELDS_MOST)
        fields->rows[fields->count++] = *field;
}

static const struct gql_field *finish_fields(const struct fields *fields)
{
    struct gql_field *rows = arena_alloc(fields->arena, (fields->count + 1) * sizeof(*rows));

    if (fields->count > 0)
        memcpy(rows, fields->rows, fields->count * sizeof(*rows));
    return rows;
}

static void add_object(struct gql_schema *schema, const char *name, const struct fields *fields)
{
    struct gql_object *object = arena_alloc(&schema->arena, sizeof(*object));

    *object = (struct gql_object){
        .name = name, .text = "", .kind = GQL_OBJECT, .fields = finish_fields(fields)
    };
    gql_schema_add(schema, object);
}

/* Fields of the newest format first, then those that only older ones have. */
static void add_model(struct gql_schema *schema, const struct models *models,
                      const struct model *model)
{
    struct arena *arena = &schema->arena;
    struct fields fields = { .arena = arena };

    for (size_t level = 0; versions_level(level) != 0; level++) {
        const struct field *const *rows = models_fields(models, versions_level(level), model,
                                                        false);
        for (; *rows != NULL; rows++) {
            if ((*rows)->in_extra)
                continue;
            add_field(&fields, &(struct gql_field){ .name = member_name(arena, (*rows)->name),
                                                    .type = type_of_field(arena, *rows),
                                                    .text = (*rows)->text,
                                                    .member = (*rows)->name });
        }
    }
    add_object(schema, capital(arena, model->name, ""), &fields);
    if (model->items == NULL)
        return;
    fields.count = 0;
    add_field(&fields, &(struct gql_field){ .name = "total",
                                            .type = "Int",
                                            .text = "How many there are.",
                                            .member = "total" });
    add_field(&fields, &(struct gql_field){
                           .name = model->items,
                           .type = arena_textf(arena, "[%s]", capital(arena, model->name, "")),
                           .text = "One page of them.",
                           .member = model->items });
    add_object(schema, capital(arena, model->name, "List"), &fields);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static const char *type_of_param(const struct param *param)
{
    switch (param->kind) {
    case PARAM_TEXT:
    case PARAM_BYTES:
        return "String";
    case PARAM_INTEGER:
        return "Int";
    case PARAM_BOOLEAN:
        return "Boolean";
    case PARAM_LIST:
    case PARAM_QUERIES:
        return "[String]";
    case PARAM_OBJECT:
        return "Json";
    }
    return "Json";
}

struct arguments {
    struct gql_argument rows[ARGUMENTS_MOST + 1]; /* ends with { 0 } */
    size_t count;
};

static void add_argument(struct arguments *arguments, const char *name, const char *type,
                         const char *text)
{
    if (gql_find_argument(arguments->rows, name) != NULL || arguments->count == ARGUMENTS_MOST)
        return;
    arguments->rows[arguments->count++] = (struct gql_argument){ .name = name,
                                                                 .type = type,
                                                                 .text = text == NULL ? "" : text };
}

/* What only an older path names: {buildId}. */
static void add_path_arguments(struct arena *arena, struct arguments *arguments, const char *path)
{
    for (const char *open; (open = strchr(path, '{')) != NULL; path = open) {
        size_t bytes = strcspn(++open, "}");
        add_argument(arguments, arena_text(arena, open, bytes), "String", "");
    }
}

static const struct gql_argument *arguments_of(struct arena *arena, const struct endpoint *row,
                                               const char *path)
{
    struct arguments arguments = { .count = 0 };
    size_t position = 0;

    for (const struct param *param = row->params; param != NULL && param->name != NULL; param++) {
        bool may_lack = param->optional || param->nullable ||
                        versions_fills_in(row->id, param->name);
        const char *type = type_of_param(param);
        add_argument(&arguments, param->name, may_lack ? type : arena_textf(arena, "%s!", type),
                     param->text);
    }
    if (row->files != NULL)
        add_argument(&arguments, "code", "InputFile!", "Package.");
    add_path_arguments(arena, &arguments, path);
    for (const char *name; (name = versions_old_input(row->id, &position)) != NULL;)
        add_argument(&arguments, name, "String", "For older response formats.");
    struct gql_argument *rows = arena_alloc(arena, (arguments.count + 1) * sizeof(*rows));
    memcpy(rows, arguments.rows, (arguments.count + 1) * sizeof(*rows));
    return rows;
}

static void add_endpoint(struct fields *fields, const struct endpoint *row, const char *name,
                         size_t alias)
{
    struct arena *arena = fields->arena;
    const char *path = alias == 0 ? row->path : row->aliases[alias - 1];
    const char *type = row->answers == NULL
                           ? "None"
                           : capital(arena, row->answers->name, row->list ? "List" : "");

    add_field(fields, &(struct gql_field){ .name = name,
                                           .type = type,
                                           .text = row->summary,
                                           .arguments = arguments_of(arena, row, path),
                                           .endpoint = row,
                                           .alias = alias });
}

static bool is_json(const struct endpoint *row)
{
    return row->answers != NULL || row->status == 204;
}

static void add_root(struct gql_schema *schema, const char *name, bool is_query)
{
    struct fields fields = { .arena = &schema->arena };
    size_t position = 0;

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        if ((strcmp(row->method, "GET") == 0) == is_query && is_json(row))
            add_endpoint(&fields, row, field_name(&schema->arena, row->id), 0);
    position = 0;
    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        for (size_t i = 0; i < COUNT(old_fields); i++)
            if (!is_query && strcmp(row->id, old_fields[i].id) == 0)
                add_endpoint(&fields, row, old_fields[i].name, old_fields[i].alias);
    add_object(schema, name, &fields);
}

/* ---- the whole ------------------------------------------------------------------------------- */

void gql_schema_add(struct gql_schema *schema, struct gql_object *object)
{
    if (schema->count + 1 >= schema->room) {
        schema->room = schema->room == 0 ? 64 : 2 * schema->room;
        schema->objects = xrealloc(schema->objects, schema->room * sizeof(*schema->objects));
    }
    if (map_get(&schema->by_name, object->name) != NULL)
        return;
    map_set(&schema->by_name, object->name, object);
    schema->objects[schema->count++] = object;
    schema->objects[schema->count] = NULL;
}

struct gql_schema *gql_schema_new(const struct models *models)
{
    struct gql_schema *schema = xcalloc(1, sizeof(*schema));

    map_init(&schema->by_name);
    for (size_t i = 0; i < COUNT(fixed_objects); i++) {
        struct gql_object *object = arena_alloc(&schema->arena, sizeof(*object));
        *object = fixed_objects[i];
        gql_schema_add(schema, object);
    }
    for (size_t i = 0; all_models[i] != NULL; i++)
        add_model(schema, models, all_models[i]);
    add_root(schema, "Query", true);
    add_root(schema, "Mutation", false);
    gql_add_introspection(schema);
    schema->query = gql_schema_find(schema, gql_type("Query"));
    schema->mutation = gql_schema_find(schema, gql_type("Mutation"));
    return schema;
}

void gql_schema_free(struct gql_schema *schema)
{
    if (schema == NULL)
        return;
    map_release(&schema->by_name);
    free(schema->objects);
    arena_release(&schema->arena);
    free(schema);
}

const struct gql_object *gql_schema_find(const struct gql_schema *schema, struct gql_type type)
{
    return map_get_sized(&schema->by_name, type.text, type.bytes);
}

const struct gql_field *gql_find_field(const struct gql_object *object, const char *name)
{
    for (const struct gql_field *field = object->fields; field != NULL && field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

const struct gql_argument *gql_find_argument(const struct gql_argument *arguments, const char *name)
{
    for (; arguments != NULL && arguments->name != NULL; arguments++)
        if (strcmp(arguments->name, name) == 0)
            return arguments;
    return NULL;
}
