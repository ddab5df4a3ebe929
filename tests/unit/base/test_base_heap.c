// The timer heap.
#include "base_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 500 };
struct timer {
    int id;
    struct heap_node node;
};

static uint64_t seed = 7;
static unsigned dice(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static void empty(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node n = {0};
    assert_null(heap_top(&h));
    heap_remove(&h, &n); // is in none
    heap_free(&h);
}

static void one(void **state)
{
    (void)state;
    struct heap h = {0};
    struct timer t = {.id = 3};
    heap_set(&h, &t.node, 5);
    assert_int_equal(CONTAINER(heap_top(&h), struct timer, node)->id, 3);
    heap_set(&h, &t.node, 6);
    assert_int_equal(heap_top(&h)->key, 6);
    assert_int_equal(h.len, 1);
    heap_remove(&h, &t.node);
    heap_remove(&h, &t.node);
    assert_null(heap_top(&h));
    assert_int_equal(t.node.place, 0);
    heap_free(&h);
}

static void free_forgets_the_nodes(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node n[9] = {0};
    for (int i = 0; i < 9; i++)
        heap_set(&h, &n[i], i);
    heap_free(&h);
    for (int i = 0; i < 9; i++)
        assert_int_equal(n[i].place, 0);
    heap_set(&h, &n[4], 1);
    assert_ptr_equal(heap_top(&h), &n[4]);
    heap_free(&h);
}

static void keys_at_the_ends_of_numbers(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node least = {0}, most = {0}, zero = {0};
    heap_set(&h, &most, INT64_MAX);
    heap_set(&h, &zero, 0);
    heap_set(&h, &least, INT64_MIN);
    assert_ptr_equal(heap_top(&h), &least);
    heap_remove(&h, &least);
    assert_ptr_equal(heap_top(&h), &zero);
    heap_free(&h);
}

static int64_t naive_least(const struct heap_node *n)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < COUNT; i++)
        if (n[i].place && n[i].key < least)
            least = n[i].key;
    return least;
}

static void random_operations_agree_with_looking_at_all(void **state)
{
    (void)state;
    struct heap h = {0};
    static struct heap_node n[COUNT];
    for (int round = 0; round < 20000; round++) {
        struct heap_node *one = &n[dice(COUNT)];
        if (dice(3))
            heap_set(&h, one, (int64_t)dice(1000) - 500);
        else
            heap_remove(&h, one);
        if (h.len)
            assert_int_equal(heap_top(&h)->key, naive_least(n));
        else
            assert_int_equal(naive_least(n), INT64_MAX);
    }
    int64_t last = INT64_MIN;
    while (h.len) {
        struct heap_node *top = heap_top(&h);
        assert_true(top->key >= last);
        last = top->key;
        heap_remove(&h, top);
    }
    heap_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(one),
        cmocka_unit_test(free_forgets_the_nodes),
        cmocka_unit_test(keys_at_the_ends_of_numbers),
        cmocka_unit_test(random_operations_agree_with_looking_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
