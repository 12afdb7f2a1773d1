/* Inside of live records: what registry.c keeps beside what registry.h shows. */
#ifndef LIVE_H
#define LIVE_H

#include "registry.h"

struct live_cache { /* may change while the record does not */
    char *key;      /* key header of executions that begin in key_second */
    int64_t key_second;
};

struct live_project {
    struct project project;
    char **variables; /* NAME=value; NULL-terminated */
};

struct registry_change {
    enum change_kind kind;
    char *project_id, *id;
    struct live_project *project; /* CHANGE_PROJECT, CHANGE_PROJECT_VARIABLES; NULL: gone */
    struct live_function **functions;
    struct live_key **keys;
    char **key_hashes;
    struct live_rule **rules;
    size_t function_count, key_count, rule_count;
};

void live_project_free(struct live_project *project);

/* Everything there is, for the start. The caller owns all of it. */
int live_read_all(struct db *db, struct live_project ***ret_projects, size_t *ret_count,
                  struct registry_change **ret_change, struct error *err);

/* registry_read.c; a list of texts that ends with NULL */
void live_list_free(char **list);

#endif
