/*
 * Stands before the system's cmocka.h: brings the headers it asks for, and takes away its macro
 * fail(), which would hide our function of that name (error.h). A test that wants to fail says
 * fail_msg() or asserts.
 */
#ifndef TESTS_CMOCKA_H
#define TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include_next <cmocka.h>

#undef fail
#undef fail_msg
#define fail_msg(...) \
    (print_error("ERROR: " __VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#endif
