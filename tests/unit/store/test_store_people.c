// What the operator sees of the queue and does to it, and ids that were given out
// before a message was put.
#include "store_scratch.h"

static struct store_envelope two_to(struct scratch *s, struct store_recipient *who)
{
    who[0] = to("a@one.example", 1);
    who[1] = to("b@two.example", 2);
    struct store_envelope e = mail_to(s, who, 2, SPAN("body"));
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    return e;
}

static void change(struct scratch *s, uint64_t id, enum store_change what, uint64_t expected)
{
    uint64_t count = 4711;
    OK(store_change(s->store, id, what, at_second(50), &count));
    OK(store_sync(s->store));
    assert_int_equal(count, expected);
}

static struct store_tally tally_of(struct scratch *s, uint64_t id)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope e;
    struct store_tally t;
    OK(store_show(s->store, id, &a, &e, &t));
    return t;
}

static void count_due(void *arg, const struct store_due *d)
{
    int *n = arg;
    (void)d;
    ++*n;
}

static int due_now(struct scratch *s)
{
    int n = 0;
    OK(store_due(s->store, WALL_NEVER, 100, count_due, &n));
    return n;
}

static void what_is_due_too_late_is_pulled_in(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    struct store_envelope e = two_to(s, who); // due at seconds 1 and 2
    uint64_t count;
    OK(store_pull_in(s->store, at_second(2), at_second(0), &count));
    assert_int_equal(count, 0);
    OK(store_pull_in(s->store, at_second(1), at_second(0), &count));
    OK(store_sync(s->store));
    assert_int_equal(count, 1);
    assert_int_equal(tally_of(s, e.id).count[STATE_PENDING], 2);
    change(s, e.id, STORE_HOLD, 2); // held for ever is no late due
    OK(store_pull_in(s->store, at_second(1), at_second(0), &count));
    OK(store_sync(s->store));
    assert_int_equal(count, 0);
}

static void a_given_id_is_kept(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    uint64_t first = store_reserve(s->store, 100);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x")), f = mail_to(s, &who, 1, SPAN("y"));
    e.id = first + 7;
    OK(store_put(s->store, &e, NULL, 0));
    assert_int_equal(e.id, first + 7);
    assert_int_equal(store_recipient_message(who.id), first + 7);
    OK(store_put(s->store, &f, NULL, 0));
    assert_true(f.id >= first + 100); // the rest is somebody's
    OK(store_sync(s->store));
    assert_int_equal(tally_of(s, first + 7).count[STATE_PENDING], 1);
}

static void ids_that_were_not_given_are_refused(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    uint64_t first = store_reserve(s->store, 10);
    const uint64_t bad[] = {first + 10, first + 4096, UINT64_MAX, (uint64_t)1 << 43};
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e.id = bad[i];
        IS(MALFORMED, store_put(s->store, &e, NULL, 0));
    }
    e.id = first;
    OK(store_put(s->store, &e, NULL, 0));
    struct store_envelope again = mail_to(s, &who, 1, SPAN("y"));
    again.id = first;
    IS(MALFORMED, store_put(s->store, &again, NULL, 0)); // gathered counts, too
    OK(store_sync(s->store));
    IS(MALFORMED, store_put(s->store, &again, NULL, 0));
    assert_int_equal(store_count(s->store), 1);
}

static void ids_in_use_are_not_given_again(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    uint64_t first = store_reserve(s->store, 1000);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x"));
    e.id = first + 999;
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    scratch_close(s);
    scratch_open(s);
    assert_true(store_reserve(s->store, 1) > first + 999);
}

static void list_one(void *arg, uint64_t id)
{
    uint64_t **next = arg;
    *(*next)++ = id;
}

static void list_is_in_order_and_in_pieces(void **state)
{
    struct scratch *s = *state;
    uint64_t ids[8] = {0}, *next = ids, want[5];
    for (int i = 0; i < 5; i++)
        want[i] = store_recipient_message(scratch_mail(s, "a@b.example", 1));
    OK(store_list(s->store, 0, 3, list_one, &next));
    assert_ptr_equal(next, ids + 3);
    OK(store_list(s->store, ids[2], 3, list_one, &next));
    assert_ptr_equal(next, ids + 5);
    assert_memory_equal(ids, want, sizeof want);
    OK(store_list(s->store, UINT64_MAX, 3, list_one, &next));
    assert_ptr_equal(next, ids + 5);
}

static void show_has_all_recipients(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope put = two_to(s, who), e;
    struct store_tally t;
    scratch_outcome(s, who[0].id, STORE_FAILED, 0);
    OK(store_show(s->store, put.id, &a, &e, &t));
    assert_int_equal(e.count, 2);
    assert_int_equal(e.recipients[0].state, STATE_OWED);
    assert_int_equal(e.recipients[1].state, STATE_PENDING);
    assert_int_equal(t.count[STATE_OWED], 1);
    assert_int_equal(t.count[STATE_PENDING], 1);
    assert_int_equal(t.due.us, at_second(2).us);
    IS(NOT_FOUND, store_show(s->store, put.id + 1, &a, &e, &t));
    IS(NOT_FOUND, store_show(s->store, UINT64_MAX, &a, &e, &t));
}

static void retry_is_due_now(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    uint64_t id = two_to(s, who).id;
    scratch_outcome(s, who[0].id, STORE_DEFERRED, 9000);
    change(s, id, STORE_RETRY, 2);
    assert_int_equal(tally_of(s, id).due.us, at_second(50).us);
}

static void held_is_not_due_and_comes_back(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope e;
    uint64_t id = two_to(s, who).id;
    change(s, id, STORE_HOLD, 2);
    change(s, id, STORE_HOLD, 0);
    change(s, id, STORE_RETRY, 0);
    assert_int_equal(due_now(s), 0);
    IS(NOT_FOUND, store_load(s->store, id, SPAN("one.example"), WALL_NEVER, &a, &e));
    scratch_close(s);
    scratch_open(s);
    assert_int_equal(tally_of(s, id).count[STATE_HELD], 2);
    assert_int_equal(tally_of(s, id).due.us, WALL_NEVER.us);
    change(s, id, STORE_RELEASE, 2);
    assert_int_equal(due_now(s), 2);
    OK(store_load(s->store, id, SPAN("one.example"), WALL_NEVER, &a, &e));
}

// Its delivery was under way when it was held.
static void held_from_the_start(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2] = {to("a@one.example", 1), to("b@two.example", 2)};
    struct store_envelope e = mail_to(s, who, 2, SPAN("body")), got;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_tally t;
    e.hold = SPAN("quarantined");
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    assert_int_equal(due_now(s), 0);
    OK(store_show(s->store, e.id, &a, &got, &t));
    assert_true(t.count[STATE_HELD] == 2 && t.count[STATE_PENDING] == 0);
    assert_true(span_eq(got.recipients[1].reason, SPAN("quarantined")));
    change(s, e.id, STORE_RETRY, 0);
    change(s, e.id, STORE_RELEASE, 2);
    assert_int_equal(due_now(s), 2);
    assert_int_equal(tally_of(s, e.id).due.us, at_second(50).us);
}

// As of a list: nobody hears of a success before the message goes on.
static void a_notice_is_held_with_its_message(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2] = {to("a@one.example", 1), to("list@two.example", 2)};
    who[1].notice = STORE_NOTICE_DELIVERED;
    struct store_envelope e = mail_to(s, who, 2, SPAN("body"));
    e.hold = SPAN("quarantined");
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    assert_int_equal(due_now(s), 0);
    assert_int_equal(tally_of(s, e.id).count[STATE_HELD], 2);
    change(s, e.id, STORE_RELEASE, 2);
    struct store_tally t = tally_of(s, e.id);
    assert_true(t.count[STATE_PENDING] == 1 && t.count[STATE_OWED] == 1);
    assert_int_equal(t.due.us, at_second(50).us);
    assert_int_equal(due_now(s), 2);
}

static void held_and_delivered_is_not_sent_again(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    uint64_t id = two_to(s, who).id;
    change(s, id, STORE_HOLD, 2);
    scratch_outcome(s, who[0].id, STORE_DELIVERED, 0);
    assert_int_equal(tally_of(s, id).count[STATE_HELD], 1);
    scratch_outcome(s, who[1].id, STORE_DEFERRED, 100); // stays held
    assert_int_equal(tally_of(s, id).count[STATE_HELD], 1);
    assert_int_equal(due_now(s), 0);
    scratch_outcome(s, who[1].id, STORE_FAILED, 0);
    assert_int_equal(tally_of(s, id).count[STATE_OWED], 1);
    assert_int_equal(due_now(s), 1);
}

static void deleted_is_gone_with_its_body(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    uint64_t id = two_to(s, who).id, count;
    uint32_t segment = s->segment;
    store_segment_seal(s->store, segment);
    assert_true(scratch_there(s, segment));
    change(s, id, STORE_DELETE, 2);
    assert_false(scratch_there(s, segment));
    assert_int_equal(store_count(s->store), 0);
    IS(NOT_FOUND, store_change(s->store, id, STORE_DELETE, at_second(1), &count));
    scratch_outcome(s, who[0].id, STORE_DELIVERED, 0); // comes too late, harms nothing
    assert_int_equal(due_now(s), 0);
}

static void a_change_of_nothing_harms_no_group(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x"));
    uint64_t count;
    OK(store_put(s->store, &e, NULL, 0));
    IS(NOT_FOUND, store_change(s->store, e.id + 1, STORE_HOLD, at_second(1), &count));
    IS(NOT_FOUND, store_change(s->store, UINT64_MAX, STORE_DELETE, at_second(1), &count));
    OK(store_sync(s->store));
    assert_int_equal(store_count(s->store), 1);
}

static void domain_one(void *arg, struct span domain)
{
    int *n = arg;
    *n += domain.len == strlen("one.example");
}

static void domains_are_those_pending(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[2];
    uint64_t id = two_to(s, who).id;
    int n = 0;
    OK(store_domains(s->store, id, domain_one, &n));
    assert_int_equal(n, 2);
    change(s, id, STORE_HOLD, 2);
    n = 0;
    OK(store_domains(s->store, id, domain_one, &n));
    assert_int_equal(n, 0);
    IS(NOT_FOUND, store_domains(s->store, UINT64_MAX, domain_one, &n));
}

#define T(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_due_too_late_is_pulled_in),
        T(a_given_id_is_kept),
        T(ids_that_were_not_given_are_refused),
        T(ids_in_use_are_not_given_again),
        T(list_is_in_order_and_in_pieces),
        T(show_has_all_recipients),
        T(retry_is_due_now),
        T(held_is_not_due_and_comes_back),
        T(held_from_the_start),
        T(a_notice_is_held_with_its_message),
        T(held_and_delivered_is_not_sent_again),
        T(deleted_is_gone_with_its_body),
        T(a_change_of_nothing_harms_no_group),
        T(domains_are_those_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
