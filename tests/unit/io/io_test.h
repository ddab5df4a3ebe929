// What the tests of this room share.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_loop.h"

#if defined(__SANITIZE_ADDRESS__)
#define IO_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IO_TEST_ASAN 1
#endif
#endif
#ifndef IO_TEST_ASAN
#define IO_TEST_ASAN 0
#endif

static bool io_test_late;
static void io_test_too_late(void *arg)
{
    (void)arg;
    io_test_late = true;
}

// Turns until *done, or until `ms` have passed: then false.
static inline bool io_test_until(struct io_loop *l, const bool *done, int ms)
{
    struct io_timer limit = {.fire = io_test_too_late};
    io_test_late = false;
    io_loop_shift(l, 0); // the time of the last turn may be long ago
    io_timer_set(l, &limit, (struct mono){io_now(l).us + ms * US_PER_MS});
    while (!*done && !io_test_late)
        io_loop_turn(l, true);
    io_timer_cancel(l, &limit);
    return *done;
}

// All turns that come within `ms`; and some more, for the machine may have stood still meanwhile.
static inline void io_test_rest(struct io_loop *l, int ms)
{
    bool never = false;
    (void)io_test_until(l, &never, ms);
    for (int i = 0; i < 8; i++)
        io_loop_turn(l, false);
}

static inline void io_test_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}
