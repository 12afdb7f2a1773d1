/*
 * Errors: a value on the caller's stack that carries the public type and a sentence for a person.
 *
 * Functions return 0, or -1 with *err filled; err is always the last argument and never NULL. The
 * layer that knows the fact makes the error; layers above add context with fail_add() or pass it
 * on. A function returns or logs an error, never both: only main, the HTTP edge and the job loops
 * log.
 */
#ifndef ERROR_H
#define ERROR_H

enum error_type {
#define ERROR(name, code, type, message) ERROR_##name,
#include "errors.def"
#undef ERROR
    ERROR_TYPES
};

struct error {
    enum error_type type;
    char message[768];
};

struct error_row {
    const char *name;    /* as in the enum: FUNCTION_NOT_FOUND */
    int code;            /* HTTP status of the envelope */
    const char *type;    /* the API's identifier: function_not_found */
    const char *message; /* used when fail() gets a NULL format */
};

extern const struct error_row error_rows[ERROR_TYPES];

/* Fill err and return -1. format NULL: the row's own sentence. */
int fail(struct error *err, enum error_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As fail() with type ERROR_INTERNAL and ": strerror(errno)" appended. */
int fail_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts context in front of the message ("unpack: ..."), keeps the type, returns -1. */
int fail_add(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The analyzer sees one file at a time: told what these return, it takes no failure for success. */
#ifdef __clang_analyzer__
#define fail(...)       (fail(__VA_ARGS__), -1)
#define fail_errno(...) (fail_errno(__VA_ARGS__), -1)
#define fail_add(...)   (fail_add(__VA_ARGS__), -1)
#endif

#endif
