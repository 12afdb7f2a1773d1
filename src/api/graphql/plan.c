/*
 * From a checked document to what runs: which operation, how large it is, and its fields with
 * fragments, @include and @skip resolved and equal keys merged.
 */
#include <string.h>

#include "graphql/graphql.h"
#include "text.h"

enum { GREAT = 1000000000, RECURSION = 256 };

const struct gql_object *gql_root(const struct gql_schema *schema,
                                  const struct gql_operation *operation)
{
    switch (operation->kind) {
    case GQL_QUERY:
        return schema->query;
    case GQL_MUTATION:
        return schema->mutation;
    case GQL_SUBSCRIPTION:
        return NULL;
    }
    return NULL;
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct measuring {
    struct gql_errors *errors;
    unsigned recursion;
};

static void add(uint64_t *sum, uint64_t more)
{
    *sum = *sum + more > GREAT ? GREAT : *sum + more;
}

static void raise_to(uint64_t *most, uint64_t value)
{
    if (value > *most)
        *most = value;
}

static struct gql_measure measure_selections(struct measuring *measuring,
                                             const struct gql_selection *selections);

static struct gql_measure measure_fragment(struct measuring *measuring,
                                           struct gql_fragment *fragment,
                                           const struct gql_selection *spread)
{
    if (fragment->state == GQL_MEASURING) {
        gql_refuse(measuring->errors, spread->at, "Cannot spread fragment \"%.*s\" within itself.",
                   GQL_NAME, fragment->name);
        return (struct gql_measure){ 0 };
    }
    if (fragment->state == GQL_UNMEASURED) {
        fragment->state = GQL_MEASURING;
        fragment->measure = measure_selections(measuring, fragment->selections);
        fragment->state = GQL_MEASURED;
    }
    return fragment->measure;
}

/* Introspection counts as one field: its standard query is larger than any useful limit. */
static struct gql_measure measure_field(struct measuring *measuring,
                                        const struct gql_selection *field)
{
    struct gql_measure inner = { 0 }, sum = { .fields = 1, .all_fields = 1 };
    bool is_told = field->field == &gql_root_schema || field->field == &gql_root_type;

    if (field->selections != NULL)
        inner = measure_selections(measuring, field->selections);
    add(&sum.all_fields, inner.all_fields);
    add(&sum.all_depth, inner.all_depth + (field->selections != NULL ? 1 : 0));
    if (is_told)
        return sum;
    add(&sum.fields, inner.fields);
    add(&sum.depth, inner.depth + (field->selections != NULL ? 1 : 0));
    return sum;
}

static struct gql_measure measure_selections(struct measuring *measuring,
                                             const struct gql_selection *selections)
{
    struct gql_measure sum = { 0 };

    if (++measuring->recursion > RECURSION)
        gql_refuse(measuring->errors, selections->at,
                   "Fields and fragments are nested more than %d levels deep.", RECURSION);
    for (const struct gql_selection *at = selections; at != NULL; at = at->next) {
        struct gql_measure one = { 0 };
        if (measuring->errors->count > 0)
            break;
        if (at->kind == GQL_FIELD)
            one = measure_field(measuring, at);
        else if (at->fragment != NULL)
            one = measure_fragment(measuring, at->fragment, at);
        else
            one = measure_selections(measuring, at->selections);
        add(&sum.fields, one.fields);
        add(&sum.all_fields, one.all_fields);
        raise_to(&sum.depth, one.depth);
        raise_to(&sum.all_depth, one.all_depth);
    }
    measuring->recursion--;
    return sum;
}

static void judge(const struct gql_limits *limits, struct gql_request *request,
                  const struct gql_measure *measure)
{
    struct gql_at nowhere = { 0, 0 };
    uint64_t depth = measure->depth == 0 ? 0 : measure->depth - 1; /* the root is no depth */

    if (measure->fields > limits->complexity)
        gql_refuse(&request->errors, nowhere, "Max query complexity should be %llu but got %llu.",
                   (unsigned long long)limits->complexity, (unsigned long long)measure->fields);
    if (depth > limits->depth)
        gql_refuse(&request->errors, nowhere, "Max query depth should be %llu but got %llu.",
                   (unsigned long long)limits->depth, (unsigned long long)depth);
    if (measure->all_fields > GQL_FIELDS || measure->all_depth > GQL_NESTING)
        gql_refuse(&request->errors, nowhere,
                   "An introspection has at most %d fields, %d levels deep.", GQL_FIELDS,
                   GQL_NESTING);
}

/* Whatever is in the document is measured, so that no cycle is left; one operation is judged. */
static void gql_measure(const struct gql_limits *limits, struct gql_request *request)
{
    struct measuring measuring = { .errors = &request->errors };

    for (struct gql_operation *at = request->document->operations; at != NULL; at = at->next) {
        struct gql_measure measure = measure_selections(&measuring, at->selections);
        if (request->errors.count > 0)
            return;
        if (at == request->operation)
            judge(limits, request, &measure);
    }
}

/* ---- planning -------------------------------------------------------------------------------- */

struct planning {
    struct arena *arena;
    const struct gql_schema *schema;
    struct gql_request *request;
};

struct source { /* a list of selections that goes into one list of steps */
    struct source *next;
    const struct gql_selection *selections;
};

static bool is_if(const struct planning *planning, const struct gql_directive *directive)
{
    json_t *value = gql_value_json(gql_type("Boolean!"), directive->arguments->value,
                                   planning->request->variables);
    bool is_true = json_is_true(value);

    json_decref(value);
    return is_true;
}

static bool is_wanted(const struct planning *planning, const struct gql_directive *directives)
{
    for (; directives != NULL; directives = directives->next)
        if (is_if(planning, directives) != (strcmp(directives->name, "include") == 0))
            return false;
    return true;
}

static json_t *arguments_json(struct planning *planning, const struct gql_selection *selection)
{
    json_t *arguments = json_object();

    for (const struct gql_pair *pair = selection->arguments; pair != NULL; pair = pair->next) {
        const struct gql_argument *row = gql_find_argument(selection->field->arguments, pair->name);
        json_t *value = gql_value_json(gql_type(row->type), pair->value,
                                       planning->request->variables);
        if (json_is_null(value) && gql_is_required(gql_type(row->type)))
            gql_refuse(&planning->request->errors, pair->value->at,
                       "Argument \"%s\" of required type \"%s\" was provided null.", pair->name,
                       row->type);
        if (value != NULL)
            json_object_set_new(arguments, pair->name, value);
        else if (gql_is_required(gql_type(row->type)))
            gql_refuse(&planning->request->errors, pair->value->at,
                       "Argument \"%s\" of required type \"%s\" was provided a variable without a "
                       "value.",
                       pair->name, row->type);
    }
    json_array_append_new(planning->request->owned, arguments);
    return arguments;
}

struct collecting {
    struct planning *planning;
    const struct gql_object *on;
    struct gql_step **steps;
};

struct collected { /* a step and where its own steps come from */
    struct gql_step step;
    struct source *sources;
};

static void refuse_conflict(struct collecting *collecting, const struct gql_step *step,
                            const struct gql_selection *selection)
{
    const char *first = step->selection->name, *second = selection->name;

    if (strcmp(first, second) != 0)
        gql_refuse(&collecting->planning->request->errors, selection->at,
                   "Fields \"%.*s\" conflict because \"%s\" and \"%s\" are different fields. Use "
                   "different aliases on the fields to fetch both if this was intentional.",
                   GQL_NAME, step->key, first, second);
    else
        gql_refuse(&collecting->planning->request->errors, selection->at,
                   "Fields \"%.*s\" conflict because they have differing arguments. Use different "
                   "aliases on the fields to fetch both if this was intentional.",
                   GQL_NAME, step->key);
}

static struct collected *add_step(struct collecting *collecting,
                                  const struct gql_selection *selection)
{
    struct gql_step **end = collecting->steps;
    json_t *arguments = selection->field == NULL || selection->arguments == NULL
                            ? NULL
                            : arguments_json(collecting->planning, selection);

    for (; *end != NULL; end = &(*end)->next)
        if (strcmp((*end)->key, selection->key) == 0) {
            if (strcmp((*end)->selection->name, selection->name) != 0 ||
                (arguments == NULL) != ((*end)->arguments == NULL) ||
                (arguments != NULL && !json_equal(arguments, (*end)->arguments)))
                refuse_conflict(collecting, *end, selection);
            return (struct collected *)*end;
        }
    struct collected *collected = arena_alloc(collecting->planning->arena, sizeof(*collected));
    collected->step = (struct gql_step){ .key = selection->key,
                                         .field = selection->field,
                                         .on = collecting->on,
                                         .selection = selection,
                                         .arguments = arguments };
    *end = &collected->step;
    return collected;
}

static void collect(struct collecting *collecting, const struct gql_selection *selections)
{
    for (const struct gql_selection *at = selections; at != NULL; at = at->next) {
        if (!is_wanted(collecting->planning, at->directives) ||
            collecting->planning->request->errors.count > 0)
            continue;
        if (at->kind != GQL_FIELD) {
            collect(collecting, at->fragment != NULL ? at->fragment->selections : at->selections);
            continue;
        }
        struct collected *step = add_step(collecting, at);
        if (at->selections != NULL) {
            struct source *source = arena_alloc(collecting->planning->arena, sizeof(*source));
            struct source **end = &step->sources;
            source->selections = at->selections;
            while (*end != NULL)
                end = &(*end)->next;
            *end = source;
        }
    }
}

static struct gql_step *plan_steps(struct planning *planning, const struct gql_object *on,
                                   const struct source *sources)
{
    struct gql_step *steps = NULL;
    struct collecting collecting = { planning, on, &steps };

    for (; sources != NULL; sources = sources->next)
        collect(&collecting, sources->selections);
    for (struct gql_step *step = steps; step != NULL; step = step->next) {
        const struct source *inner = ((struct collected *)step)->sources;
        if (inner != NULL && step->field != NULL)
            step->steps = plan_steps(
                planning, gql_schema_find(planning->schema, gql_named(gql_type(step->field->type))),
                inner);
    }
    return steps;
}

static void gql_plan(struct arena *arena, const struct gql_schema *schema,
                     struct gql_request *request)
{
    struct planning planning = { arena, schema, request };
    struct source source = { .selections = request->operation->selections };

    request->owned = json_array();
    request->steps = plan_steps(&planning, gql_root(schema, request->operation), &source);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void choose_operation(struct gql_request *request)
{
    struct gql_operation *at = request->document->operations;
    struct gql_at nowhere = { 0, 0 };

    if (text_is_empty(request->operation_name)) {
        if (at->next != NULL)
            gql_refuse(&request->errors, nowhere,
                       "Must provide operation name if query contains multiple operations.");
        request->operation = at;
        return;
    }
    while (at != NULL && !text_equals(at->name, request->operation_name))
        at = at->next;
    if (at == NULL)
        gql_refuse(&request->errors, nowhere, "Unknown operation named \"%.*s\".", GQL_NAME,
                   request->operation_name);
    request->operation = at;
}

static void refuse_introspection(struct gql_request *request)
{
    for (const struct gql_step *step = request->steps; step != NULL; step = step->next)
        if (step->field == &gql_root_schema || step->field == &gql_root_type)
            gql_refuse(&request->errors, step->selection->at,
                       "GraphQL introspection is not allowed, but the query contained __schema or "
                       "__type");
}

bool gql_prepare(struct arena *arena, const struct gql_schema *schema,
                 const struct gql_limits *limits, struct gql_request *request)
{
    struct gql_errors *errors = &request->errors;

    errors->arena = arena;
    request->document = gql_parse(arena, request->text, request->bytes, errors);
    if (request->document == NULL)
        return false;
    gql_check(schema, request);
    if (errors->count == 0)
        choose_operation(request);
    if (errors->count == 0)
        gql_measure(limits, request);
    if (errors->count == 0)
        gql_check_uses(schema, request);
    if (errors->count == 0)
        gql_read_variables(schema, request);
    if (errors->count == 0)
        gql_plan(arena, schema, request);
    if (errors->count == 0 && !limits->introspection)
        refuse_introspection(request);
    return errors->count == 0;
}

void gql_request_release(struct gql_request *request)
{
    json_decref(request->variables);
    json_decref(request->owned);
    request->variables = request->owned = NULL;
}
