/*
 * The store: SQLite in DIR/functiond.db (WAL), one writer thread, a reader per lane.
 *
 * Every query of the program is a function here; there is no way to send SQL from elsewhere. Reads
 * take a `struct db *` of the calling thread. Writes are functions run by the writer thread inside
 * one transaction with all others that wait (group commit), each in its own savepoint, so that one
 * failure spares the others. Durability: synchronous=FULL.
 */
#ifndef STORE_H
#define STORE_H

#include "buffer.h"
#include "entities.h"
#include "error.h"

struct store;
struct db; /* a connection with its prepared statements; belongs to one thread */

struct store_options {
    const char *directory;  /* the data directory */
    int64_t gather_us;      /* how long records nobody waits for may gather */
    int64_t query_limit_us; /* lists that take longer end with ERROR_DATABASE_TIMEOUT */
};

/*
 * Opens or creates the database and DIR/secret (0600), migrates, starts the writer thread.
 * Errors: a sentence naming the file: not writable, newer than this program, not a database, disk
 * full.
 */
int store_open(const struct store_options *options, struct store **ret_store, struct error *err);
/* Writes what waits, checkpoints, ends the thread. NULL is fine. */
void store_close(struct store *store);

int store_reader_open(struct store *store, struct db **ret_db, struct error *err);
void store_reader_close(struct db *db);

/* Keys derived from DIR/secret; purpose is a fixed name ("tokens", "variables"). 32 bytes. */
void store_derive_key(const struct store *store, const char *purpose, unsigned char ret_key[32]);

/* ---- writing --------------------------------------------------------------------------------- */

/* Runs on the writer thread. Must not block on anything but the database. */
typedef int store_write(struct db *db, void *context, struct error *err);
/* Called on the writer thread after the commit (err NULL) or with the error that undid this
 * write alone. */
typedef void store_written(void *context, const struct error *err);

/* From a lane: runs write and returns after the commit; the result is write's, or the commit's
 * error. */
int store_write_wait(struct store *store, store_write *write, void *context, struct error *err);

/* From any thread, does not block. urgent: someone waits, commit at once with all others. done
 * may be NULL. */
void store_write_later(struct store *store, store_write *write, store_written *done, void *context,
                       bool urgent);

/* Records a finished synchronous execution. Copies what is stored of it (not the input); the struct
 * and its texts stay the caller's. Gathers up to gather_us. */
void store_execution_record(struct store *store, const struct execution *execution);

/* Returns when everything submitted before has been committed (a list of executions asks for it
 * first). */
void store_flush(struct store *store);

/* Rows waiting for the writer; the api sheds load above a bound. */
size_t store_backlog(const struct store *store);

/* Online (VACUUM INTO); target_file must not exist yet and gets mode 0600. */
int store_backup(const char *directory, const char *target_file, struct error *err);

/* ---- lists ----------------------------------------------------------------------------------- */

enum filter_method {
    FILTER_EQUAL,
    FILTER_NOT_EQUAL,
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
    FILTER_CONTAINS,
    FILTER_NOT_CONTAINS,
    FILTER_IS_NULL,
    FILTER_IS_NOT_NULL,
    FILTER_BETWEEN,
    FILTER_NOT_BETWEEN,
    FILTER_STARTS_WITH,
    FILTER_NOT_STARTS_WITH,
    FILTER_ENDS_WITH,
    FILTER_NOT_ENDS_WITH,
    FILTER_SEARCH,
    FILTER_NOT_SEARCH,
    FILTER_AND,
    FILTER_OR,
    FILTER_METHODS
};

/* dates and booleans are integers here */
enum value_kind { VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT };

struct filter_value {
    enum value_kind kind;
    int64_t integer;
    double real;
    const char *text;
};

/* A checked filter. column is an index the entity's column table knows (store_columns), not a
 * name from a client. */
struct filter {
    enum filter_method method;
    int column;
    const struct filter_value *values;
    size_t value_count;
    const struct filter *children; /* FILTER_AND, FILTER_OR */
    size_t child_count;
};

struct order {
    int column;
    bool descending;
};

struct list_query {
    const char *project_id; /* always restricts */
    /* restricts where the entity belongs to a function; NULL otherwise */
    const char *function_id;
    int64_t function_seq; /* executions */
    /* executions of a client: only those of this user; both NULL: all */
    const char *const *reader_roles;
    const char *reader_user_id; /* NULL or "" beside roles: a guest, who sees none */
    const struct filter *filters;
    size_t filter_count;
    const struct order *orders; /* none: insertion order */
    size_t order_count;
    bool random;        /* orderRandom */
    const char *search; /* "" or NULL: none */
    int64_t limit, offset;
    const char *cursor_id; /* NULL: none */
    bool cursor_before;
    bool count;     /* total wanted; it stops at 5000 */
    bool with_logs; /* deployments, executions: also read the texts kept apart */
};

enum list_entity {
    LIST_FUNCTIONS,
    LIST_DEPLOYMENTS,
    LIST_EXECUTIONS,
    LIST_VARIABLES,
    LIST_RULES,
    LIST_ENTITIES
};

enum column_kind {
    COLUMN_TEXT,
    COLUMN_INTEGER,
    COLUMN_BOOLEAN,
    COLUMN_DATE,
    COLUMN_REAL,
    COLUMN_LIST
};

/* What may be filtered and ordered: the public attribute name of each column. Ends with a row
 * whose attribute is NULL. */
struct list_column {
    const char *attribute; /* "$createdAt", "deploymentId" */
    enum column_kind kind;
    bool nullable;
};
const struct list_column *store_columns(enum list_entity entity);

/*
 * Calls row(context, entity struct) for each row, in order; the struct is borrowed for the call.
 * Errors: ERROR_GENERAL_CURSOR_NOT_FOUND "Function 'x' for the 'cursor' value not found.",
 * ERROR_DATABASE_TIMEOUT, ERROR_DATABASE_QUERY_ORDER_NULL.
 */
typedef void list_row(void *context, const void *entity);
int store_list(struct db *db, enum list_entity entity, const struct list_query *query,
               list_row *row, void *context, int64_t *ret_total, struct error *err);

/* ---- entities: get returns -1 with the entity's own not-found error -------------------------- */

int store_project_insert(struct db *db, const struct project *project, struct error *err);
int store_project_get(struct db *db, const char *id, struct project *ret_project,
                      struct error *err);
/* With everything in it. */
int store_project_delete(struct db *db, const char *id, struct error *err);
int store_project_each(struct db *db, list_row *row, void *context, struct error *err);

int store_key_insert(struct db *db, const struct key *key, struct error *err);
int store_key_delete(struct db *db, const char *project_id, const char *id, struct error *err);
/* project_id NULL: of all. */
int store_key_each(struct db *db, const char *project_id, list_row *row, void *context,
                   struct error *err);

/* Errors: ERROR_FUNCTION_ALREADY_EXISTS. */
int store_function_insert(struct db *db, const struct function *function, struct error *err);
int store_function_get(struct db *db, const char *project_id, const char *id,
                       struct function *ret_function, struct error *err);
/* All but keys, date of creation and what deployments set (deployment_*, latest_*). */
int store_function_update(struct db *db, const struct function *function, struct error *err);
/* With variables, deployments, executions, rules, usage. */
int store_function_delete(struct db *db, const char *project_id, const char *id, struct error *err);
/* Of all projects. */
int store_function_each(struct db *db, list_row *row, void *context, struct error *err);

/* Errors: ERROR_VARIABLE_ALREADY_EXISTS: the id or the key of this owner is taken. */
int store_variable_insert(struct db *db, const struct variable *variable, struct error *err);
int store_variable_get(struct db *db, const char *project_id, const char *function_id,
                       const char *id, struct variable *ret_variable, struct error *err);
int store_variable_update(struct db *db, const struct variable *variable, struct error *err);
int store_variable_delete(struct db *db, const char *project_id, const char *function_id,
                          const char *id, struct error *err);
/* Of one function ("" for the project's own), oldest first, at most 1000. */
int store_variable_each(struct db *db, const char *project_id, const char *function_id,
                        list_row *row, void *context, struct error *err);

/* Inserting also makes it the function's latest deployment. */
int store_deployment_insert(struct db *db, const struct deployment *deployment, struct error *err);
/* function_id NULL: any. */
int store_deployment_get(struct db *db, const char *project_id, const char *function_id,
                         const char *id, bool with_logs, struct deployment *ret_deployment,
                         struct error *err);
/* Not the logs. Keeps the function's latest status in step; `canceled` is final and stays. */
int store_deployment_update(struct db *db, const struct deployment *deployment, struct error *err);
/* Moves status by compare-and-set; also the function's latestDeploymentStatus. Returns -1
 * ERROR_BUILD_NOT_FOUND if it was another. */
int store_deployment_move(struct db *db, const char *project_id, const char *id,
                          const char *from_status, const char *to_status, struct error *err);
/* Appends to the build log, keeping at most limit_bytes of its end (with the API's truncation
 * line in front). */
int store_deployment_log(struct db *db, const char *project_id, const char *id, const char *text,
                         size_t bytes, size_t limit_bytes, struct error *err);
/* Clears the function's active/latest fields as needed. */
int store_deployment_delete(struct db *db, const char *project_id, const char *function_id,
                            const char *id, struct error *err);
/* Sets `activate` false on all deployments of the function but this one. */
int store_deployment_only_activate(struct db *db, const char *project_id, const char *function_id,
                                   const char *id, struct error *err);
/* Makes a ready deployment the active one: deploymentId, deploymentCreatedAt, live; manual rules
 * of the function follow. Errors: ERROR_DEPLOYMENT_NOT_FOUND, ERROR_BUILD_NOT_READY. */
int store_deployment_activate(struct db *db, const char *project_id, const char *function_id,
                              const char *id, struct error *err);
/* Those with this status of all projects, oldest first (queue at start). */
int store_deployment_each(struct db *db, const char *status, list_row *row, void *context,
                          struct error *err);
/* Is this content address still used by any deployment? */
int store_deployment_uses(struct db *db, const char *hash, bool *ret_used, struct error *err);
/* What the files of all deployments are named by; the texts are borrowed for the call. */
typedef void store_files(void *context, const char *id, const char *source_hash,
                         const char *output_hash);
int store_deployment_each_files(struct db *db, store_files *files, void *context,
                                struct error *err);

/* With its input. Errors: ERROR_FUNCTION_NOT_FOUND. */
int store_execution_insert(struct db *db, const struct execution *execution, struct error *err);
/* Compare-and-set waiting or scheduled -> processing; reads everything needed to run it, input
 * included. -1 ERROR_EXECUTION_NOT_FOUND if it is gone or taken. */
int store_execution_claim(struct db *db, int64_t seq, struct execution *ret_execution,
                          struct error *err);
/* Writes the final state and drops the input; ERROR_EXECUTION_NOT_FOUND if it has one already. */
int store_execution_finish(struct db *db, const struct execution *execution, struct error *err);
int store_execution_get(struct db *db, const char *project_id, const char *function_id,
                        const char *id, struct execution *ret_execution, struct error *err);
/* Errors: ERROR_EXECUTION_IN_PROGRESS when it is waiting or processing. */
int store_execution_delete(struct db *db, const char *project_id, const char *function_id,
                           const char *id, struct error *err);
/*
 * Removes at most this many finished executions made before a time, oldest first; says how many.
 */
int store_execution_expire(struct db *db, int64_t before_us, int64_t most, int64_t *ret_count,
                           struct error *err);
int store_execution_last_seq(struct db *db, int64_t *ret_seq, struct error *err);
/* What was `processing` when the last daemon ended becomes failed with this sentence; returns
 * how many. */
int store_execution_settle(struct db *db, const char *sentence, int64_t *ret_count,
                           struct error *err);
/* seqs of waiting executions, oldest first: the queue at start. */
typedef void execution_waiting(void *context, int64_t seq, const char *project_id,
                               const char *function_id);
int store_execution_each_waiting(struct db *db, execution_waiting *row, void *context,
                                 struct error *err);
/* Those with a time, soonest first: the timers at start. */
typedef void execution_scheduled(void *context, int64_t seq, int64_t scheduled_at,
                                 const char *project_id, const char *function_id);
int store_execution_each_scheduled(struct db *db, execution_scheduled *row, void *context,
                                   struct error *err);

/* Errors: ERROR_RULE_ALREADY_EXISTS: the domain (or the id) is taken. */
int store_rule_insert(struct db *db, const struct rule *rule, struct error *err);
int store_rule_get(struct db *db, const char *project_id, const char *id, struct rule *ret_rule,
                   struct error *err);
int store_rule_update(struct db *db, const struct rule *rule, struct error *err);
int store_rule_delete(struct db *db, const char *project_id, const char *id, struct error *err);
/* Does a rule show just this deployment, whichever is active? */
int store_rule_shows(struct db *db, const char *project_id, const char *deployment_id,
                     bool *ret_shown, struct error *err);
int store_rule_each(struct db *db, list_row *row, void *context, struct error *err);

/*
 * Counters of a function ("" for the project itself) by the hour, which is microseconds / 3600e6:
 *   functions, deployments, deployments.storage    by inserting, updating and deleting those
 *   builds, builds.success, .failed, .compute (ms), .mbSeconds, .storage    by the builder
 *   executions, executions.failed, .compute, .mbSeconds    by recording or finishing one; gathered
 *   for up to a second, a crash loses that
 * What is of a deleted function is gone with it.
 */
/* Adds to an hourly counter: metric such as "executions", hour = microseconds / 3600e6.
 * function_id "" for the project. */
int store_usage_add(struct db *db, const char *project_id, const char *function_id,
                    const char *metric, int64_t hour, int64_t amount, struct error *err);

/* Hours from_hour <= hour < to_hour that have an amount, oldest first; function_id NULL: summed
 * over everything. */
typedef void usage_row(void *context, int64_t hour, int64_t amount);
int store_usage_each(struct db *db, const char *project_id, const char *function_id,
                     const char *metric, int64_t from_hour, int64_t to_hour, usage_row *row,
                     void *context, struct error *err);
/* The sum since ever. */
int store_usage_total(struct db *db, const char *project_id, const char *function_id,
                      const char *metric, int64_t *ret_total, struct error *err);

/* Has it hours before this one that store_usage_fold() has not seen? */
int store_usage_is_old(struct db *db, const char *project_id, const char *function_id,
                       int64_t before_hour, bool *ret_old, struct error *err);
/* Hours before this one become a part of the sum and of nothing else. */
int store_usage_fold(struct db *db, const char *project_id, const char *function_id,
                     int64_t before_hour, struct error *err);

/* Health: a real read and the time it took in microseconds. */
int store_ping(struct db *db, int64_t *ret_us, struct error *err);

#endif
