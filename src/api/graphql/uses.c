/* Variables: what an operation declares, and what its selections and their fragments use. */
#include <string.h>

#include "graphql/graphql.h"

struct uses {
    const struct gql_schema *schema;
    struct gql_operation *operation;
    struct gql_errors *errors;
};

static struct gql_variable *find_variable(const struct gql_operation *operation, const char *name)
{
    struct gql_variable *variable = operation->variables;

    while (variable != NULL && strcmp(variable->name, name) != 0)
        variable = variable->next;
    return variable;
}

static const char *of_operation(const struct uses *uses)
{
    return uses->operation->name == NULL ? "" : uses->operation->name;
}

/* A default that is not null makes a variable good for what must not be null. */
static bool fits(const struct gql_variable *variable, struct gql_type asked)
{
    bool has_default = variable->fallback != NULL && variable->fallback->kind != GQL_VALUE_NULL;

    return gql_type_fits(gql_type(variable->type), has_default ? gql_optional(asked) : asked);
}

static void use_variable(struct uses *uses, struct gql_type asked, const struct gql_value *value)
{
    struct gql_variable *variable = find_variable(uses->operation, value->text);
    const char *name = of_operation(uses);

    if (variable == NULL) {
        gql_refuse(uses->errors, value->at, "Variable \"$%.*s\" is not defined%s%.*s%s.", GQL_NAME,
                   value->text, *name ? " by operation \"" : "", GQL_NAME, name, *name ? "\"" : "");
        return;
    }
    variable->used = true;
    if (asked.bytes > 0 && !fits(variable, asked))
        gql_refuse(uses->errors, value->at,
                   "Variable \"$%.*s\" of type \"%.*s\" used in position expecting type \"%.*s\".",
                   GQL_NAME, value->text, GQL_NAME, variable->type, (int)asked.bytes, asked.text);
}

/* asked.bytes 0: anything goes, as inside of Json. */
static void use_value(struct uses *uses, struct gql_type asked, const struct gql_value *value)
{
    struct gql_type list = gql_optional(asked);

    switch (value->kind) {
    case GQL_VARIABLE:
        use_variable(uses, asked, value);
        return;
    case GQL_VALUE_LIST:
    case GQL_VALUE_OBJECT:
        asked = value->kind == GQL_VALUE_LIST && gql_is_list(list) ? gql_item(list)
                                                                   : (struct gql_type){ "", 0 };
        for (const struct gql_value *item = value->items; item != NULL; item = item->next)
            use_value(uses, asked, item);
        return;
    case GQL_VALUE_INT:
    case GQL_VALUE_FLOAT:
    case GQL_VALUE_STRING:
    case GQL_VALUE_BOOLEAN:
    case GQL_VALUE_NULL:
    case GQL_VALUE_ENUM:
        return;
    }
}

static void use_arguments(struct uses *uses, const struct gql_argument *rows,
                          const struct gql_pair *arguments)
{
    for (; arguments != NULL; arguments = arguments->next) {
        const struct gql_argument *row = gql_find_argument(rows, arguments->name);
        if (row != NULL)
            use_value(uses, gql_type(row->type), arguments->value);
    }
}

static void use_directives(struct uses *uses, const struct gql_directive *directives)
{
    for (; directives != NULL; directives = directives->next)
        for (const struct gql_directive_row *row = gql_directives; row->name != NULL; row++)
            if (strcmp(row->name, directives->name) == 0)
                use_arguments(uses, row->arguments, directives->arguments);
}

/* Fragments are walked once an operation. How deep this goes has been measured before. */
static void use_selections(struct uses *uses, const struct gql_selection *selections)
{
    for (const struct gql_selection *at = selections; at != NULL; at = at->next) {
        if (uses->errors->count >= GQL_ERRORS)
            return;
        use_directives(uses, at->directives);
        if (at->field != NULL)
            use_arguments(uses, at->field->arguments, at->arguments);
        use_selections(uses, at->selections);
        if (at->fragment != NULL && at->fragment->walked_for != uses->operation) {
            at->fragment->walked_for = uses->operation;
            use_selections(uses, at->fragment->selections);
        }
    }
}

static void check_declared(struct uses *uses)
{
    const struct gql_operation *operation = uses->operation;

    for (const struct gql_variable *at = operation->variables; at != NULL; at = at->next) {
        struct gql_type named = gql_named(gql_type(at->type));
        const struct gql_object *object = gql_schema_find(uses->schema, named);
        if (uses->errors->count >= GQL_ERRORS)
            return;
        if (find_variable(operation, at->name) != at)
            gql_refuse(uses->errors, at->at, "There can be only one variable named \"$%.*s\".",
                       GQL_NAME, at->name);
        else if (object == NULL)
            gql_refuse(uses->errors, at->at, "Unknown type \"%.*s\".",
                       (int)(named.bytes > GQL_NAME ? GQL_NAME : named.bytes), named.text);
        else if (object->kind == GQL_OBJECT)
            gql_refuse(uses->errors, at->at,
                       "Variable \"$%.*s\" cannot be non-input type \"%.*s\".", GQL_NAME, at->name,
                       GQL_NAME, at->type);
        else if (at->fallback != NULL)
            gql_check_literal(uses->schema, uses->errors, gql_type(at->type), at->fallback);
    }
}

void gql_check_uses(const struct gql_schema *schema, struct gql_request *request)
{
    for (struct gql_operation *at = request->document->operations; at != NULL; at = at->next) {
        struct uses uses = { schema, at, &request->errors };
        const char *name = of_operation(&uses);
        check_declared(&uses);
        use_selections(&uses, at->selections);
        for (const struct gql_variable *variable = at->variables; variable != NULL;
             variable = variable->next)
            if (!variable->used && request->errors.count < GQL_ERRORS)
                gql_refuse(&request->errors, variable->at,
                           "Variable \"$%.*s\" is never used%s%.*s%s.", GQL_NAME, variable->name,
                           *name ? " in operation \"" : "", GQL_NAME, name, *name ? "\"" : "");
    }
}
