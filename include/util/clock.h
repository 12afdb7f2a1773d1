/* Time. Realtime for stored dates and tokens, monotonic for deadlines and durations. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_realtime_us(void);
int64_t clock_monotonic_us(void);

enum { CLOCK_TEXT = 32 }; /* room for clock_format() */

/* 2020-10-15T06:38:00.000+00:00 from microseconds UTC; returns the length. */
size_t clock_format(int64_t realtime_us, char ret_text[CLOCK_TEXT]);

/*
 * ISO 8601 with any offset or Z, seconds and fraction optional, "T" or space; -1 if it is no date.
 */
int clock_parse(const char *text, int64_t *ret_realtime_us);

#endif
