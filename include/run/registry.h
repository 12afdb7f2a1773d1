/*
 * What the loop thread must know without asking the store: projects, keys, functions with their
 * variables and active deployment, rules. Replaced piece by piece when a write has committed.
 *
 * The registry itself is touched on the loop thread only. A registry_change is loaded on any thread
 * that has a store reader and applied on the loop. Records are reference counted (plain counters:
 * loop thread only): a running execution keeps the record it started with.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "store.h"

struct live_key {
    char *id;
    char *project_id;
    char **scopes; /* NULL-terminated; {"all"} for every scope */
    int64_t expires_at;
};

struct live_function {
    unsigned references;
    uint64_t generation; /* grows with every change that must reach new workers only */
    struct function function;
    struct deployment deployment; /* the active one; id "" if none (other fields are NULL then) */
    char **roles;                 /* execute, NULL-terminated */
    char **variables;             /* NAME=value of project and function (wins); NULL-terminated */
    struct pool *pool;            /* its workers; the record only points there, NULL at first */
    struct live_cache *cache;     /* the registry's own */
};

struct live_rule {
    struct rule rule;
    /*
     * Rules that show one deployment whichever is active (trigger deployment, or of a branch): the
     * function with that deployment, whose id is "" when it is gone. Its workers are its own.
     * Others: NULL.
     */
    struct live_function *preview;
};

struct registry;

enum change_kind {
    CHANGE_PROJECT,
    CHANGE_KEYS,
    CHANGE_FUNCTION,
    CHANGE_PROJECT_VARIABLES,
    CHANGE_RULES
};
struct registry_change;

int registry_new(struct registry **ret_registry);
void registry_free(struct registry *registry);
/* Everything, at start. */
int registry_load(struct registry *registry, struct db *db, struct error *err);

/*
 * Any thread with a reader: reads what id now is (it may be gone).
 *   CHANGE_PROJECT            id is not used; a project that is gone takes its functions, keys and
 *                             rules along
 *   CHANGE_KEYS               all keys of the project; id is not used
 *   CHANGE_FUNCTION           the function id with its active deployment and variables, and its
 * rules that show another one; gone: its rules go too CHANGE_PROJECT_VARIABLES  all functions of
 * the project; id is not used CHANGE_RULES              the rule id; NULL: all rules of the project
 */
int registry_change_read(struct db *db, enum change_kind kind, const char *project_id,
                         const char *id, struct registry_change **ret_change, struct error *err);
void registry_change_free(struct registry_change *change);

/*
 * Loop thread: takes the change over. changed is told each function record that was replaced or is
 * gone (new may be NULL), previews included, so that its workers can be drained. Keys, rules and
 * records looked up before are gone, but for functions that were kept.
 */
typedef void registry_changed(void *context, struct live_function *old, struct live_function *new);
void registry_apply(struct registry *registry, struct registry_change *change,
                    registry_changed *changed, void *context);

bool registry_has_project(const struct registry *registry, const char *project_id);
const struct live_key *registry_key(const struct registry *registry, const char *secret);
struct live_function *registry_function(const struct registry *registry, const char *project_id,
                                        const char *function_id);
/* host in lower case, without the port. */
const struct live_rule *registry_rule(const struct registry *registry, const char *host);
void live_function_keep(struct live_function *function);
void live_function_drop(struct live_function *function);

/* Hex of the fast hash keys are stored and looked up by; ret has room for 65 characters. */
void key_hash(const char *secret, char ret_hex[65]);

#endif
