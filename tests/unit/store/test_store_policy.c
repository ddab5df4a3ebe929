#include "store_scratch.h"

#include "store_policy.h"

struct place {
    char root[64], path[96];
    struct store_policy *p;
    struct arena arena;
};

static int setup(void **state)
{
    struct place *p = mem_new(sizeof *p);
    const char *why;
    p->arena = ARENA(1 << 20);
    strcpy(p->root, "/tmp/geleit-policy-XXXXXX");
    if (!mkdtemp(p->root))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/policy.db", p->root);
    *state = p;
    return rc_ok(store_policy_open(&p->p, p->path, &why)) ? 0 : -1;
}

static int teardown(void **state)
{
    struct place *p = *state;
    store_policy_close(p->p);
    arena_free(&p->arena);
    nftw(p->root, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    return 0;
}

static void policy_comes_back(void **state)
{
    struct place *p = *state;
    struct span got;
    const char *why;
    IS(NOT_FOUND, store_policy_get(p->p, SPAN("a.example"), &p->arena, &got));
    OK(store_policy_put(p->p, SPAN("a.example"), SPAN("one\0two"), at_second(5)));
    OK(store_policy_get(p->p, SPAN("a.example"), &p->arena, &got));
    assert_true(span_eq(got, SPAN("one\0two")));
    OK(store_policy_put(p->p, SPAN("a.example"), SPAN("new"), at_second(9)));
    store_policy_close(p->p);
    OK(store_policy_open(&p->p, p->path, &why));
    OK(store_policy_get(p->p, SPAN("a.example"), &p->arena, &got));
    assert_true(span_eq(got, SPAN("new")));
    IS(NOT_FOUND, store_policy_get(p->p, SPAN("b.example"), &p->arena, &got));
}

static void ceiling_is_respected(void **state)
{
    struct place *p = *state;
    struct span got;
    struct arena small = ARENA(2);
    OK(store_policy_put(p->p, SPAN("a.example"), SPAN("some value"), at_second(5)));
    IS(FULL, store_policy_get(p->p, SPAN("a.example"), &small, &got));
    arena_free(&small);
}

static void list(void *arg, struct span domain)
{
    buf_put(arg, domain);
    buf_putc(arg, ' ');
}

static void expiring_are_listed_soonest_first(void **state)
{
    struct place *p = *state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    OK(store_policy_put(p->p, SPAN("c.example"), SPAN("x"), at_second(30)));
    OK(store_policy_put(p->p, SPAN("a.example"), SPAN("x"), at_second(10)));
    OK(store_policy_put(p->p, SPAN("b.example"), SPAN("x"), at_second(20)));
    OK(store_policy_expiring(p->p, at_second(30), 10, list, &b));
    assert_string_equal(buf_str(&b), "a.example b.example ");
    buf_clear(&b);
    OK(store_policy_expiring(p->p, WALL_NEVER, 1, list, &b));
    assert_string_equal(buf_str(&b), "a.example ");
    buf_clear(&b);
    OK(store_policy_put(p->p, SPAN("a.example"), SPAN("x"), at_second(99)));
    OK(store_policy_expiring(p->p, WALL_NEVER, 10, list, &b));
    assert_string_equal(buf_str(&b), "b.example c.example a.example ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(policy_comes_back),
        T(ceiling_is_respected),
        T(expiring_are_listed_soonest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
