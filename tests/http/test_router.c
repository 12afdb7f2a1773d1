/* The router: which row, with which parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "router.h"

static const char list[] = "list", get[] = "get", runtimes[] = "runtimes", create[] = "create",
                  download[] = "download", build[] = "build", root[] = "root";

static int setup(void **state)
{
    struct router *router;
    struct error err;
    router_new(&router);
    router_add(router, "GET", "/v1/functions", list, &err);
    router_add(router, "POST", "/v1/functions", create, &err);
    router_add(router, "GET", "/v1/functions/{functionId}", get, &err);
    router_add(router, "GET", "/v1/functions/runtimes", runtimes, &err);
    router_add(router, "GET", "/v1/functions/{functionId}/deployments/{deploymentId}/download",
               download, &err);
    router_add(router, "PATCH", "/v1/{service}/{id}/build", build, &err);
    router_add(router, "GET", "/", root, &err);
    *state = router;
    return 0;
}

static int teardown(void **state)
{
    router_free(*state);
    return 0;
}

static void assert_found(struct router *router, const char *method, const char *path,
                         const void *target)
{
    struct route_match match;
    int found = router_find(router, method, path, &match);
    assert_int_equal(found, target == NULL ? -1 : 0);
    if (found == 0) {
        assert_ptr_equal(match.target, target);
        route_match_release(&match);
    }
}

static void methods_and_paths_are_told_apart(void **state)
{
    assert_found(*state, "GET", "/v1/functions", list);
    assert_found(*state, "POST", "/v1/functions", create);
    assert_found(*state, "PUT", "/v1/functions", NULL);
    assert_found(*state, "GET", "/v1", NULL);
    assert_found(*state, "GET", "/", root);
    assert_found(*state, "GET", "", NULL);
    assert_found(*state, "GET", "v1/functions", NULL);
}

static void slashes_count(void **state)
{
    assert_found(*state, "GET", "/v1/functions/", NULL);
    assert_found(*state, "GET", "/v1//functions", NULL);
    assert_found(*state, "GET", "//v1/functions", NULL);
    assert_found(*state, "GET", "/v1/functions//deployments/d/download", NULL);
    assert_found(*state, "GET", "//", NULL);
}

static void a_literal_wins_over_a_parameter(void **state)
{
    assert_found(*state, "GET", "/v1/functions/runtimes", runtimes);
    assert_found(*state, "GET", "/v1/functions/runtimes2", get);
}

static void a_literal_that_leads_nowhere_is_left_again(void **state)
{
    struct route_match match;
    assert_int_equal(router_find(*state, "PATCH", "/v1/functions/runtimes/build", &match), 0);
    assert_ptr_equal(match.target, build);
    assert_int_equal(match.parameter_count, 2);
    assert_string_equal(match.parameters[0].name, "service");
    assert_string_equal(match.parameters[0].value, "functions");
    assert_string_equal(match.parameters[1].value, "runtimes");
    route_match_release(&match);
}

static void parameters_are_decoded(void **state)
{
    struct route_match match;
    assert_int_equal(
        router_find(*state, "GET", "/v1/functions/a%2Fb+c/deployments/%C3%A4/download", &match), 0);
    assert_int_equal(match.parameter_count, 2);
    assert_string_equal(match.parameters[0].name, "functionId");
    assert_string_equal(match.parameters[0].value, "a/b+c");
    assert_string_equal(match.parameters[1].name, "deploymentId");
    assert_string_equal(match.parameters[1].value, "\xc3\xa4");
    route_match_release(&match);
    assert_found(*state, "GET", "/v1/functions/a%00b", NULL);
}

static void one_shape_may_have_two_names(void **state)
{
    struct route_match match;
    struct error err;
    assert_int_equal(router_add(*state, "DELETE", "/v1/functions/{id}", list, &err), 0);
    assert_int_equal(router_find(*state, "DELETE", "/v1/functions/x", &match), 0);
    assert_string_equal(match.parameters[0].name, "id");
    route_match_release(&match);
    assert_int_equal(router_find(*state, "GET", "/v1/functions/x", &match), 0);
    assert_string_equal(match.parameters[0].name, "functionId");
    route_match_release(&match);
}

static void the_same_row_twice_is_an_error(void **state)
{
    struct error err;
    assert_int_equal(router_add(*state, "GET", "/v1/functions/{other}", list, &err), -1);
    assert_int_equal(router_add(*state, "GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}", list, &err), -1);
    assert_int_equal(router_add(*state, "GET", "/{a}/{b}/{c}/{d}/{e}/{f}", list, &err), 0);
    assert_found(*state, "GET", "/1/2/3/4/5/6", list);
    assert_found(*state, "GET", "/1/2/3/4/5/6/7", NULL);
}

#define ROUTED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTED(methods_and_paths_are_told_apart),
        ROUTED(slashes_count),
        ROUTED(a_literal_wins_over_a_parameter),
        ROUTED(a_literal_that_leads_nowhere_is_left_again),
        ROUTED(parameters_are_decoded),
        ROUTED(one_shape_may_have_two_names),
        ROUTED(the_same_row_twice_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
