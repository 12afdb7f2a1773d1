/*
 * Runtimes: the published table of ids, and what of it this host really has.
 *
 * A family is one language with its bootstrap (our program inside the worker) and its build recipe;
 * adding a language is a folder in src/runtimes/ and a row in families.c.
 */
#ifndef RUNTIMES_H
#define RUNTIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "error.h"

struct runtime_row {      /* one published id */
    const char *id;       /* node-22 */
    const char *key;      /* node */
    const char *name;     /* Node.js */
    const char *version;  /* 22 */
    const char *base;     /* base image text the API shows */
    const char *image;    /* openruntimes/node:v5-22 */
    const char *logo;     /* node.png */
    const char *supports; /* JSON list: ["x86","arm64"] */
    bool deprecated;
};

/* The published table in the API's order: families as published, versions ascending. */
const struct runtime_row *runtime_rows(size_t *ret_count);
const struct runtime_row *runtime_find(const char *id); /* NULL: no such id */

/* Lists end with NULL. */
struct runtime_family {
    const char *key;             /* node */
    const char *other_key;       /* further published family it serves: python-ml; or NULL */
    const char *const *programs; /* patterns of interpreter names: "node", "python3.[0-9]" */
    const char *version_prefix;  /* what --version prints before the number: "v", "Python " */
    unsigned version_parts;      /* 1: the major alone tells versions apart; 2: major and minor */
    /* Between interpreter and bootstrap. {heap_mb} is three quarters of the memory; an argument
     * that needs it is left out when the memory is 0. */
    const char *const *arguments;
    const char *bootstrap; /* file in {boot}: "node/bootstrap.cjs" */
    /* Shell text before the user's commands, "" for none; runs only with commands, in the code's
     * directory. The builder fills in {interpreter} and {interpreter_directory}. */
    const char *build_prelude;
    const char *const *build_environment; /* NAME=value with {code} {cache} {tmp} */
    const char *const *start_variables;   /* patterns of variables the interpreter reads at start */
    bool concurrent;                      /* one worker takes many requests at once */
};

struct interpreter {
    const struct runtime_family *family;
    char *path;    /* absolute, resolved */
    char *version; /* "20.20.2" */
    int major, minor;
};

struct runtimes; /* what this host has; immutable after detection */

/*
 * Looks at the paths of the setting (comma list of interpreters), then in /usr/local/bin and
 * /usr/bin, and runs each with --version (2 s limit). Of several with the same version the first
 * counts. Absent families are simply not there; a path of the setting that is no interpreter of
 * ours is logged as a warning. Blocking: before the loop starts.
 */
int runtimes_detect(const char *extra_paths, struct runtimes **ret_runtimes, struct error *err);
void runtimes_free(struct runtimes *runtimes);

size_t runtimes_count(const struct runtimes *runtimes);
const struct interpreter *runtimes_at(const struct runtimes *runtimes, size_t index);

/*
 * The interpreter that serves id: the same version, else (substitute) the nearest installed one of
 * the family: the next newer, else the newest older. *ret_exact tells whether it is the version
 * asked for (20.20.2 is exact for node-20.0 and python 3.11.2 for python-3.11).
 * Errors: FUNCTION_RUNTIME_UNSUPPORTED `Runtime "x" is not supported`.
 */
int runtimes_resolve(const struct runtimes *runtimes, const char *id, bool substitute,
                     const struct interpreter **ret_interpreter, bool *ret_exact,
                     struct error *err);

/* Is this published id served exactly by something installed (what listRuntimes shows)? */
bool runtimes_has(const struct runtimes *runtimes, const struct runtime_row *row);

/*
 * argv and environment of a worker process, as the START message wants them: u32 argc, u32 envc,
 * NUL-terminated strings; {boot} {tmp} {code} are replaced by the supervisor. memory_mb sets heap
 * options, which stay for the process's life: a spare serves functions of its own memory only (0:
 * no such option). extra_environment: NAME=value strings that the interpreter must see from its
 * start, NULL for a spare. ret_launch is initialised by the caller and added to.
 */
void runtime_launch(const struct interpreter *interpreter, int64_t memory_mb,
                    const char *const *extra_environment, size_t extra_count,
                    struct buffer *ret_launch);

/* Does this variable force a start of its own (no spare)? */
bool runtime_reads_at_start(const struct runtime_family *family, const char *variable_name);

/*
 * Writes every bootstrap below directory (DIR/bootstrap, made if absent), modes 0644 and 0755,
 * replacing what differs.
 */
int runtimes_install_bootstraps(const char *directory, struct error *err);

/* Specifications: the fixed nine. */
struct specification {
    const char *slug;
    int64_t memory_mb;
    int64_t cpus_milli;
};
const struct specification *specifications(size_t *ret_count);
const struct specification *specification_find(const char *slug); /* unknown: NULL */
extern const char specification_default[];                        /* "s-1vcpu-512mb" */

#endif
