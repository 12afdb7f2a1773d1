/*
 * The inside of the store: connections, prepared statements, column tables. Not for other rooms.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "statements.h"
#include "store.h"

enum { SECRET_BYTES = 32 };
enum { LIST_TOTAL_MAX = 5000, VARIABLES_MAX = 1000 };
enum {
    SQL_BYTES_MAX = 4 * 1024 * 1024
}; /* of a list's statement: 100 queries with 500 values fit */

struct store {
    char *directory;
    char *file;
    int64_t query_limit_us;
    unsigned char secret[SECRET_BYTES];
    struct writer *writer;
    atomic_long fault_countdown; /* see store_fault.h; 0: no fault planned */
    atomic_ulong removals;       /* commits that may have removed executions */
};

enum { KEPT_STATEMENTS = 16, KEPT_COUNTS = 64 };

/* A function that had LIST_TOTAL_MAX executions or more when `removals` was this. */
struct kept_count {
    int64_t function_seq;
    unsigned long removals;
};

struct db {
    struct store *store;
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENTS];
    int64_t limit_us;             /* of one list, 0: none */
    int64_t deadline_us;          /* monotonic; of the list that runs now, 0: none */
    struct usage_gathered *usage; /* of the writer's only: else NULL */
    bool removing;                /* the writer's transaction removes executions */

    sqlite3_stmt *kept[KEPT_STATEMENTS]; /* of lists, not in use; list_sql.c */
    size_t kept_next;                    /* makes room when all places are taken */
    struct kept_count counts[KEPT_COUNTS];
};

/* ---- connections: database.c ----------------------------------------------------------------- */

/* Errors carry the file's name. create makes the file (0600) if it is absent. */
int db_open(struct store *store, bool create, struct db **ret_db, struct error *err);
void db_close(struct db *db); /* NULL is fine */
int db_execute(struct db *db, const char *sql,
               struct error *err);             /* SQL without parameters or results */
int db_fail(struct db *db, struct error *err); /* the last error of the connection, returns -1 */
#ifdef __clang_analyzer__
#define db_fail(...) (db_fail(__VA_ARGS__), -1) /* as for fail(), error.h */
#endif

/* ---- statements: statement.c ----------------------------------------------------------------- */

/* Prepared on first use, kept; give it to auto_reset. NULL with err on failure. */
sqlite3_stmt *statement_get(struct db *db, enum statement id, struct error *err);
void statement_reset(sqlite3_stmt **statement);
void statement_finalize(sqlite3_stmt **statement);
#define auto_reset    __attribute__((cleanup(statement_reset)))
#define auto_finalize __attribute__((cleanup(statement_finalize)))

/* 1: a row, 0: the end, -1: err. */
int statement_step(struct db *db, sqlite3_stmt *statement, struct error *err);
/* A statement without rows. */
int statement_run(struct db *db, sqlite3_stmt *statement, struct error *err);
/*
 * As statement_run; a unique key that exists already is this error (ERROR_INTERNAL: with SQLite's
 * own words).
 */
int statement_run_unique(struct db *db, sqlite3_stmt *statement, enum error_type taken,
                         struct error *err);

/*
 * Runs a statement of the registry with its parameters in order; no rows. format: t text (NULL: SQL
 * null), i int64_t. db_changes() then tells how many rows it touched.
 */
int statement_do(struct db *db, struct error *err, enum statement id, const char *format, ...);
int db_changes(struct db *db);

/* Parameters from 1. Text and bytes are borrowed until the reset. */
void bind_text(sqlite3_stmt *statement, int index, const char *text); /* NULL: SQL null */
void bind_integer(sqlite3_stmt *statement, int index, int64_t value);
void bind_blob(sqlite3_stmt *statement, int index, const void *bytes, size_t size);
char *column_text(sqlite3_stmt *statement, int index); /* a copy; SQL null is "" */

/* ---- columns: columns.c, entity.c ------------------------------------------------------------ */

enum entity_type {
    ENTITY_PROJECT,
    ENTITY_KEY,
    ENTITY_FUNCTION,
    ENTITY_VARIABLE,
    ENTITY_DEPLOYMENT,
    ENTITY_EXECUTION,
    ENTITY_RULE,
    ENTITIES
};

enum column_flags {
    COLUMN_KEY = 1 << 0,      /* identifies the row in an update */
    COLUMN_FIXED = 1 << 1,    /* written by insert only */
    COLUMN_SERIAL = 1 << 2,   /* the store gives it: read only */
    COLUMN_COMPUTED = 1 << 3, /* an expression: read only */
    COLUMN_FILTER = 1 << 4,   /* for filters and orders only; no field in the struct */
    COLUMN_APART = 1 << 5,    /* a text kept in another table: "" after a read */
    COLUMN_INLINE = 1 << 6,   /* char[GENERATED_ID + 1] inside the struct */
    COLUMN_NULLABLE = 1 << 7, /* "" is stored as null */
    COLUMN_SEALED = 1 << 8,   /* value of a variable: encrypted if the variable is secret */
    COLUMN_FINAL = 1 << 9,    /* status of a deployment: an update leaves `canceled` as it is */
    COLUMN_UNUSUAL = 1 << 10, /* status of an execution: has the index executions_unusual */
};

struct column {
    const char *name;       /* in SQL */
    const char *expression; /* what is read instead of the name */
    const char *attribute;  /* public name if it may be filtered and ordered */
    enum column_kind kind;
    unsigned flags;
    size_t offset; /* in the entity's struct */
};

struct entity {
    const char *table;
    const char *from; /* the table as t, and what it is joined with */
    const char *noun; /* in sentences */
    size_t bytes;     /* of its struct */
    const struct column *columns;
    size_t column_count;
};

extern const struct entity entities[ENTITIES];

/* SQL from the columns: "SELECT ... FROM ...", "INSERT ...", "UPDATE ... WHERE key". */
void entity_add_select(struct buffer *sql, enum entity_type type);
void entity_add_select_list(struct buffer *sql, enum entity_type type);
void entity_add_insert(struct buffer *sql, enum entity_type type);
void entity_add_update(struct buffer *sql, enum entity_type type);

/* Room for any entity. */
union any_entity {
    struct project project;
    struct key key;
    struct function function;
    struct variable variable;
    struct deployment deployment;
    struct execution execution;
    struct rule rule;
};

/* The row of a generated select; ret_entity is filled whole, and untouched on failure. */
int entity_read(struct db *db, sqlite3_stmt *statement, enum entity_type type, void *ret_entity,
                struct error *err);
void entity_release(enum entity_type type, void *entity);

/* A copy whose texts stand in `texts` (initialised; emptied first) and live as long as they do. */
void entity_copy(enum entity_type type, const void *entity, void *ret_copy, struct buffer *texts);

/* A select of the registry that is bound: its only row, or -1 with this error. */
int entity_read_one(struct db *db, sqlite3_stmt *statement, enum entity_type type, void *ret_entity,
                    enum error_type missing, struct error *err);
/* Likewise all rows. */
int entity_read_each(struct db *db, sqlite3_stmt *statement, enum entity_type type, list_row *row,
                     void *context, struct error *err);
int entity_insert(struct db *db, enum statement id, enum entity_type type, const void *entity,
                  enum error_type taken, struct error *err);
/* An update that touches no row is this error. */
int entity_update(struct db *db, enum statement id, enum entity_type type, const void *entity,
                  enum error_type missing, enum error_type taken, struct error *err);

/* The column behind an index of store_columns(), or NULL. */
const struct column *list_column_at(enum list_entity entity, int index);
enum entity_type list_entity_type(enum list_entity entity);

/* ---- pieces ---------------------------------------------------------------------------------- */

int migrate(struct db *db, const char *file, struct error *err);
int secret_open(struct store *store, bool must_exist, struct error *err);
int search_register(sqlite3 *handle); /* the SQL function search_words(search, text...) */
/* What search_words(search, text) says. */
bool search_matches(const char *search, const char *text);
/*
 * Every generated id that matches has its time (microseconds) in this range, which may be wider;
 * false: none matches.
 */
bool search_id_times(const char *search, int64_t *ret_first_us, int64_t *ret_last_us);
/* The times of generated ids that begin so; false: there are none. */
bool id_prefix_times(const char *prefix, size_t digits, int64_t *ret_first_us,
                     int64_t *ret_last_us);

int variable_value_bind(struct db *db, sqlite3_stmt *statement, int index,
                        const struct variable *variable, struct error *err);
int variable_value_read(struct db *db, sqlite3_stmt *statement, int index,
                        struct variable *variable, struct error *err);

int deployment_read_logs(struct db *db, int64_t seq, struct deployment *deployment,
                         struct error *err);
int execution_read_logs(struct db *db, struct execution *execution, struct error *err);

/*
 * A finished execution; the fast path of the writer. 0 also when its function is gone: nobody could
 * read it.
 */
int execution_record(struct db *db, const struct execution *execution, struct error *err);

/*
 * Everything of one function, or with function_id NULL of a whole project; but not the row itself.
 */
int owned_delete(struct db *db, const char *project_id, const char *function_id, struct error *err);
/*
 * Usage of executions, gathered between transactions of the writer. Adding happens inside one;
 * write puts all into the store, clear forgets it once that has been committed.
 */
enum { USAGE_FUNCTIONS = 64 };
struct usage_gathered {
    int64_t since_us; /* monotonic, of the first */
    size_t count;
    struct usage_of_function {
        int64_t function_seq, hour, executions, failed, compute_us;
        double mb_seconds;
    } rows[USAGE_FUNCTIONS];
};
int usage_count(struct db *db, const struct execution *execution, struct error *err);
int usage_write(struct db *db, struct error *err);
void usage_clear(struct db *db);
/* Adds to a counter of this hour; 0 is nothing. */
int usage_now(struct db *db, const char *project_id, const char *function_id, const char *metric,
              int64_t amount, struct error *err);

/* Removes some executions of deleted functions; *ret_more: there is more to remove. */
int garbage_sweep(struct db *db, bool *ret_more, struct error *err);

/* One at a time: ask again only after take_done was true. */
struct checkpoint;
int checkpoint_start(struct store *store, struct checkpoint **ret_checkpoint, struct error *err);
void checkpoint_stop(struct checkpoint *checkpoint);
void checkpoint_request(struct checkpoint *checkpoint);
bool checkpoint_take_done(struct checkpoint *checkpoint);

/* Takes db. */
int writer_start(struct store *store, struct db *db, int64_t gather_us, struct error *err);
/* Writes what waits and closes the db; not started is fine. */
void writer_stop(struct store *store);

#endif
