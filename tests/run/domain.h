/* A store in a directory of its own with a project, a key, functions and executions in it. */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <cmocka.h>

#include "store.h"

struct domain {
    char directory[64];
    struct store *store;
    struct db *reader;
};

void domain_open(struct domain *domain); /* project "demo" exists */
void domain_close(struct domain *domain);
void domain_write(struct domain *domain, store_write *write, void *context);
void domain_function(struct domain *domain, const char *id, const char *runtime);
void domain_deployment(struct domain *domain, const char *function_id, const char *id); /* active */
void domain_variable(struct domain *domain, const char *function_id, const char *key,
                     const char *value);
void domain_key(struct domain *domain, const char *id, const char *secret);
void domain_rule(struct domain *domain, const char *id, const char *host, const char *function_id);
void domain_execution(struct domain *domain, const char *function_id, int64_t seq,
                      const char *headers, const char *body);
void domain_read(struct domain *domain, const char *function_id, int64_t seq,
                 struct execution *ret_execution);

#endif
