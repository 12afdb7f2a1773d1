/* Clocks and dates. The calendar is computed here: gmtime_r() takes a lock and reads the time zone.
 * See clock.h. */
#include "clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static const int64_t second_us = 1000000;
static const int64_t day_seconds = 86400;

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * second_us + now.tv_nsec / 1000;
}

int64_t clock_realtime_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

/*
 * Days since 1970-01-01 of a proleptic Gregorian date, and back. The year is taken to begin in
 * March, so that the leap day is its last; 146097 days are 400 years.
 */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2)
        year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static char *put_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

size_t clock_format(int64_t realtime_us, char ret_text[CLOCK_TEXT])
{
    /* What four digits of a year can say. */
    const int64_t first_us = days_of_date(0, 1, 1) * day_seconds * second_us;
    const int64_t last_us = days_of_date(10000, 1, 1) * day_seconds * second_us - 1;
    if (realtime_us < first_us)
        realtime_us = first_us;
    if (realtime_us > last_us)
        realtime_us = last_us;

    int64_t day_us = day_seconds * second_us;
    int64_t days = realtime_us / day_us - (realtime_us % day_us < 0);
    int rest_ms = (int)((realtime_us - days * day_us) / 1000);
    int year, month, day;
    date_of_days(days, &year, &month, &day);

    char *out = put_digits(ret_text, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, rest_ms / 3600000, 2);
    *out++ = ':';
    out = put_digits(out, rest_ms / 60000 % 60, 2);
    *out++ = ':';
    out = put_digits(out, rest_ms / 1000 % 60, 2);
    *out++ = '.';
    out = put_digits(out, rest_ms % 1000, 3);
    memcpy(out, "+00:00", 7);
    return (size_t)(out + 6 - ret_text);
}

/* Exactly so many digits, within the range; moves *at past them. */
static bool take_number(const char **at, int digits, int64_t least, int64_t most,
                        int64_t *ret_value)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    if (value < least || value > most)
        return false;
    *at += digits;
    *ret_value = value;
    return true;
}

static bool take_char(const char **at, const char *allowed)
{
    if (**at == '\0' || strchr(allowed, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

static bool take_date(const char **at, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!take_number(at, 4, 0, 9999, &year) || !take_char(at, "-") ||
        !take_number(at, 2, 1, 12, &month) || !take_char(at, "-"))
        return false;
    int64_t next_month = days_of_date(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1,
                                      1);
    int64_t length = next_month - days_of_date(year, month, 1);
    if (!take_number(at, 2, 1, length, &day))
        return false;
    *ret_days = days_of_date(year, month, day);
    return true;
}

static bool take_time(const char **at, int64_t *ret_us)
{
    int64_t hour, minute, second = 0, fraction_us = 0;
    if (!take_number(at, 2, 0, 23, &hour) || !take_char(at, ":") ||
        !take_number(at, 2, 0, 59, &minute))
        return false;
    if (take_char(at, ":")) {
        if (!take_number(at, 2, 0, 59, &second))
            return false;
        if (take_char(at, ".,")) {
            if (**at < '0' || **at > '9')
                return false;
            for (int64_t unit = 100000; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
                fraction_us += (**at - '0') * unit; /* digits below a microsecond count nothing */
        }
    }
    *ret_us = ((hour * 60 + minute) * 60 + second) * second_us + fraction_us;
    return true;
}

/* Z, +02:00, +0200, +02 or nothing. */
static bool take_offset(const char **at, int64_t *ret_us)
{
    *ret_us = 0;
    if (**at == '\0' || take_char(at, "Zz"))
        return true;
    bool west = **at == '-';
    int64_t hours, minutes = 0;
    if (!take_char(at, "+-") || !take_number(at, 2, 0, 23, &hours))
        return false;
    if (take_char(at, ":") || **at != '\0')
        if (!take_number(at, 2, 0, 59, &minutes))
            return false;
    int64_t offset_us = (hours * 60 + minutes) * 60 * second_us;
    *ret_us = west ? -offset_us : offset_us;
    return true;
}

int clock_parse(const char *text, int64_t *ret_realtime_us)
{
    const char *at = text;
    int64_t days, time_us = 0, offset_us = 0;
    if (!take_date(&at, &days))
        return -1;
    if (*at != '\0') {
        if (!take_char(&at, "Tt ") || !take_time(&at, &time_us) || !take_offset(&at, &offset_us))
            return -1;
    }
    if (*at != '\0')
        return -1;
    *ret_realtime_us = days * day_seconds * second_us + time_us - offset_us;
    return 0;
}
