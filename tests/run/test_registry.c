/* What the loop knows by heart, read from a store and kept in step with it. */
#include <string.h>

#include "domain.h"
#include "mem.h"
#include "registry.h"

static struct domain domain;
static struct registry *registry;
static struct error err;

static int setup(void **state)
{
    (void)state;
    domain_open(&domain);
    domain_function(&domain, "hello", "node-22");
    domain_deployment(&domain, "hello", "d1");
    domain_function(&domain, "empty", "python-3.12");
    domain_variable(&domain, "", "SHARED", "project");
    domain_variable(&domain, "", "ONLY", "project");
    domain_variable(&domain, "hello", "SHARED", "function");
    domain_key(&domain, "k1", "standard_secret");
    domain_rule(&domain, "r1", "hello.functions.localhost", "hello");
    assert_int_equal(registry_new(&registry), 0);
    assert_int_equal(registry_load(registry, domain.reader, &err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    registry_free(registry);
    domain_close(&domain);
    return 0;
}

static bool has(char **list, const char *text)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

static size_t length(char **list)
{
    size_t count = 0;
    while (list[count] != NULL)
        count++;
    return count;
}

struct changes {
    unsigned count, gone;
    bool needs_new_workers;
};

static void note(void *context, struct live_function *old, struct live_function *new)
{
    struct changes *changes = context;
    changes->count++;
    changes->gone += new == NULL;
    changes->needs_new_workers = new != NULL &&new->generation != old->generation;
}

static struct changes apply(enum change_kind kind, const char *id)
{
    struct changes changes = { 0 };
    struct registry_change *change;
    if (registry_change_read(domain.reader, kind, "demo", id, &change, &err) < 0)
        fail_msg("%s", err.message);
    registry_apply(registry, change, note, &changes);
    return changes;
}

static void test_everything_is_known_after_loading(void **state)
{
    (void)state;
    assert_true(registry_has_project(registry, "demo"));
    assert_false(registry_has_project(registry, "other"));
    const struct live_function *hello = registry_function(registry, "demo", "hello");
    assert_non_null(hello);
    assert_string_equal(hello->deployment.id, "d1");
    assert_true(has(hello->roles, "any"));
    assert_true(has(hello->variables, "SHARED=function"));
    assert_true(has(hello->variables, "ONLY=project"));
    assert_int_equal(length(hello->variables), 2);
    const struct live_function *empty = registry_function(registry, "demo", "empty");
    assert_string_equal(empty->deployment.id, "");
    assert_null(registry_function(registry, "other", "hello"));
    assert_null(
        registry_function(registry, "demo", "an-id-that-is-much-too-long-to-be-one-of-ours"));
    const struct live_key *key = registry_key(registry, "standard_secret");
    assert_non_null(key);
    assert_string_equal(key->project_id, "demo");
    assert_true(has(key->scopes, "functions.write"));
    assert_null(registry_key(registry, "standard_other"));
    const struct live_rule *rule = registry_rule(registry, "hello.functions.localhost");
    assert_string_equal(rule->rule.function_id, "hello");
    assert_null(registry_rule(registry, "other.functions.localhost"));
}

static int rename_function(struct db *db, void *context, struct error *error)
{
    auto_function struct function function = { 0 };
    if (store_function_get(db, "demo", "hello", &function, error) < 0)
        return -1;
    char **field = strcmp(context, "execute") == 0 ? &function.execute : &function.runtime;
    mem_auto_free(field);
    *field = xstrdup(strcmp(context, "execute") == 0 ? "[\"guests\"]" : "python-3.12");
    return store_function_update(db, &function, error);
}

static void test_only_what_workers_see_makes_a_new_generation(void **state)
{
    (void)state;
    char execute[] = "execute", runtime[] = "runtime";
    struct live_function *old = registry_function(registry, "demo", "hello");
    live_function_keep(old);
    domain_write(&domain, rename_function, execute);
    struct changes changes = apply(CHANGE_FUNCTION, "hello");
    assert_int_equal(changes.count, 1);
    assert_false(changes.needs_new_workers);
    const struct live_function *new = registry_function(registry, "demo", "hello");
    assert_ptr_not_equal(new, old);
    assert_true(has(new->roles, "guests"));
    assert_true(has(old->roles, "any")); /* who runs keeps what it started with */
    live_function_drop(old);

    domain_write(&domain, rename_function, runtime);
    assert_true(apply(CHANGE_FUNCTION, "hello").needs_new_workers);
    domain_deployment(&domain, "hello", "d2");
    assert_true(apply(CHANGE_FUNCTION, "hello").needs_new_workers);
    assert_string_equal(registry_function(registry, "demo", "hello")->deployment.id, "d2");
}

static void test_a_project_variable_reaches_all_its_functions(void **state)
{
    (void)state;
    domain_variable(&domain, "", "NEW", "1");
    struct changes changes = apply(CHANGE_PROJECT_VARIABLES, NULL);
    assert_int_equal(changes.count, 2);
    assert_true(has(registry_function(registry, "demo", "empty")->variables, "NEW=1"));
    assert_true(has(registry_function(registry, "demo", "hello")->variables, "NEW=1"));
    assert_false(apply(CHANGE_PROJECT_VARIABLES, NULL).needs_new_workers);
}

static int delete_function(struct db *db, void *context, struct error *error)
{
    return store_function_delete(db, "demo", context, error);
}

static void test_a_deleted_function_takes_its_rules_along(void **state)
{
    (void)state;
    char id[] = "hello";
    domain_write(&domain, delete_function, id);
    struct changes changes = apply(CHANGE_FUNCTION, "hello");
    assert_int_equal(changes.gone, 1);
    assert_null(registry_function(registry, "demo", "hello"));
    assert_null(registry_rule(registry, "hello.functions.localhost"));
    assert_int_equal(apply(CHANGE_FUNCTION, "hello").count, 0);
}

static int delete_key(struct db *db, void *context, struct error *error)
{
    return store_key_delete(db, "demo", context, error);
}

static int delete_rule(struct db *db, void *context, struct error *error)
{
    return store_rule_delete(db, "demo", context, error);
}

static void test_keys_and_rules_come_and_go(void **state)
{
    (void)state;
    char key[] = "k1", rule[] = "r1";
    domain_key(&domain, "k2", "standard_second");
    domain_write(&domain, delete_key, key);
    apply(CHANGE_KEYS, NULL);
    assert_non_null(registry_key(registry, "standard_second"));
    assert_null(registry_key(registry, "standard_secret"));

    domain_rule(&domain, "r2", "www.example.org", "empty");
    apply(CHANGE_RULES, "r2");
    assert_string_equal(registry_rule(registry, "www.example.org")->rule.id, "r2");
    assert_non_null(registry_rule(registry, "hello.functions.localhost"));
    domain_write(&domain, delete_rule, rule);
    apply(CHANGE_RULES, "r1");
    assert_null(registry_rule(registry, "hello.functions.localhost"));
    apply(CHANGE_RULES, NULL);
    assert_non_null(registry_rule(registry, "www.example.org"));
}

static int insert_rule(struct db *db, void *context, struct error *error)
{
    return store_rule_insert(db, context, error);
}

static void given_preview(const char *id, const char *host, const char *deployment_id)
{
    auto_rule struct rule rule = {
        .project_id = xstrdup("demo"),
        .id = xstrdup(id),
        .domain = xstrdup(host),
        .type = xstrdup("deployment"),
        .trigger = xstrdup("deployment"),
        .function_id = xstrdup("hello"),
        .deployment_id = xstrdup(deployment_id),
        .status = xstrdup("verified"),
    };
    domain_write(&domain, insert_rule, &rule);
}

static void test_a_preview_shows_its_own_deployment_with_what_the_function_is_now(void **state)
{
    (void)state;
    given_preview("p1", "old.functions.localhost", "d1");
    apply(CHANGE_RULES, "p1");
    domain_deployment(&domain, "hello", "d2");
    apply(CHANGE_FUNCTION, "hello");

    const struct live_rule *rule = registry_rule(registry, "old.functions.localhost");
    assert_string_equal(registry_function(registry, "demo", "hello")->deployment.id, "d2");
    assert_string_equal(rule->preview->deployment.id, "d1");
    assert_null(registry_rule(registry, "hello.functions.localhost")->preview);

    domain_variable(&domain, "hello", "LATER", "1");
    const struct changes changes = apply(CHANGE_FUNCTION, "hello");
    rule = registry_rule(registry, "old.functions.localhost");
    assert_int_equal(changes.count, 2);
    assert_true(has(rule->preview->variables, "LATER=1"));
    assert_int_equal(rule->preview->generation, 2);
}

static void test_a_preview_keeps_its_workers_when_other_rules_change(void **state)
{
    (void)state;
    char rule_id[] = "p1";
    given_preview("p1", "old.functions.localhost", "d1");
    assert_int_equal(apply(CHANGE_RULES, NULL).count, 0);
    domain_rule(&domain, "r2", "www.example.org", "empty");

    assert_false(apply(CHANGE_RULES, NULL).needs_new_workers);

    domain_write(&domain, delete_rule, rule_id);
    assert_int_equal(apply(CHANGE_RULES, NULL).gone, 1);
    assert_null(registry_rule(registry, "old.functions.localhost"));
}

static void test_a_preview_of_nothing_has_no_deployment(void **state)
{
    (void)state;
    given_preview("p1", "old.functions.localhost", "none");
    apply(CHANGE_RULES, "p1");
    assert_string_equal(registry_rule(registry, "old.functions.localhost")->preview->deployment.id,
                        "");
}

static int delete_project(struct db *db, void *context, struct error *error)
{
    return store_project_delete(db, context, error);
}

static void test_a_deleted_project_takes_everything_along(void **state)
{
    (void)state;
    char id[] = "demo";
    domain_write(&domain, delete_project, id);
    assert_int_equal(apply(CHANGE_PROJECT, NULL).gone, 2);
    assert_false(registry_has_project(registry, "demo"));
    assert_null(registry_function(registry, "demo", "empty"));
    assert_null(registry_key(registry, "standard_secret"));
    assert_null(registry_rule(registry, "hello.functions.localhost"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_is_known_after_loading),
        TEST(test_only_what_workers_see_makes_a_new_generation),
        TEST(test_a_project_variable_reaches_all_its_functions),
        TEST(test_a_deleted_function_takes_its_rules_along),
        TEST(test_keys_and_rules_come_and_go),
        TEST(test_a_preview_shows_its_own_deployment_with_what_the_function_is_now),
        TEST(test_a_preview_keeps_its_workers_when_other_rules_change),
        TEST(test_a_preview_of_nothing_has_no_deployment),
        TEST(test_a_deleted_project_takes_everything_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
