/*
 * A host to start children on, in each situation this machine reaches: a profile, as root or as an
 * ordinary user. A test program's main() calls box_run_all(), which runs its tests once for each
 * situation.
 */
#ifndef BOX_H
#define BOX_H

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox.h"
#include "sandbox_private.h"

struct box {
    struct sandbox_host host;
    enum sandbox_profile profile;
    char data[128]; /* the data directory; 0711 */
    char tmp[160];  /* of slot 0 */
    uint64_t next_id;
};

extern struct box box;

/* Everything a plan needs but the program; slot 0. */
struct sandbox_plan box_plan(void);
uint32_t box_slot(uint32_t index); /* 0 where there are no slots */

/* Runs `/bin/sh -c script` to its end, or until seconds have passed; output is what it wrote to 1
 * and 2. */
struct box_result {
    struct sandbox_end end;
    bool hit_memory;
    bool timed_out;
    char output[8192];
};
struct box_result box_run(const struct sandbox_plan *plan);
struct box_result box_shell(const char *script);
struct box_result box_shell_limited(const char *script, const struct sandbox_limit *limit,
                                    enum sandbox_network network);
struct box_result box_python(const char *script);

/* Starts a shell script whose output nobody reads. */
void box_start(const char *script, uint32_t slot, struct sandbox_child *ret_child);

/* kill, and wait for emptiness, at most five seconds; then reaps and buries. Returns whether it
 * became empty. */
bool box_end(struct sandbox_child *child, uint32_t slot);

/* Runs a routine inside a child instead of a program; it returns 0, or -1 with a detail. */
int box_inside(sandbox_trial *routine, void *context, enum sandbox_network network, uint32_t slot,
               struct error *err);

void box_skip(const char *why); /* prints "skipped: why" and skips */

/* name: of the program. Returns main's status. */
int box_run_all(const char *name, const struct CMUnitTest *tests, size_t count);

#endif
