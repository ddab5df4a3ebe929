// Buckets: what is taken, what comes back, who is forgotten.
#include "abuse_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define AT(seconds) ((struct mono){SECONDS(seconds)})

static void taken_and_back(void **state)
{
    (void)state;
    struct abuse_buckets *b = abuse_buckets_new(100, 1);
    const struct abuse_rate rate = {3, SECONDS(10)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(abuse_bucket_take(b, SPAN("a"), &rate, 1, AT(100)), 0);
    assert_int_equal(abuse_bucket_used(b, SPAN("a"), &rate, AT(100)), 3);
    assert_int_equal(abuse_bucket_take(b, SPAN("a"), &rate, 1, AT(100)), SECONDS(10));
    assert_int_equal(abuse_bucket_take(b, SPAN("a"), &rate, 2, AT(104)), SECONDS(16));
    assert_int_equal(abuse_bucket_take(b, SPAN("a"), &rate, 1, AT(110)), 0);
    assert_int_equal(abuse_bucket_take(b, SPAN("b"), &rate, 3, AT(110)), 0); // nobody else's
    assert_true(abuse_bucket_take(b, SPAN("c"), &rate, 4, AT(110)) == INT64_MAX);
    abuse_bucket_fill(b, SPAN("a"));
    abuse_bucket_fill(b, SPAN("nobody"));
    assert_int_equal(abuse_bucket_used(b, SPAN("a"), &rate, AT(110)), 0);
    assert_int_equal(abuse_bucket_take(b, SPAN("a"), &rate, 3, AT(110)), 0);
    assert_int_equal(abuse_bucket_used(b, SPAN("a"), &rate, AT(1000)), 0);
    abuse_buckets_free(b);
    abuse_buckets_free(NULL);
}

static void hourly(void **state)
{
    (void)state;
    struct abuse_buckets *b = abuse_buckets_new(1, 7);
    const struct abuse_rate rate = abuse_hourly(60);
    assert_int_equal(rate.every_us, SECONDS(60));
    unsigned sent = 0;
    for (int s = 0; s < 7200; s++) // two hours of trying
        sent += abuse_bucket_take(b, SPAN("u"), &rate, 1, AT(s)) == 0;
    assert_int_equal(sent, 60 + 119);
    assert_int_equal(abuse_hourly(0).burst, 1);
    assert_int_equal(abuse_hourly(UINT64_MAX).every_us, 1);
    abuse_buckets_free(b);
}

// Of fixed size; who used most is remembered longest.
static void many_keys(void **state)
{
    (void)state;
    struct abuse_buckets *b = abuse_buckets_new(64, 42);
    const struct abuse_rate rate = {10, SECONDS(60)};
    assert_int_equal(abuse_bucket_take(b, SPAN("worst"), &rate, 10, AT(1)), 0);
    for (int i = 0; i < 10000; i++) {
        char key[32];
        int n = snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(abuse_bucket_take(b, (struct span){key, (size_t)n}, &rate, 1, AT(1)), 0);
    }
    assert_int_equal(abuse_bucket_used(b, SPAN("worst"), &rate, AT(1)), 10);
    abuse_buckets_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_and_back),
        cmocka_unit_test(hourly),
        cmocka_unit_test(many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
