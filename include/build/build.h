/*
 * The builder: from a waiting deployment to a ready one. Lives on the loop thread; unpacking, the
 * user's commands and packing happen in sandboxed children, database writes on the writer, hashing
 * and moving of files on lanes.
 *
 * waiting -> processing (unpack) -> building (commands, pack, seal) -> ready | failed | canceled
 */
#ifndef BUILD_H
#define BUILD_H

#include "loop.h"
#include "run.h"
#include "settings.h"
#include "store.h"
#include "thread.h"

struct builder;

struct builder_options {
    struct loop *loop;
    const struct settings *settings;
    struct store *store;
    struct lanes *lanes; /* their lane_state is a struct db * reader */
    struct run *run;
    struct registry *registry;
    const struct runtimes *runtimes;
    void *context;
    /*
     * Loop thread: the function's fields changed in the store (latest status, activation): reload
     * its registry record.
     */
    void (*on_function_changed)(void *context, const char *project_id, const char *function_id);
};

/*
 * Loads what is waiting; what was processing or building when the last daemon ended is requeued
 * once, then failed with a sentence in its log.
 */
int builder_new(const struct builder_options *options, struct db *db, struct builder **ret_builder,
                struct error *err);
void builder_free(struct builder *builder);

/* Loop thread. A deployment has just been committed as waiting. */
void builder_add(struct builder *builder, const char *project_id, const char *function_id,
                 const char *deployment_id);
/* Loop thread. The row is canceled already; ends what runs for it. Not building is fine. */
void builder_cancel(struct builder *builder, const char *deployment_id);
/*
 * Loop thread. The deployment is gone from the store: ends its build, removes its tree. Its
 * packages are the sweep's.
 */
void builder_forget(struct builder *builder, const char *deployment_id);

/* A line of ours for a build log, with time and name, for the caller to free. colour: as in
 * terminals, "31" red. */
char *build_log_text(const char *colour, const char *text);

/* Loop thread. Is it waiting or being built? */
bool builder_has(const struct builder *builder, const char *deployment_id);
size_t builder_waiting(const struct builder *builder);
/* Ends running builds; their rows stay to be requeued. */
void builder_stop(struct builder *builder);

#endif
