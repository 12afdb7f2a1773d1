/* GraphQL: documents, what is refused, and root fields through the catalogue. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "graphql/graphql.h"
#include "mem.h"

/* ---- documents ------------------------------------------------------------------------------- */

static struct gql_document *parse(struct arena *arena, struct gql_errors *errors, const char *text)
{
    *errors = (struct gql_errors){ .arena = arena };
    return gql_parse(arena, text, strlen(text), errors);
}

static void a_document_has_operations_fragments_and_values(void **state)
{
    struct arena arena = { 0 };
    struct gql_errors errors;

    (void)state;
    struct gql_document *document = parse(
        &arena, &errors,
        "# comment\nquery Q($a: [String!]! = [\"x\"]) { one: b(c: $a, d: {e: -1.5e3, f: RED}) "
        "{ ...F @include(if: true) ... on T { g } } }\nfragment F on T { h }");

    assert_non_null(document);
    const struct gql_operation *query = document->operations;
    assert_string_equal(query->name, "Q");
    assert_string_equal(query->variables->type, "[String!]!");
    assert_string_equal(query->variables->fallback->items->text, "x");
    assert_string_equal(query->selections->key, "one");
    assert_string_equal(query->selections->name, "b");
    assert_int_equal(query->selections->arguments->value->kind, GQL_VARIABLE);
    const struct gql_value *object = query->selections->arguments->next->value;
    assert_int_equal(object->items->kind, GQL_VALUE_FLOAT);
    assert_int_equal(object->items->next->kind, GQL_VALUE_ENUM);
    assert_int_equal(query->selections->selections->kind, GQL_FRAGMENT_SPREAD);
    assert_string_equal(query->selections->selections->next->on, "T");
    assert_string_equal(document->fragments->on, "T");
    assert_int_equal(document->fragments->at.line, 3);
    arena_release(&arena);
}

static void strings_are_decoded_and_blocks_lose_their_indentation(void **state)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        { "\"\"", "" },
        { "\"a\\n\\\"\\u00e9\\ud83d\\ude00\\u{1F600}\"", "a\n\"é😀😀" },
        { "\"\"\"\n    a\n      b\n\n    c\n  \"\"\"", "a\n  b\n\nc" },
        { "\"\"\"x \\\"\"\" y\"\"\"", "x \"\"\" y" },
        { "\"\"\"\"\"\"", "" },
    };
    struct arena arena = { 0 };
    struct gql_errors errors;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_free char *text = xasprintf("{a(b:%s)}", rows[i].text);
        struct gql_document *document = parse(&arena, &errors, text);
        assert_non_null(document);
        assert_string_equal(document->operations->selections->arguments->value->text,
                            rows[i].value);
    }
    arena_release(&arena);
}

static void broken_documents_say_where(void **state)
{
    static const struct {
        const char *text, *message;
        unsigned line, column;
    } rows[] = {
        { "", "Syntax Error: Unexpected <EOF>.", 1, 1 },
        { "{", "Syntax Error: Expected Name, found <EOF>.", 1, 2 },
        { "{\n  é }", "Syntax Error: Unexpected character: \"é\".", 2, 3 },
        { "{a(b:\"é\", c:01)}", "Syntax Error: Invalid number, expected digit but got: \"1\".", 1,
          14 },
        { "{a(b:\"x)}", "Syntax Error: Unterminated string.", 1, 6 },
        { "{a(b:\"\\q\")}", "Syntax Error: Invalid character escape sequence.", 1, 6 },
        { "{a(b:\"\\ud800\")}", "Syntax Error: Invalid character escape sequence.", 1, 6 },
        { "{a(b:1.)}", "Syntax Error: Invalid number, expected digit but got: \")\".", 1, 8 },
        { "{a} }", "Syntax Error: Unexpected }.", 1, 5 },
        { "fragment on on T {a}", "Syntax Error: Unexpected Name \"on\".", 1, 10 },
        { "query($a: Int = $b) {a}", "Syntax Error: Unexpected $.", 1, 17 },
        { "type A { b: C }", "Syntax Error: Unexpected Name \"type\".", 1, 1 },
        { "{a(b:\"\xff\")}", "Syntax Error: The document is not UTF-8.", 1, 1 },
    };
    struct arena arena = { 0 };
    struct gql_errors errors;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_null(parse(&arena, &errors, rows[i].text));
        assert_string_equal(errors.first->message, rows[i].message);
        assert_int_equal(errors.first->at.line, rows[i].line);
        assert_int_equal(errors.first->at.column, rows[i].column);
    }
    arena_release(&arena);
}

static char *repeated(const char *text, size_t times)
{
    struct buffer out;

    buffer_init(&out, strlen(text) * times + 1);
    while (times-- > 0)
        buffer_add_text(&out, text);
    return buffer_steal(&out, NULL);
}

static void tokens_nesting_and_definitions_are_bounded(void **state)
{
    auto_free char *fields = repeated("{a", 5000), *lists = repeated("[", 5000);
    auto_free char *values = xasprintf("{a(b:%s", lists);
    auto_free char *names = repeated("a ", GQL_TOKENS + 1), *many = xasprintf("{%s}", names);
    auto_free char *queries = repeated("query A{a}", GQL_DEFINITIONS + 1);
    struct arena arena = { 0 };
    struct gql_errors errors;

    (void)state;
    assert_null(parse(&arena, &errors, fields));
    assert_non_null(strstr(errors.first->message, "nested more than 64"));
    assert_null(parse(&arena, &errors, values));
    assert_non_null(strstr(errors.first->message, "nested more than 64"));
    assert_null(parse(&arena, &errors, many));
    assert_non_null(strstr(errors.first->message, "more than 20000 tokens"));
    assert_null(parse(&arena, &errors, queries));
    assert_non_null(strstr(errors.first->message, "more than 200 definitions"));
    arena_release(&arena);
}

/* ---- what a document may not say ------------------------------------------------------------- */

static const struct reply *ask(struct harness *harness, const char *query, const char *variables)
{
    json_t *document = json_pack("{s:s}", "query", query);

    if (variables != NULL)
        json_object_set_new(document, "variables", json_loads(variables, 0, NULL));
    auto_free char *body = json_dumps(document, 0);
    json_decref(document);
    return harness_call(harness, "POST", "/v1/graphql", NULL, body);
}

static const char *message_of(const struct reply *reply)
{
    const json_t *error = json_array_get(json_object_get(reply->json, "errors"), 0);

    return json_string_value(json_object_get(error, "message"));
}

static const struct {
    const char *query, *message;
} refused[] = {
    { "{ nothing }", "Cannot query field \"nothing\" on type \"Query\"." },
    { "{ functionsList }", "Field \"functionsList\" of type \"FunctionList\" must have a "
                           "selection of subfields. Did you mean \"functionsList { ... }\"?" },
    { "{ functionsList { total { a } } }",
      "Field \"total\" must not have a selection since type \"Int\" has no subfields." },
    { "{ functionsGet { _id } }", "Field \"Query.functionsGet\" argument \"functionId\" of "
                                  "type \"String!\" is required but not provided." },
    { "{ functionsGet(functionId: 1) { _id } }", "String cannot represent a non string value: 1" },
    { "{ functionsGet(functionId: null) { _id } }",
      "Expected value of type \"String!\", found null." },
    { "{ functionsGet(functionId: \"a\", functionId: \"b\") { _id } }",
      "There can be only one argument named \"functionId\"." },
    { "{ functionsGet(id: \"a\", functionId: \"b\") { _id } }",
      "Unknown argument \"id\" on field \"Query.functionsGet\"." },
    { "{ ...F }", "Unknown fragment \"F\"." },
    { "{ __typename } fragment F on Query { __typename }", "Fragment \"F\" is never used." },
    { "{ ...F } fragment F on Query { ...F __typename }",
      "Cannot spread fragment \"F\" within itself." },
    { "{ ...F } fragment F on Function { _id }",
      "Fragment \"F\" cannot be spread here as objects of type \"Query\" can never be of type "
      "\"Function\"." },
    { "{ ...F } fragment F on String { _id }",
      "Fragment \"F\" cannot condition on non composite type \"String\"." },
    { "{ __typename @skip }", "Directive \"@skip\" argument \"if\" of type \"Boolean!\" is "
                              "required but not provided." },
    { "{ __typename @other }", "Unknown directive \"@other\"." },
    { "query Q { functionsGet(functionId: $a) { _id } }",
      "Variable \"$a\" is not defined by operation \"Q\"." },
    { "query($a: String) { __typename }", "Variable \"$a\" is never used." },
    { "query($a: String) { functionsGet(functionId: $a) { _id } }",
      "Variable \"$a\" of type \"String\" used in position expecting type \"String!\"." },
    { "query($a: Function) { functionsList(search: $a) { total } }",
      "Variable \"$a\" cannot be non-input type \"Function\"." },
    { "query($a: String!) { functionsGet(functionId: $a) { _id } }",
      "Variable \"$a\" of required type \"String!\" was not provided." },
    { "query A { __typename } query A { __typename }",
      "There can be only one operation named \"A\"." },
    { "{ __typename } query A { __typename }",
      "This anonymous operation must be the only defined operation." },
    { "query A { __typename } query B { __typename }",
      "Must provide operation name if query contains multiple operations." },
    { "subscription { a }", "Schema is not configured to execute subscription operation." },
    { "{ a: healthGet { name } a: healthGetVersion { version } }",
      "Fields \"a\" conflict because \"healthGet\" and \"healthGetVersion\" are different "
      "fields. Use different aliases on the fields to fetch both if this was intentional." },
    { "{ a: functionsGet(functionId: \"a\") { _id } a: functionsGet(functionId: \"b\") { _id } "
      "}",
      "Fields \"a\" conflict because they have differing arguments. Use different aliases on "
      "the fields to fetch both if this was intentional." },
};

static void refused_documents_have_no_data_and_say_why(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct reply *reply = ask(*state, refused[i].query, NULL);
        assert_status(reply, 200);
        assert_non_null(message_of(reply));
        assert_string_equal(message_of(reply), refused[i].message);
        assert_null(json_object_get(reply->json, "data"));
    }
}

static void a_document_that_doubles_is_measured_not_expanded(void **state)
{
    struct buffer out;

    buffer_init(&out, 1 << 20);
    buffer_add_text(&out, "{ ...F0 } ");
    for (int i = 0; i < 100; i++)
        buffer_addf(&out, "fragment F%d on Query { ...F%d ...F%d } ", i, i + 1, i + 1);
    buffer_add_text(&out, "fragment F100 on Query { __typename }");
    const struct reply *reply = ask(*state, out.data, NULL);
    assert_string_equal(message_of(reply),
                        "Max query complexity should be 250 but got 1000000000.");

    buffer_reset(&out);
    buffer_add_text(&out, "{ __schema { types { fields { ");
    for (int i = 0; i < 4900; i++)
        buffer_addf(&out, "a%d:name ", i);
    buffer_add_text(&out, "} } } }");
    reply = ask(*state, out.data, NULL);
    assert_string_equal(message_of(reply), "The answer about the schema is too large.");
    buffer_release(&out);
}

static void introspection_can_be_switched_off(void **state)
{
    struct harness *harness = *state;

    assert_null(message_of(ask(harness, "{ __type(name: \"Function\") { kind } }", NULL)));
    harness->settings.graphql_introspection = false;
    assert_non_null(
        strstr(message_of(ask(harness, "{ __type(name: \"Function\") { kind } }", NULL)),
               "introspection is not allowed"));
    assert_null(message_of(ask(harness, "{ __typename }", NULL)));
}

/* ---- root fields ----------------------------------------------------------------------------- */

#define assert_body(reply, expected) assert_string_equal((reply)->body, expected)

static const char create[] =
    "mutation Make($id: String!, $roles: [String!]) { made: functionsCreate(functionId: $id, name: "
    "\"Hello\", runtime: \"node-22\", execute: $roles, timeout: 30) { _id name execute timeout "
    "vars { key } deployment __typename } }";

static void fields_run_endpoints_in_order_with_their_checks_and_sentences(void **state)
{
    struct harness *harness = *state;

    const struct reply *reply = ask(harness, create, "{\"id\":\"hello\",\"roles\":\"any\"}");
    assert_body(reply, "{\"data\":{\"made\":{\"_id\":\"hello\",\"name\":\"Hello\",\"execute\":["
                       "\"any\"],\"timeout\":30,\"vars\":[],\"deployment\":null,\"__typename\":"
                       "\"Function\"}}}");
    reply = ask(harness,
                "mutation {\n  a: functionsDelete(functionId: \"none\") { status }\n"
                "  b: functionsDelete(functionId: \"hello\") { status } c: __typename }",
                NULL);
    assert_body(reply,
                "{\"errors\":[{\"message\":\"Function with the requested ID could not be found.\","
                "\"locations\":[{\"line\":2,\"column\":3}],\"path\":[\"a\"]}],\"data\":{\"a\":null,"
                "\"b\":{\"status\":\"OK\"},\"c\":\"Mutation\"}}");
    reply = ask(harness,
                "{ functionsList(queries: \"{\\\"method\\\":\\\"limit\\\",\\\"values\\\":"
                "[5]}\") { total } }",
                NULL);
    assert_body(reply, "{\"data\":{\"functionsList\":{\"total\":0}}}");
}

static void equal_keys_are_merged_and_directives_obeyed(void **state)
{
    const struct reply *reply = ask(
        *state,
        "query($no: Boolean = false) { a: functionsList { total } ...F a: functionsList { total "
        "functions { _id } } b: __typename @include(if: $no) } "
        "fragment F on Query { a: functionsList { n: total } ... @skip(if: $no) { c: __typename } "
        "}",
        NULL);

    assert_body(reply, "{\"data\":{\"a\":{\"total\":0,\"n\":0,\"functions\":[]},\"c\":\"Query\"}}");
}

static void callers_are_checked_field_by_field(void **state)
{
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/graphql", HEADERS(GUEST),
        "{\"query\":\"{ healthGetVersion { version } functionsList { total } }\"}");

    assert_status(reply, 200);
    assert_string_equal(message_of(reply),
                        "User (role: guests) missing scopes ([\"functions.read\"])");
    assert_non_null(json_object_get(json_object_get(reply->json, "data"), "healthGetVersion"));
    assert_true(reply_has_header(reply, "X-RateLimit-Limit: 60"));
    reply = harness_call(*state, "POST", "/v1/graphql", HEADERS(GUEST, "x-appwrite-project:"),
                         "{\"query\":\"{ __typename }\"}");
    assert_status(reply, 401);
}

static void old_formats_fill_the_fields_they_knew(void **state)
{
    struct harness *harness = *state;

    ask(harness, create, "{\"id\":\"hello\"}");
    const struct reply *reply = harness_call(
        harness, "POST", "/v1/graphql", HEADERS("x-appwrite-response-format: 1.0.0"),
        "{\"query\":\"{ functionsGet(functionId: \\\"hello\\\") { deployment deploymentId "
        "schedulePrevious } }\"}");

    assert_body(reply, "{\"data\":{\"functionsGet\":{\"deployment\":\"\",\"deploymentId\":null,"
                       "\"schedulePrevious\":\"\"}}}");
    reply = ask(harness,
                "mutation { functionsCreateVariable(functionId: \"hello\", key: \"K\", value: "
                "\"1\") { key } }",
                NULL);
    assert_string_equal(message_of(reply), "Param \"variableId\" is not optional.");
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char operations[] =
    "--B\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"
    "{\"query\":\"mutation($c: InputFile!) { functionsCreateDeployment(functionId: \\\"hello\\\", "
    "activate: false, code: $c, entrypoint: \\\"main.js\\\") { _id type sourceSize } }\","
    "\"variables\":{\"c\":null}}\r\n";

static void make_directory(const struct harness *harness, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", harness->directory, name);

    mkdir(path, 0700);
}

static void a_mapped_file_becomes_the_package(void **state)
{
    struct harness *harness = *state;
    auto_free char *body = xasprintf(
        "%s--B\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{\"0\":[\"variables.c\"]}\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"0\"; filename=\"code.tar.gz\"\r\n\r\n"
        "\x1f\x8b 123456789\r\n--B--\r\n",
        operations);
    const char *const *type = HEADERS("content-type: multipart/form-data; boundary=B");

    make_directory(harness, "uploads");
    make_directory(harness, "packages");
    ask(harness, create, "{\"id\":\"hello\"}");
    const struct reply *reply = harness_call(harness, "POST", "/v1/graphql", type, body);
    assert_status(reply, 200);
    assert_null(message_of(reply));
    const json_t *made = json_object_get(json_object_get(reply->json, "data"),
                                         "functionsCreateDeployment");
    assert_int_equal(json_integer_value(json_object_get(made, "sourceSize")), 12);
    assert_status(harness_call(harness, "POST", "/v1/graphql",
                               HEADERS(GUEST, "content-type: multipart/form-data; boundary=B"),
                               body),
                  401);
}

static void a_file_must_be_mapped_to_something_that_is_there(void **state)
{
    auto_free char *body = xasprintf(
        "%s--B\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{\"0\":[\"0.x.y\"]}\r\n"
        "--B--\r\n",
        operations);
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/graphql", HEADERS("content-type: multipart/form-data; boundary=B"),
        body);

    assert_status(reply, 400);
    assert_string_equal(reply_text(reply, "message"), "Nothing is at \"0.x.y\" of operations.");
}

static void requests_that_are_none_are_refused_as_the_api_does(void **state)
{
    static const struct {
        const char *type, *body;
        const char *error;
    } rows[] = {
        { "application/json", "", "graphql_no_query" },
        { "application/json", "[]", "graphql_no_query" },
        { "application/json", "{\"query\":\"\"}", "graphql_no_query" },
        { "application/json", "{\"query\":5}", "graphql_no_query" },
        { "application/json", "{", "general_argument_invalid" },
        { "application/json", "{\"query\":\"{a}\",\"variables\":5}", "general_argument_invalid" },
        { "application/graphql", "", "graphql_no_query" },
        { "application/x-www-form-urlencoded", "a=b", "graphql_no_query" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_free char *type = xasprintf("content-type: %s", rows[i].type);
        const struct reply *reply = harness_call(*state, "POST", "/v1/graphql", HEADERS(type),
                                                 rows[i].body);
        assert_status(reply, 400);
        assert_string_equal(reply_text(reply, "type"), rows[i].error);
    }
}

static void a_batch_is_answered_in_order(void **state)
{
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/graphql/mutation", NULL,
        "[{\"query\":\"{ a: __typename }\"},{\"query\":\"{\"},"
        "{\"query\":\"{ healthGetVersion { version } }\",\"variables\":[]}]");

    assert_int_equal(json_array_size(reply->json), 3);
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(json_array_get(reply->json, 0), "data"), "a")),
                        "Query");
    assert_non_null(json_object_get(json_array_get(reply->json, 1), "errors"));
    assert_non_null(json_object_get(json_array_get(reply->json, 2), "data"));
}

#define TEST(name)     cmocka_unit_test(name)
#define WITH_API(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_has_operations_fragments_and_values),
        TEST(strings_are_decoded_and_blocks_lose_their_indentation),
        TEST(broken_documents_say_where),
        TEST(tokens_nesting_and_definitions_are_bounded),
        WITH_API(refused_documents_have_no_data_and_say_why),
        WITH_API(a_document_that_doubles_is_measured_not_expanded),
        WITH_API(introspection_can_be_switched_off),
        WITH_API(fields_run_endpoints_in_order_with_their_checks_and_sentences),
        WITH_API(equal_keys_are_merged_and_directives_obeyed),
        WITH_API(callers_are_checked_field_by_field),
        WITH_API(old_formats_fill_the_fields_they_knew),
        WITH_API(a_mapped_file_becomes_the_package),
        WITH_API(a_file_must_be_mapped_to_something_that_is_there),
        WITH_API(requests_that_are_none_are_refused_as_the_api_does),
        WITH_API(a_batch_is_answered_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
