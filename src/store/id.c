/* Generated identifiers: 8 hex digits of the seconds, 5 of the microseconds, 7 random. */
#include <sodium.h>
#include <string.h>

#include "store_private.h"

enum {
    SECOND_DIGITS = 8,
    FRACTION_DIGITS = 5,
    RANDOM_DIGITS = 7,
    SECOND_US = 1000000,
    RANDOM_AHEAD = 64
};

/* The system is asked for many at once. No program of ours forks while it has threads. */
static uint32_t random_number(void)
{
    static _Thread_local uint32_t numbers[RANDOM_AHEAD];
    static _Thread_local size_t left;

    if (left == 0) {
        randombytes_buf(numbers, sizeof numbers);
        left = RANDOM_AHEAD;
    }
    return numbers[--left];
}

/* The low digits of the number. */
static void put_hex(char *to, size_t digits, uint32_t number)
{
    for (; digits > 0; number >>= 4)
        to[--digits] = "0123456789abcdef"[number & 15];
}

void id_generate(int64_t realtime_us, char ret_id[GENERATED_ID + 1])
{
    uint32_t seconds = (uint32_t)(realtime_us / SECOND_US);
    uint32_t fraction = (uint32_t)(realtime_us % SECOND_US);

    put_hex(ret_id, SECOND_DIGITS, seconds);
    put_hex(ret_id + SECOND_DIGITS, FRACTION_DIGITS, fraction);
    put_hex(ret_id + SECOND_DIGITS + FRACTION_DIGITS, RANDOM_DIGITS, random_number());
    ret_id[GENERATED_ID] = '\0';
}

static int64_t hex_value(const char *text, size_t digits)
{
    int64_t value = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

int64_t id_time_us(const char *id)
{
    int64_t seconds, fraction;

    if (strlen(id) != GENERATED_ID || hex_value(id + SECOND_DIGITS + FRACTION_DIGITS, 7) < 0)
        return -1;
    seconds = hex_value(id, SECOND_DIGITS);
    fraction = hex_value(id + SECOND_DIGITS, FRACTION_DIGITS);
    return seconds < 0 || fraction < 0 || fraction >= SECOND_US ? -1
                                                                : seconds * SECOND_US + fraction;
}

bool id_prefix_times(const char *prefix, size_t digits, int64_t *ret_first_us, int64_t *ret_last_us)
{
    char low[GENERATED_ID + 1], high[GENERATED_ID + 1];
    int64_t last;

    if (digits > GENERATED_ID)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (hex_value(prefix + i, 1) < 0)
            return false;
    memset(low, '0', GENERATED_ID);
    memset(high, 'f', GENERATED_ID);
    memcpy(low, prefix, digits);
    memcpy(high, prefix, digits);
    low[GENERATED_ID] = high[GENERATED_ID] = '\0';
    if (id_time_us(low) < 0) /* a fraction that is more than a second */
        return false;
    last = hex_value(high + SECOND_DIGITS, FRACTION_DIGITS);
    last = last < SECOND_US ? last : SECOND_US - 1;
    *ret_first_us = id_time_us(low);
    *ret_last_us = hex_value(high, SECOND_DIGITS) * SECOND_US + last;
    return true;
}
