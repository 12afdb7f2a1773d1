#include "cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mem.h"
#include "text.h"

enum { CRON_TEXT = 256, CRON_YEARS = 8, DAY_SECONDS = 86400, MINUTES_A_DAY = 24 * 60 };

struct field_rule {
    int least, most;
    const char *const *names; /* of least, least + 1 ... */
};

static const char *const month_names[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
                                           "AUG", "SEP", "OCT", "NOV", "DEC", NULL };
static const char *const weekday_names[] = {
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL
};

static const struct field_rule minute_rule = { 0, 59, NULL }, hour_rule = { 0, 23, NULL },
                               day_rule = { 1, 31, NULL }, month_rule = { 1, 12, month_names },
                               weekday_rule = { 0, 7, weekday_names };

/* Reads a number or a name and moves *text behind it; -1 if there is none in range. */
static int read_value(const struct field_rule *rule, const char **text)
{
    int value = -1;

    if (isdigit((unsigned char)**text)) {
        for (value = 0; isdigit((unsigned char)**text) && value < 1000; (*text)++)
            value = value * 10 + (**text - '0');
    } else {
        for (int i = 0; rule->names != NULL && rule->names[i] != NULL; i++)
            if (strncasecmp(*text, rule->names[i], 3) == 0) {
                value = rule->least + i;
                *text += 3;
                break;
            }
    }
    return value < rule->least || value > rule->most ? -1 : value;
}

/* One entry of a list: *, n, a-b, each with /step. */
static bool read_entry(const struct field_rule *rule, const char *text, uint64_t *bits)
{
    int first = rule->least, last = rule->most, step = 1;

    if (*text == '*' || *text == '?') {
        text++;
        if (rule == &weekday_rule)
            last = 6;
    } else {
        if ((first = read_value(rule, &text)) < 0)
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if ((last = read_value(rule, &text)) < first)
                return false;
        } else if (*text == '/') {
            last = rule->most;
        }
    }
    if (*text == '/') {
        long number = strtol(text + 1, NULL, 10);

        for (text++; isdigit((unsigned char)*text); text++)
            ;
        if (number < 1)
            return false;
        step = number > rule->most ? rule->most + 1 : (int)number;
    }
    for (int value = first; value <= last && value < 64; value += step)
        *bits |= 1ULL << value;
    return *text == '\0';
}

static bool read_day(const char *text, struct cron *cron)
{
    if (strcasecmp(text, "L") == 0)
        return cron->last_day = true;
    if (strcasecmp(text, "LW") == 0)
        return cron->last_near_weekday = true;
    size_t length = strlen(text);
    if (length > 1 && toupper((unsigned char)text[length - 1]) == 'W') {
        int day = read_value(&day_rule, &text);
        if (day < 0 || text[1] != '\0')
            return false;
        cron->near_weekdays |= 1ULL << day;
        return true;
    }
    return read_entry(&day_rule, text, &cron->days);
}

static bool read_weekday(const char *text, struct cron *cron)
{
    const char *at = text;
    int weekday = read_value(&weekday_rule, &at);

    if (weekday >= 0 && at[0] == '#' && at[1] >= '1' && at[1] <= '5' && at[2] == '\0') {
        cron->nth_weekday[at[1] - '0'] |= (uint8_t)(1U << (weekday % 7));
        return true;
    }
    if (weekday >= 0 && toupper((unsigned char)at[0]) == 'L' && at[1] == '\0') {
        cron->nth_weekday[0] |= (uint8_t)(1U << (weekday % 7));
        return true;
    }
    uint64_t bits = 0;
    if (!read_entry(&weekday_rule, text, &bits))
        return false;
    cron->weekdays |= (uint8_t)((bits | bits >> 7) & 0x7f);
    return true;
}

static bool read_field(struct cron *cron, size_t field, char *text)
{
    char *rest = text;

    if (text[0] == '\0' || text[strlen(text) - 1] == ',')
        return false;
    for (char *entry; (entry = strsep(&rest, ",")) != NULL;) {
        bool is_read = false;
        switch (field) {
        case 0:
            is_read = read_entry(&minute_rule, entry, &cron->minutes);
            break;
        case 1:
            is_read = read_entry(&hour_rule, entry, &cron->hours);
            break;
        case 2:
            is_read = read_day(entry, cron);
            break;
        case 3:
            is_read = read_entry(&month_rule, entry, &cron->months);
            break;
        case 4:
            is_read = read_weekday(entry, cron);
            break;
        }
        if (!is_read)
            return false;
    }
    return true;
}

static const char *expand_macro(const char *text)
{
    static const struct {
        const char *name, *text;
    } macros[] = {
        { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
        { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
        { "@hourly", "0 * * * *" },
    };

    for (size_t i = 0; i < COUNT(macros); i++)
        if (text_equals_nocase(text, macros[i].name))
            return macros[i].text;
    return text;
}

bool cron_parse(const char *text, struct cron *ret_cron)
{
    struct cron cron = { 0 };
    char copy[CRON_TEXT], *rest = copy;
    size_t fields = 0;

    text = expand_macro(text);
    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text); /* its length has just been checked */
    for (char *field; (field = strsep(&rest, " \t")) != NULL;) {
        if (*field == '\0')
            continue;
        if (fields == 2)
            cron.any_day = *field == '*' || *field == '?';
        if (fields == 4)
            cron.any_weekday = *field == '*' || *field == '?';
        if (fields >= 5 || !read_field(&cron, fields, field))
            return false;
        fields++;
    }
    if (fields != 5)
        return false;
    *ret_cron = cron;
    return true;
}

/* ---- dates ----------------------------------------------------------------------------------- */

struct date {
    int month, day, weekday, month_days;
};

static struct date date_of(int64_t days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    time_t seconds = (time_t)(days * DAY_SECONDS);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    int year = tm.tm_year + 1900;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return (struct date){
        .month = tm.tm_mon + 1,
        .day = tm.tm_mday,
        .weekday = tm.tm_wday,
        .month_days = lengths[tm.tm_mon] + (tm.tm_mon == 1 && is_leap ? 1 : 0),
    };
}

/* The weekday (Monday to Friday) nearest to a day, without leaving the month. */
static int nearest_weekday(const struct date *date, int day)
{
    if (day > date->month_days)
        day = date->month_days;
    int weekday = ((date->weekday + day - date->day) % 7 + 7) % 7;
    if (weekday == 6)
        return day == 1 ? day + 2 : day - 1;
    if (weekday == 0)
        return day == date->month_days ? day - 2 : day + 1;
    return day;
}

static bool day_matches(const struct cron *cron, const struct date *date)
{
    uint8_t weekday_bit = (uint8_t)(1U << date->weekday);
    bool day = (cron->days >> date->day & 1) != 0 ||
               (cron->last_day && date->day == date->month_days) ||
               (cron->last_near_weekday && date->day == nearest_weekday(date, date->month_days));
    bool weekday = (cron->weekdays & weekday_bit) != 0 ||
                   (cron->nth_weekday[(date->day - 1) / 7 + 1] & weekday_bit) != 0 ||
                   ((cron->nth_weekday[0] & weekday_bit) != 0 && date->day + 7 > date->month_days);

    for (int near = 1; !day && near <= 31 && cron->near_weekdays != 0; near++)
        day = (cron->near_weekdays >> near & 1) != 0 && near <= date->month_days &&
              date->day == nearest_weekday(date, near);
    if (!cron->any_day && !cron->any_weekday)
        return day || weekday;
    return day && weekday;
}

/*
 * The first (direction 1) or last (-1) matching minute of a day at or after (before) this minute of
 * it, or -1.
 */
static int minute_of_day(const struct cron *cron, int from, int direction)
{
    for (int minute = from; minute >= 0 && minute < 24 * 60; minute += direction)
        if ((cron->hours >> (minute / 60) & 1) != 0 && (cron->minutes >> (minute % 60) & 1) != 0)
            return minute;
    return -1;
}

static bool search(const struct cron *cron, int64_t from_minute, int direction, int64_t *ret_at)
{
    int64_t day = from_minute / MINUTES_A_DAY;
    int minute = (int)(from_minute % MINUTES_A_DAY);

    for (int i = 0; i <= CRON_YEARS * 366 && day >= 0; i++) {
        struct date date = date_of(day);
        if ((cron->months >> date.month & 1) != 0 && day_matches(cron, &date)) {
            int found = minute_of_day(cron, minute, direction);
            if (found >= 0) {
                *ret_at = day * DAY_SECONDS + (int64_t)found * 60;
                return true;
            }
        }
        day += direction;
        minute = direction > 0 ? 0 : 24 * 60 - 1;
    }
    return false;
}

bool cron_next(const struct cron *cron, int64_t after, int64_t *ret_at)
{
    return search(cron, after / 60 + 1, 1, ret_at);
}

bool cron_previous(const struct cron *cron, int64_t before, int64_t *ret_at)
{
    return search(cron, (before - 1) / 60, -1, ret_at);
}
