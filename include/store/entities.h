/*
 * The domain as plain structs: what a row of the store holds and what an answer is rendered from.
 *
 * `char *` fields belong to the struct (xmalloc) and are never NULL after a read; `x_release` frees
 * them and leaves the struct zeroed. Lists are kept as the JSON text they are sent as (`["any"]`).
 * Times are microseconds UTC, 0 for unset.
 */
#ifndef ENTITIES_H
#define ENTITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_MAX = 36, ID_SIZE = 37, GENERATED_ID = 20 };

struct project {
    int64_t seq; /* rowid: order of creation */
    char *id;
    char *name;
    int64_t created_at, updated_at;
};

struct key {
    int64_t seq;
    char *project_id;
    char *id;
    char *name;
    char *hash;   /* hex of the secret's hash; the secret itself is nowhere */
    char *scopes; /* JSON list; ["all"] for every scope */
    int64_t created_at, updated_at;
    int64_t expires_at; /* 0: never */
};

struct function {
    int64_t seq;
    char *project_id;
    char *id;
    char *name;
    char *runtime;
    char *execute; /* JSON list of roles */
    char *events;  /* JSON list */
    char *schedule;
    int64_t timeout; /* seconds */
    bool enabled, logging, live;
    char *entrypoint;
    char *commands;
    char *scopes;  /* JSON list */
    char *version; /* contract: v2 or v5 */
    char *installation_id, *provider_repository_id, *provider_branch, *provider_root_directory;
    bool provider_silent_mode;
    char *provider_branches, *provider_paths; /* JSON lists */
    char *build_specification, *runtime_specification;
    int64_t deployment_retention; /* days */
    char *deployment_id;          /* active one, "" if none */
    int64_t deployment_created_at;
    char *latest_deployment_id;
    int64_t latest_deployment_created_at;
    char *latest_deployment_status;
    int64_t created_at, updated_at;
};

struct variable {
    int64_t seq;
    char *project_id;
    char *function_id; /* "" for a project variable */
    char *id;
    char *key;
    char *value; /* plain text in memory; secret ones are encrypted at rest */
    bool secret;
    int64_t created_at, updated_at;
};

struct deployment {
    int64_t seq;
    char *project_id;
    char *function_id;
    char *id;
    char *type;   /* manual, cli, vcs */
    char *status; /* waiting, processing, building, ready, failed, canceled */
    char *entrypoint;
    char *commands;
    bool activate;
    char *source_hash; /* content address in packages/, "" while incomplete */
    int64_t source_size, build_size;
    char *output_hash;      /* content address of the packed output */
    char *build_logs;       /* kept in a table of its own; "" when read without logs */
    int64_t build_duration; /* whole seconds, rounded up */
    int64_t build_started_at;
    int64_t build_attempts; /* a fetch or build interrupted by a restart is begun again once */
    char *runtime;          /* the function's at creation */
    char *provider_repository_name, *provider_repository_owner, *provider_repository_url;
    char *provider_branch, *provider_branch_url;
    char *provider_commit_hash, *provider_commit_author, *provider_commit_author_url,
        *provider_commit_message;
    char *provider_commit_url;
    char *provider_root_directory;
    int64_t upload_size; /* declared total, 0 for an upload in one piece */
    /* JSON list of [first, last] received so far; "" when complete */
    char *upload_ranges;
    char *source_url; /* where the package of a vcs deployment is fetched from; "" for uploads */
    /* a range of tags: source_url is where they are listed until the highest is known; else "" */
    char *source_range;
    int64_t created_at, updated_at;
};

/*
 * seq of an execution is microseconds of its creation, made unique by the api: it is the row id,
 * $createdAt and the time part of its id, so that newest-first is index order and a look-up by id
 * needs no index.
 */
struct execution {
    int64_t seq;
    /* which function (function ids are looked up by the registry) */
    int64_t function_seq;
    char id[GENERATED_ID + 1];
    char *project_id;
    char *function_id;
    char *deployment_id;
    char *user_id; /* who may read it; "" for keys, guests, schedules */
    char *trigger; /* http, schedule, event */
    char *status;  /* waiting, processing, completed, failed, scheduled */
    char *request_method, *request_path;
    char *request_headers; /* JSON list of {name,value}: the ones that are kept */
    int64_t response_status;
    char *response_headers; /* likewise */
    char *logs, *errors;    /* in a table of their own */
    double duration;        /* seconds */
    int64_t mb_milli;       /* MiB times thousandths of a CPU it ran with; for usage, not stored */
    int64_t scheduled_at;   /* 0: null */
    int64_t updated_at;

    /* asynchronous ones only, in a table of their own until the run ends: what to send to the
     * worker */
    char *input_headers; /* header block: "name: value\r\n"... */
    char *input_body;
    size_t input_body_size;
};

struct rule {
    int64_t seq;
    char *project_id;
    char *id;
    char *domain;  /* lower case, unique */
    char *type;    /* api, deployment, redirect */
    char *trigger; /* manual, deployment, "" */
    char *function_id;
    char *deployment_id;
    char *branch;
    char *redirect_url;
    int64_t redirect_status;
    char *status; /* verified, ... */
    int64_t created_at, updated_at;
};

void project_release(struct project *project);
void key_release(struct key *key);
void function_release(struct function *function);
void variable_release(struct variable *variable);
void deployment_release(struct deployment *deployment);
void execution_release(struct execution *execution);
void rule_release(struct rule *rule);

#define auto_project    __attribute__((cleanup(project_release)))
#define auto_key        __attribute__((cleanup(key_release)))
#define auto_function   __attribute__((cleanup(function_release)))
#define auto_variable   __attribute__((cleanup(variable_release)))
#define auto_deployment __attribute__((cleanup(deployment_release)))
#define auto_execution  __attribute__((cleanup(execution_release)))
#define auto_rule       __attribute__((cleanup(rule_release)))

/* 8 hex digits of the seconds, 5 of the microseconds, 7 random: what the API calls a unique id. */
void id_generate(int64_t realtime_us, char ret_id[GENERATED_ID + 1]);
/* The microseconds in a generated id, or -1 if the text is none. */
int64_t id_time_us(const char *id);

#endif
