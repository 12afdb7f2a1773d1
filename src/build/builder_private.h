/* Inside the build room: one job is one deployment on its way to ready. */
#ifndef BUILDER_PRIVATE_H
#define BUILDER_PRIVATE_H

#include "buffer.h"
#include "build.h"
#include "package.h"

struct job;

/* What happens after a step, on the loop thread. err is NULL when the step went well. */
typedef void job_next(struct job *job, const struct error *err);
/* A blocking step, run on a lane with that lane's reader. */
typedef int job_step(struct job *job, struct db *db, struct error *err);

struct builder {
    struct builder_options options;
    struct job *first, *last; /* waiting and running, in order of arrival */
    size_t waiting, running;
    bool stopping;
    struct loop_timer retry; /* no room on the disk or in the lanes: look again */
};

struct job {
    struct job *next, *previous;
    struct builder *builder;
    char *project_id, *function_id, *deployment_id;
    bool running;
    bool ending;   /* finish has begun: nothing may start for it any more */
    bool canceled; /* by the API: the row says so already */
    bool timed_out;
    uint64_t child;     /* of the run room, 0: none */
    int64_t started_us; /* monotonic */
    struct loop_timer deadline;
    struct loop_timer again; /* the lanes were full */

    struct deployment deployment; /* as it was when the job started */
    char **secrets;               /* values that must not show in the log, NULL-terminated */
    int64_t memory_mb, cpus_milli;
    struct error failure; /* of the step that ended it */

    /* build_log.c */
    struct buffer log; /* not yet in the store */
    struct loop_timer flush;
    int log_fd; /* our end of the child's output; -1: none */
    struct loop_watch *log_watch;

    /* the lane step that is under way */
    job_step *step;
    job_next *after;
    int step_result;
    struct error step_error;

    int package_fd; /* source, while unpacking */
    int output_fd;  /* packed output, while packing */
    char *output_path;
};

/* job.c: the steps, from start to end. The job frees itself through builder_job_done(). */
void job_start(struct job *job);
void job_abort(struct job *job); /* ends the child, if any; the job then ends as its flags say */

/* store_steps.c: what the steps read from and write to the store (lanes) */
int job_load(struct job *job, struct db *db, struct error *err);
int job_mark_building(struct job *job, struct db *db, struct error *err);
int job_keep_output(struct job *job, struct db *db, struct error *err);
int job_mark_ready(struct job *job, struct db *db, struct error *err);
int job_mark_failed(struct job *job, struct db *db, struct error *err);

/* build_log.c */
void job_log_open(struct job *job);
int job_log_pipe(struct job *job, int *ret_write_end, struct error *err);
void job_log_drain(struct job *job); /* what is still in the pipe, then closes our end */
/* one of ours, with time and name */
void job_log_line(struct job *job, const char *colour, const char *text);
void job_log_flush(struct job *job); /* to the store, in order with everything submitted later */
void job_log_close(struct job *job);

/* builder.c */
void builder_job_done(struct job *job);

#endif
