/*
 * What a document says, against the schema: each operation and each fragment by itself. Fields and
 * fragments it finds are noted in the selections. Variables are the matter of uses.c.
 */
#include <string.h>

#include "graphql/graphql.h"

struct check {
    const struct gql_schema *schema;
    struct gql_document *document;
    struct gql_errors *errors;
};

/* ---- arguments and directives ---------------------------------------------------------------- */

/* what: how a message calls the owner: field "Query.functionsGet", directive "@skip". */
static void check_arguments(struct check *check, const struct gql_argument *rows,
                            const struct gql_pair *arguments, struct gql_at at, const char *what,
                            const char *name)
{
    for (const struct gql_pair *pair = arguments; pair != NULL; pair = pair->next) {
        const struct gql_argument *row = gql_find_argument(rows, pair->name);
        const struct gql_pair *same = arguments;
        while (same != pair && strcmp(same->name, pair->name) != 0)
            same = same->next;
        if (same != pair)
            gql_refuse(check->errors, pair->at, "There can be only one argument named \"%.*s\".",
                       GQL_NAME, pair->name);
        else if (row == NULL)
            gql_refuse(check->errors, pair->at, "Unknown argument \"%.*s\" on %s \"%.*s\".",
                       GQL_NAME, pair->name, what, 2 * GQL_NAME, name);
        else
            gql_check_literal(check->schema, check->errors, gql_type(row->type), pair->value);
        if (check->errors->count >= GQL_ERRORS)
            return;
    }
    for (const struct gql_argument *row = rows; row != NULL && row->name != NULL; row++) {
        const struct gql_pair *pair = arguments;
        while (pair != NULL && strcmp(pair->name, row->name) != 0)
            pair = pair->next;
        if (pair == NULL && gql_is_required(gql_type(row->type)))
            gql_refuse(check->errors, at,
                       "%c%s \"%.*s\" argument \"%s\" of type \"%s\" is required but not provided.",
                       what[0] - 'a' + 'A', what + 1, 2 * GQL_NAME, name, row->name, row->type);
    }
}

static void check_directives(struct check *check, const struct gql_directive *directives)
{
    for (const struct gql_directive *at = directives; at != NULL; at = at->next) {
        const struct gql_directive_row *row = gql_directives;
        const struct gql_directive *same = directives;
        char name[GQL_NAME + 2] = "@";
        while (row->name != NULL && strcmp(row->name, at->name) != 0)
            row++;
        while (same != at && strcmp(same->name, at->name) != 0)
            same = same->next;
        strncat(name, at->name, GQL_NAME);
        if (row->name == NULL)
            gql_refuse(check->errors, at->at, "Unknown directive \"%s\".", name);
        else if (same != at)
            gql_refuse(check->errors, at->at,
                       "The directive \"%s\" can only be used once at this location.", name);
        else
            check_arguments(check, row->arguments, at->arguments, at->at, "directive", name);
        if (check->errors->count >= GQL_ERRORS)
            return;
    }
}

/* Directives of this schema stand in selections only. */
static void refuse_directives(struct check *check, const struct gql_directive *directives,
                              const char *where)
{
    for (; directives != NULL && check->errors->count < GQL_ERRORS; directives = directives->next)
        gql_refuse(check->errors, directives->at, "Directive \"@%.*s\" may not be used on %s.",
                   GQL_NAME, directives->name, where);
}

/* ---- selections ------------------------------------------------------------------------------ */

static void check_selections(struct check *check, const struct gql_object *object,
                             struct gql_selection *selections);

static const struct gql_field *find_field(const struct check *check,
                                          const struct gql_object *object, const char *name)
{
    const struct gql_field *field = gql_find_field(object, name);

    if (field == NULL && object == check->schema->query && strcmp(name, "__schema") == 0)
        return &gql_root_schema;
    if (field == NULL && object == check->schema->query && strcmp(name, "__type") == 0)
        return &gql_root_type;
    return field;
}

static void check_field(struct check *check, const struct gql_object *object,
                        struct gql_selection *selection)
{
    bool is_typename = strcmp(selection->name, "__typename") == 0;
    const char *type = "String!";
    char name[2 * GQL_NAME + 2];

    selection->field = is_typename ? NULL : find_field(check, object, selection->name);
    check_directives(check, selection->directives);
    if (!is_typename && selection->field == NULL) {
        gql_refuse(check->errors, selection->at, "Cannot query field \"%.*s\" on type \"%s\".",
                   GQL_NAME, selection->name, object->name);
        return;
    }
    if (selection->field != NULL)
        type = selection->field->type;
    snprintf(name, sizeof(name), "%.*s.%.*s", GQL_NAME, object->name, GQL_NAME, selection->name);
    check_arguments(check, is_typename ? NULL : selection->field->arguments, selection->arguments,
                    selection->at, "field", name);
    const struct gql_object *inner = gql_schema_find(check->schema, gql_named(gql_type(type)));
    bool is_object = inner != NULL && inner->kind == GQL_OBJECT;
    if (is_object && selection->selections == NULL)
        gql_refuse(check->errors, selection->at,
                   "Field \"%s\" of type \"%s\" must have a selection of subfields. Did you mean "
                   "\"%s { ... }\"?",
                   selection->name, type, selection->name);
    else if (!is_object && selection->selections != NULL)
        gql_refuse(check->errors, selection->at,
                   "Field \"%s\" must not have a selection since type \"%s\" has no subfields.",
                   selection->name, type);
    else if (is_object)
        check_selections(check, inner, selection->selections);
}

static void check_spread(struct check *check, const struct gql_object *object,
                         struct gql_selection *selection)
{
    struct gql_fragment *fragment = map_get(&check->document->fragments_by_name, selection->name);

    check_directives(check, selection->directives);
    selection->fragment = fragment;
    if (fragment == NULL) {
        gql_refuse(check->errors, selection->at, "Unknown fragment \"%.*s\".", GQL_NAME,
                   selection->name);
        return;
    }
    fragment->used = true;
    const struct gql_object *on = gql_schema_find(check->schema, gql_type(fragment->on));
    if (on != NULL && on->kind == GQL_OBJECT && on != object)
        gql_refuse(check->errors, selection->at,
                   "Fragment \"%.*s\" cannot be spread here as objects of type \"%s\" can never be "
                   "of type \"%.*s\".",
                   GQL_NAME, fragment->name, object->name, GQL_NAME, fragment->on);
}

static const struct gql_object *object_of_condition(struct check *check, const char *on,
                                                    struct gql_at at, const char *name)
{
    const struct gql_object *object = gql_schema_find(check->schema, gql_type(on));

    if (object == NULL)
        gql_refuse(check->errors, at, "Unknown type \"%.*s\".", GQL_NAME, on);
    else if (object->kind != GQL_OBJECT)
        gql_refuse(check->errors, at,
                   "Fragment \"%.*s\" cannot condition on non composite type \"%s\".", GQL_NAME,
                   name, on);
    return object != NULL && object->kind == GQL_OBJECT ? object : NULL;
}

static void check_inline(struct check *check, const struct gql_object *object,
                         struct gql_selection *selection)
{
    const struct gql_object *on = object;

    check_directives(check, selection->directives);
    if (selection->on != NULL)
        on = object_of_condition(check, selection->on, selection->at, selection->on);
    if (on != NULL && on != object)
        gql_refuse(check->errors, selection->at,
                   "Fragment cannot be spread here as objects of type \"%s\" can never be of type "
                   "\"%s\".",
                   object->name, on->name);
    else if (on != NULL)
        check_selections(check, on, selection->selections);
}

static void check_selections(struct check *check, const struct gql_object *object,
                             struct gql_selection *selections)
{
    for (struct gql_selection *at = selections; at != NULL; at = at->next) {
        if (check->errors->count >= GQL_ERRORS)
            return;
        switch (at->kind) {
        case GQL_FIELD:
            check_field(check, object, at);
            break;
        case GQL_FRAGMENT_SPREAD:
            check_spread(check, object, at);
            break;
        case GQL_INLINE_FRAGMENT:
            check_inline(check, object, at);
            break;
        }
    }
}

/* ---- definitions ----------------------------------------------------------------------------- */

static void check_operation(struct check *check, struct gql_operation *operation)
{
    static const char *const places[] = {
        [GQL_QUERY] = "QUERY", [GQL_MUTATION] = "MUTATION", [GQL_SUBSCRIPTION] = "SUBSCRIPTION"
    };
    const struct gql_object *root = gql_root(check->schema, operation);
    const struct gql_operation *same = check->document->operations;

    if (operation->name == NULL && (same != operation || operation->next != NULL))
        gql_refuse(check->errors, operation->at,
                   "This anonymous operation must be the only defined operation.");
    while (same != operation && (operation->name == NULL || same->name == NULL ||
                                 strcmp(same->name, operation->name) != 0))
        same = same->next;
    if (same != operation)
        gql_refuse(check->errors, operation->at, "There can be only one operation named \"%.*s\".",
                   GQL_NAME, operation->name);
    refuse_directives(check, operation->directives, places[operation->kind]);
    if (root == NULL)
        gql_refuse(check->errors, operation->at,
                   "Schema is not configured to execute subscription operation.");
    else
        check_selections(check, root, operation->selections);
}

static void check_fragment(struct check *check, struct gql_fragment *fragment)
{
    const struct gql_object *on = object_of_condition(check, fragment->on, fragment->at,
                                                      fragment->name);

    refuse_directives(check, fragment->directives, "FRAGMENT_DEFINITION");
    if (on != NULL)
        check_selections(check, on, fragment->selections);
}

static void name_fragments(struct check *check)
{
    struct gql_document *document = check->document;

    map_init(&document->fragments_by_name);
    for (struct gql_fragment *at = document->fragments; at != NULL; at = at->next)
        if (map_get(&document->fragments_by_name, at->name) != NULL)
            gql_refuse(check->errors, at->at, "There can be only one fragment named \"%.*s\".",
                       GQL_NAME, at->name);
        else
            map_set(&document->fragments_by_name, at->name, at);
}

void gql_check(const struct gql_schema *schema, struct gql_request *request)
{
    struct gql_document *document = request->document;
    struct check check = { schema, document, &request->errors };

    name_fragments(&check);
    if (document->operations == NULL)
        gql_refuse(check.errors, (struct gql_at){ 0, 0 }, "Must provide an operation.");
    for (struct gql_operation *at = document->operations; at != NULL; at = at->next)
        check_operation(&check, at);
    for (struct gql_fragment *at = document->fragments; at != NULL; at = at->next)
        check_fragment(&check, at);
    for (struct gql_fragment *at = document->fragments; at != NULL; at = at->next)
        if (!at->used)
            gql_refuse(check.errors, at->at, "Fragment \"%.*s\" is never used.", GQL_NAME,
                       at->name);
    map_release(&document->fragments_by_name);
}
