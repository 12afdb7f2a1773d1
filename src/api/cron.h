/* Cron expressions: five fields in UTC, lists, ranges, steps, names, @macros, L, W, #. */
#ifndef CRON_H
#define CRON_H

#include <stdbool.h>
#include <stdint.h>

struct cron {
    uint64_t minutes, hours, days, months; /* bit n: n is allowed */
    uint8_t weekdays;                      /* bit 0: Sunday */
    bool any_day, any_weekday;             /* the field was *; if neither was, either suffices */
    bool last_day;                         /* L in the days */
    uint64_t near_weekdays;                /* nW: the weekday nearest to n, in the same month */
    bool last_near_weekday;                /* LW */
    /* n#k: bit of the weekday in nth_weekday[k]; [0]: nL, the last one */
    uint8_t nth_weekday[6];
};

bool cron_parse(const char *text, struct cron *ret_cron);

/*
 * The first minute after (or the last before) this time, in seconds; false when there is none
 * within eight years.
 */
bool cron_next(const struct cron *cron, int64_t after, int64_t *ret_at);
bool cron_previous(const struct cron *cron, int64_t before, int64_t *ret_at);

#endif
