/*
 * The schema about itself. Its types are rows like any other; a row also says how its value is
 * written, from the schema, a type's text, a field, an argument, a directive or an enum value.
 */
#include <string.h>

#include "graphql/graphql.h"
#include "json_text.h"
#include "mem.h"

struct gql_telling {
    const struct gql_schema *schema;
    struct buffer *out;
};

/* ---- writing --------------------------------------------------------------------------------- */

static void tell_text(struct gql_telling *telling, const char *text)
{
    if (text == NULL)
        buffer_add_text(telling->out, "null");
    else
        json_text_string(telling->out, text, strlen(text));
}

static void tell_null(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step, (void)node;
    buffer_add_text(telling->out, "null");
}

static void tell_false(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step, (void)node;
    buffer_add_text(telling->out, "false");
}

static void tell_object(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    buffer_add_char(telling->out, '{');
    for (const struct gql_step *at = step->steps; at != NULL; at = at->next) {
        if (telling->out->overflowed)
            return;
        json_text_key(telling->out, at->key);
        if (at->field == NULL)
            tell_text(telling, at->on->name);
        else
            at->field->tell(telling, at, node);
    }
    buffer_add_char(telling->out, '}');
}

static void tell_item(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    if (telling->out->data[telling->out->size - 1] == '}')
        buffer_add_char(telling->out, ',');
    tell_object(telling, step, node);
}

static void tell_type(struct gql_telling *telling, const struct gql_step *step, const char *text)
{
    struct gql_type type = gql_type(text);

    tell_object(telling, step, &type);
}

static void tell_arguments(struct gql_telling *telling, const struct gql_step *step,
                           const struct gql_argument *arguments)
{
    buffer_add_char(telling->out, '[');
    for (; arguments != NULL && arguments->name != NULL; arguments++)
        tell_item(telling, step, arguments);
    buffer_add_char(telling->out, ']');
}

/* ---- __Schema -------------------------------------------------------------------------------- */

static void schema_types(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_schema *schema = node;

    buffer_add_char(telling->out, '[');
    for (size_t i = 0; i < schema->count; i++) {
        struct gql_type type = gql_type(schema->objects[i]->name);
        tell_item(telling, step, &type);
    }
    buffer_add_char(telling->out, ']');
}

static void schema_query(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)node;
    tell_type(telling, step, "Query");
}

static void schema_mutation(struct gql_telling *telling, const struct gql_step *step,
                            const void *node)
{
    (void)node;
    tell_type(telling, step, "Mutation");
}

static void schema_directives(struct gql_telling *telling, const struct gql_step *step,
                              const void *node)
{
    (void)node;
    buffer_add_char(telling->out, '[');
    for (size_t i = 0; gql_directives[i].name != NULL; i++)
        tell_item(telling, step, &gql_directives[i]);
    buffer_add_char(telling->out, ']');
}

/* ---- __Type ---------------------------------------------------------------------------------- */

static const struct gql_object *object_of(struct gql_telling *telling, const void *node)
{
    const struct gql_type *type = node;

    return gql_schema_find(telling->schema, *type); /* NULL: a list, or required */
}

static void type_kind(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_object *object = object_of(telling, node);
    static const char *const kinds[] = {
        [GQL_SCALAR] = "SCALAR", [GQL_OBJECT] = "OBJECT", [GQL_ENUM] = "ENUM"
    };

    (void)step;
    tell_text(telling, object != NULL                                    ? kinds[object->kind]
                       : gql_is_required(*(const struct gql_type *)node) ? "NON_NULL"
                                                                         : "LIST");
}

static void type_name(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_object *object = object_of(telling, node);

    (void)step;
    tell_text(telling, object == NULL ? NULL : object->name);
}

static void type_text(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_object *object = object_of(telling, node);

    (void)step;
    tell_text(telling, object == NULL || object->text[0] == '\0' ? NULL : object->text);
}

static void type_fields(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_object *object = object_of(telling, node);

    if (object == NULL || object->kind != GQL_OBJECT) {
        tell_null(telling, step, node);
        return;
    }
    buffer_add_char(telling->out, '[');
    for (const struct gql_field *field = object->fields; field->name != NULL; field++)
        tell_item(telling, step, field);
    buffer_add_char(telling->out, ']');
}

static void type_interfaces(struct gql_telling *telling, const struct gql_step *step,
                            const void *node)
{
    const struct gql_object *object = object_of(telling, node);
    bool is_object = object != NULL && object->kind == GQL_OBJECT;

    (void)step;
    buffer_add_text(telling->out, is_object ? "[]" : "null");
}

static void type_values(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const struct gql_object *object = object_of(telling, node);

    if (object == NULL || object->kind != GQL_ENUM) {
        tell_null(telling, step, node);
        return;
    }
    buffer_add_char(telling->out, '[');
    for (size_t i = 0; object->values[i] != NULL; i++)
        tell_item(telling, step, object->values[i]);
    buffer_add_char(telling->out, ']');
}

static void type_of_type(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    struct gql_type type = *(const struct gql_type *)node;

    if (object_of(telling, node) != NULL) {
        tell_null(telling, step, node);
        return;
    }
    type = gql_is_required(type) ? gql_optional(type) : gql_item(type);
    tell_object(telling, step, &type);
}

/* ---- __Field, __InputValue, __EnumValue, __Directive ----------------------------------------- */

static void field_name(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_field *)node)->name);
}

static void field_text(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_field *)node)->text);
}

static void field_arguments(struct gql_telling *telling, const struct gql_step *step,
                            const void *node)
{
    tell_arguments(telling, step, ((const struct gql_field *)node)->arguments);
}

static void field_type(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    tell_type(telling, step, ((const struct gql_field *)node)->type);
}

static void input_name(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_argument *)node)->name);
}

static void input_text(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_argument *)node)->text);
}

static void input_type(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    tell_type(telling, step, ((const struct gql_argument *)node)->type);
}

static void value_name(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)step;
    tell_text(telling, node);
}

static void directive_name(struct gql_telling *telling, const struct gql_step *step,
                           const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_directive_row *)node)->name);
}

static void directive_text(struct gql_telling *telling, const struct gql_step *step,
                           const void *node)
{
    (void)step;
    tell_text(telling, ((const struct gql_directive_row *)node)->text);
}

static void directive_locations(struct gql_telling *telling, const struct gql_step *step,
                                const void *node)
{
    (void)step, (void)node;
    buffer_add_text(telling->out, "[\"FIELD\",\"FRAGMENT_SPREAD\",\"INLINE_FRAGMENT\"]");
}

static void directive_arguments(struct gql_telling *telling, const struct gql_step *step,
                                const void *node)
{
    tell_arguments(telling, step, ((const struct gql_directive_row *)node)->arguments);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct gql_argument with_deprecated[] = {
    { .name = "includeDeprecated", .type = "Boolean", .text = "Nothing is deprecated here." },
    { 0 },
};
static const struct gql_argument if_argument[] = {
    { .name = "if", .type = "Boolean!", .text = "Decides." },
    { 0 },
};
const struct gql_directive_row gql_directives[] = {
    { "include", "Only if the argument is true.", if_argument },
    { "skip", "Not if the argument is true.", if_argument },
    { 0 },
};

#define ROW(name_, type_, tell_)                                  \
    {                                                             \
        .name = name_, .type = type_, .text = NULL, .tell = tell_ \
    }
#define ROW_DEPRECATED(name_, type_, tell_)                                       \
    {                                                                             \
        .name = name_, .type = type_, .arguments = with_deprecated, .tell = tell_ \
    }

static const struct gql_field schema_rows[] = {
    ROW("description", "String", tell_null),
    ROW("types", "[__Type!]!", schema_types),
    ROW("queryType", "__Type!", schema_query),
    ROW("mutationType", "__Type", schema_mutation),
    ROW("subscriptionType", "__Type", tell_null),
    ROW("directives", "[__Directive!]!", schema_directives),
    { 0 },
};
static const struct gql_field type_rows[] = {
    ROW("kind", "__TypeKind!", type_kind),
    ROW("name", "String", type_name),
    ROW("description", "String", type_text),
    ROW("specifiedByURL", "String", tell_null),
    ROW_DEPRECATED("fields", "[__Field!]", type_fields),
    ROW("interfaces", "[__Type!]", type_interfaces),
    ROW("possibleTypes", "[__Type!]", tell_null),
    ROW_DEPRECATED("enumValues", "[__EnumValue!]", type_values),
    ROW_DEPRECATED("inputFields", "[__InputValue!]", tell_null),
    ROW("ofType", "__Type", type_of_type),
    ROW("isOneOf", "Boolean", tell_null),
    { 0 },
};
static const struct gql_field field_rows[] = {
    ROW("name", "String!", field_name),
    ROW("description", "String", field_text),
    ROW_DEPRECATED("args", "[__InputValue!]!", field_arguments),
    ROW("type", "__Type!", field_type),
    ROW("isDeprecated", "Boolean!", tell_false),
    ROW("deprecationReason", "String", tell_null),
    { 0 },
};
static const struct gql_field input_rows[] = {
    ROW("name", "String!", input_name),
    ROW("description", "String", input_text),
    ROW("type", "__Type!", input_type),
    ROW("defaultValue", "String", tell_null),
    ROW("isDeprecated", "Boolean!", tell_false),
    ROW("deprecationReason", "String", tell_null),
    { 0 },
};
static const struct gql_field value_rows[] = {
    ROW("name", "String!", value_name),
    ROW("description", "String", tell_null),
    ROW("isDeprecated", "Boolean!", tell_false),
    ROW("deprecationReason", "String", tell_null),
    { 0 },
};
static const struct gql_field directive_rows[] = {
    ROW("name", "String!", directive_name),
    ROW("description", "String", directive_text),
    ROW("isRepeatable", "Boolean!", tell_false),
    ROW("locations", "[__DirectiveLocation!]!", directive_locations),
    ROW_DEPRECATED("args", "[__InputValue!]!", directive_arguments),
    { 0 },
};
static const char *const kind_values[] = { "SCALAR",       "OBJECT", "INTERFACE", "UNION", "ENUM",
                                           "INPUT_OBJECT", "LIST",   "NON_NULL",  NULL };
static const char *const location_values[] = { "QUERY",
                                               "MUTATION",
                                               "SUBSCRIPTION",
                                               "FIELD",
                                               "FRAGMENT_DEFINITION",
                                               "FRAGMENT_SPREAD",
                                               "INLINE_FRAGMENT",
                                               "VARIABLE_DEFINITION",
                                               "SCHEMA",
                                               "SCALAR",
                                               "OBJECT",
                                               "FIELD_DEFINITION",
                                               "ARGUMENT_DEFINITION",
                                               "INTERFACE",
                                               "UNION",
                                               "ENUM",
                                               "ENUM_VALUE",
                                               "INPUT_OBJECT",
                                               "INPUT_FIELD_DEFINITION",
                                               NULL };

static const struct gql_object rows[] = {
    { .name = "__Schema", .text = "", .kind = GQL_OBJECT, .fields = schema_rows },
    { .name = "__Type", .text = "", .kind = GQL_OBJECT, .fields = type_rows },
    { .name = "__Field", .text = "", .kind = GQL_OBJECT, .fields = field_rows },
    { .name = "__InputValue", .text = "", .kind = GQL_OBJECT, .fields = input_rows },
    { .name = "__EnumValue", .text = "", .kind = GQL_OBJECT, .fields = value_rows },
    { .name = "__Directive", .text = "", .kind = GQL_OBJECT, .fields = directive_rows },
    { .name = "__TypeKind", .text = "", .kind = GQL_ENUM, .values = kind_values },
    { .name = "__DirectiveLocation", .text = "", .kind = GQL_ENUM, .values = location_values },
};

/* ---- the whole ------------------------------------------------------------------------------- */

static void root_schema(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    (void)node;
    tell_object(telling, step, telling->schema);
}

static void root_type(struct gql_telling *telling, const struct gql_step *step, const void *node)
{
    const char *name = json_string_value(json_object_get(step->arguments, "name"));
    struct gql_type type = gql_type(name == NULL ? "" : name);

    if (gql_schema_find(telling->schema, type) == NULL)
        tell_null(telling, step, node);
    else
        tell_object(telling, step, &type);
}

static const struct gql_argument name_argument[] = {
    { .name = "name", .type = "String!", .text = "" },
    { 0 },
};
const struct gql_field gql_root_schema = { .name = "__schema",
                                           .type = "__Schema!",
                                           .tell = root_schema };
const struct gql_field gql_root_type = {
    .name = "__type", .type = "__Type", .arguments = name_argument, .tell = root_type
};

void gql_tell(const struct gql_schema *schema, struct buffer *out, const struct gql_step *step)
{
    struct gql_telling telling = { .schema = schema, .out = out };

    step->field->tell(&telling, step, NULL);
}

void gql_add_introspection(struct gql_schema *schema)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gql_object *object = arena_alloc(&schema->arena, sizeof(*object));
        *object = rows[i];
        gql_schema_add(schema, object);
    }
}
