/* See domain.h. */
#include "domain.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "mem.h"
#include "registry.h"

static int insert_project(struct db *db, void *context, struct error *err)
{
    return store_project_insert(db, context, err);
}

static int insert_function(struct db *db, void *context, struct error *err)
{
    return store_function_insert(db, context, err);
}

static int insert_variable(struct db *db, void *context, struct error *err)
{
    return store_variable_insert(db, context, err);
}

static int insert_key(struct db *db, void *context, struct error *err)
{
    return store_key_insert(db, context, err);
}

static int insert_rule(struct db *db, void *context, struct error *err)
{
    return store_rule_insert(db, context, err);
}

static int insert_execution(struct db *db, void *context, struct error *err)
{
    return store_execution_insert(db, context, err);
}

static int insert_deployment(struct db *db, void *context, struct error *err)
{
    const struct deployment *deployment = context;
    return store_deployment_insert(db, deployment, err) < 0 ||
                   store_deployment_activate(db, "demo", deployment->function_id, deployment->id,
                                             err) < 0
               ? -1
               : 0;
}

void domain_write(struct domain *domain, store_write *write, void *context)
{
    struct error err;
    if (store_write_wait(domain->store, write, context, &err) < 0)
        fail_msg("%s", err.message);
}

void domain_open(struct domain *domain)
{
    struct error err;
    strcpy(domain->directory, "/tmp/test-run-XXXXXX");
    assert_non_null(mkdtemp(domain->directory));
    const struct store_options options = { .directory = domain->directory,
                                           .gather_us = 1000,
                                           .query_limit_us = 5000000 };
    if (store_open(&options, &domain->store, &err) < 0 ||
        store_reader_open(domain->store, &domain->reader, &err) < 0)
        fail_msg("%s", err.message);
    auto_project struct project project = { .id = xstrdup("demo"), .name = xstrdup("Demo") };
    domain_write(domain, insert_project, &project);
}

void domain_close(struct domain *domain)
{
    struct error err;
    store_reader_close(domain->reader);
    store_close(domain->store);
    assert_int_equal(fd_remove_tree(AT_FDCWD, domain->directory, &err), 0);
}

void domain_function(struct domain *domain, const char *id, const char *runtime)
{
    auto_function struct function function = {
        .project_id = xstrdup("demo"),
        .id = xstrdup(id),
        .name = xstrdup(id),
        .runtime = xstrdup(runtime),
        .execute = xstrdup("[\"any\",\"users\"]"),
        .scopes = xstrdup("[]"),
        .timeout = 15,
        .enabled = true,
        .logging = true,
        .entrypoint = xstrdup("index.js"),
        .version = xstrdup("v5"),
    };
    domain_write(domain, insert_function, &function);
}

void domain_deployment(struct domain *domain, const char *function_id, const char *id)
{
    auto_deployment struct deployment deployment = {
        .project_id = xstrdup("demo"),
        .function_id = xstrdup(function_id),
        .id = xstrdup(id),
        .type = xstrdup("manual"),
        .status = xstrdup("ready"),
        .entrypoint = xstrdup("index.js"),
    };
    domain_write(domain, insert_deployment, &deployment);
}

void domain_variable(struct domain *domain, const char *function_id, const char *key,
                     const char *value)
{
    auto_variable struct variable variable = {
        .project_id = xstrdup("demo"),
        .function_id = xstrdup(function_id),
        .id = xasprintf("%s%s", function_id, key),
        .key = xstrdup(key),
        .value = xstrdup(value),
    };
    domain_write(domain, insert_variable, &variable);
}

void domain_key(struct domain *domain, const char *id, const char *secret)
{
    char hash[65];
    key_hash(secret, hash);
    auto_key struct key key = {
        .project_id = xstrdup("demo"),
        .id = xstrdup(id),
        .name = xstrdup(id),
        .hash = xstrdup(hash),
        .scopes = xstrdup("[\"functions.read\",\"functions.write\"]"),
    };
    domain_write(domain, insert_key, &key);
}

void domain_rule(struct domain *domain, const char *id, const char *host, const char *function_id)
{
    auto_rule struct rule rule = {
        .project_id = xstrdup("demo"),
        .id = xstrdup(id),
        .domain = xstrdup(host),
        .type = xstrdup("deployment"),
        .trigger = xstrdup("manual"),
        .function_id = xstrdup(function_id),
        .status = xstrdup("verified"),
    };
    domain_write(domain, insert_rule, &rule);
}

void domain_execution(struct domain *domain, const char *function_id, int64_t seq,
                      const char *headers, const char *body)
{
    struct error err;
    auto_function struct function function = { 0 };
    assert_int_equal(store_function_get(domain->reader, "demo", function_id, &function, &err), 0);
    auto_execution struct execution execution = {
        .seq = seq,
        .function_seq = function.seq,
        .project_id = xstrdup("demo"),
        .function_id = xstrdup(function_id),
        .deployment_id = xstrdup(""),
        .user_id = xstrdup("ann"),
        .trigger = xstrdup("http"),
        .status = xstrdup("waiting"),
        .request_method = xstrdup("POST"),
        .request_path = xstrdup("/later"),
        .request_headers = xstrdup("[]"),
        .response_headers = xstrdup("[]"),
        .logs = xstrdup(""),
        .errors = xstrdup(""),
        .input_headers = xstrdup(headers),
        .input_body = xstrdup(body),
        .input_body_size = strlen(body),
    };
    id_generate(seq, execution.id);
    domain_write(domain, insert_execution, &execution);
}

struct wanted {
    int64_t seq;
    struct execution *execution;
};

static void take_execution(void *context, const void *entity)
{
    const struct wanted *wanted = context;
    const struct execution *execution = entity;
    if (execution->seq != wanted->seq)
        return;
    *wanted->execution = (struct execution){
        .seq = execution->seq,
        .deployment_id = xstrdup(execution->deployment_id),
        .status = xstrdup(execution->status),
        .response_status = execution->response_status,
        .response_headers = xstrdup(execution->response_headers),
        .logs = xstrdup(execution->logs),
        .errors = xstrdup(execution->errors),
        .duration = execution->duration,
    };
}

void domain_read(struct domain *domain, const char *function_id, int64_t seq,
                 struct execution *ret_execution)
{
    struct error err;
    auto_function struct function function = { 0 };
    assert_int_equal(store_function_get(domain->reader, "demo", function_id, &function, &err), 0);
    struct wanted wanted = { seq, ret_execution };
    int64_t total;
    const struct list_query query = { .project_id = "demo",
                                      .function_id = function_id,
                                      .function_seq = function.seq,
                                      .limit = 100,
                                      .with_logs = true };
    if (store_list(domain->reader, LIST_EXECUTIONS, &query, take_execution, &wanted, &total, &err) <
        0)
        fail_msg("%s", err.message);
}
