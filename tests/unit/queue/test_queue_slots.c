// Connections to a host: who has one, who waits.
#include "queue_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct span mx = {"mx.example.org", 14}, other = {"other.example", 13};

static void as_many_as_allowed(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(2);
    assert_true(queue_slots_take(s, mx, 1));
    assert_true(queue_slots_take(s, mx, 2));
    assert_false(queue_slots_take(s, mx, 3));
    assert_true(queue_slots_take(s, other, 3));
    queue_slots_free(s);
    queue_slots_free(NULL);
}

static void first_come_first_served(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(1);
    uint64_t next = 0;
    assert_true(queue_slots_take(s, mx, 1));
    for (uint64_t who = 2; who < 6; who++)
        assert_false(queue_slots_take(s, mx, who));
    for (uint64_t who = 2; who < 6; who++) {
        assert_true(queue_slots_give(s, mx, &next));
        assert_int_equal(next, who);
    }
    assert_false(queue_slots_give(s, mx, &next));
    assert_true(queue_slots_take(s, mx, 7));
    queue_slots_free(s);
}

static void giving_what_nobody_has(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(1);
    uint64_t next = 0;
    assert_false(queue_slots_give(s, mx, &next));
    assert_true(queue_slots_take(s, mx, 1));
    assert_false(queue_slots_give(s, mx, &next));
    assert_false(queue_slots_give(s, mx, &next));
    assert_true(queue_slots_take(s, mx, 1));
    assert_false(queue_slots_take(s, mx, 2)); // not two from giving twice
    queue_slots_free(s);
}

static void who_is_forgotten_gets_none(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(1);
    uint64_t next = 0;
    queue_slots_forget(s, mx, 1);
    queue_slots_take(s, mx, 1);
    queue_slots_take(s, mx, 2);
    queue_slots_take(s, mx, 3);
    queue_slots_take(s, mx, 2);
    queue_slots_forget(s, mx, 2);
    assert_true(queue_slots_give(s, mx, &next));
    assert_int_equal(next, 3);
    queue_slots_take(s, mx, 4); // the line still has an end
    queue_slots_forget(s, mx, 4);
    queue_slots_take(s, mx, 5);
    assert_true(queue_slots_give(s, mx, &next));
    assert_int_equal(next, 5);
    queue_slots_free(s);
}

static void waiting_twice_is_served_twice(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(1);
    uint64_t next = 0;
    queue_slots_take(s, mx, 1);
    queue_slots_take(s, mx, 2);
    queue_slots_take(s, mx, 2);
    assert_true(queue_slots_give(s, mx, &next));
    assert_true(queue_slots_give(s, mx, &next));
    assert_false(queue_slots_give(s, mx, &next));
    queue_slots_free(s);
}

static void a_lower_limit_waits_for_what_is_given(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(3);
    uint64_t next = 0;
    for (uint64_t who = 1; who <= 4; who++)
        queue_slots_take(s, mx, who);
    queue_slots_limit(s, 1);
    assert_false(queue_slots_give(s, mx, &next));
    assert_false(queue_slots_give(s, mx, &next));
    assert_true(queue_slots_give(s, mx, &next));
    assert_int_equal(next, 4);
    queue_slots_free(s);
}

static void a_higher_limit_wakes_those_who_wait(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(0); // counts as one
    uint64_t next = 0, sum = 0;
    struct span host;
    queue_slots_take(s, mx, 1);
    for (uint64_t who = 2; who <= 5; who++)
        queue_slots_take(s, mx, who);
    queue_slots_take(s, other, 9);
    assert_false(queue_slots_next(s, &host, &next));
    queue_slots_limit(s, 4);
    while (queue_slots_next(s, &host, &next)) {
        assert_true(span_eq(host, mx));
        sum = sum * 10 + next;
    }
    assert_int_equal(sum, 234);
    assert_true(queue_slots_take(s, other, 9));
    queue_slots_free(s);
}

static void many_hosts(void **state)
{
    (void)state;
    struct queue_slots *s = queue_slots_new(1);
    char name[32];
    uint64_t next = 0;
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "mx%u.example", (unsigned)i);
            assert_int_equal(queue_slots_take(s, span_str(name), i), round == 0);
        }
    for (uint64_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "mx%u.example", (unsigned)i);
        assert_true(queue_slots_give(s, span_str(name), &next));
        assert_int_equal(next, i);
    }
    queue_slots_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_allowed),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(giving_what_nobody_has),
        cmocka_unit_test(who_is_forgotten_gets_none),
        cmocka_unit_test(waiting_twice_is_served_twice),
        cmocka_unit_test(a_lower_limit_waits_for_what_is_given),
        cmocka_unit_test(a_higher_limit_wakes_those_who_wait),
        cmocka_unit_test(many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
