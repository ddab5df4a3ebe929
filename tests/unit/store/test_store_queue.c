#include "store_scratch.h"

static bool same(struct span got, const char *want)
{
    return span_eq(got, span_str(want));
}

static struct rc load(struct scratch *s, uint64_t recipient, const char *domain, struct arena *a,
                      struct store_envelope *out)
{
    return store_load(s->store, recipient >> 20, span_str(domain), WALL_NEVER, a, out);
}

static void message_comes_back_whole(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 20), to("b@one.example", 20),
                                    to("c@two.example", 20)};
    who[0].orcpt = SPAN("rfc822;a@one.example");
    who[0].notify = 5;
    struct store_envelope e = mail_to(s, who, 3, SPAN("body\r\n"));
    e.requiretls = e.smtputf8 = e.authenticated_tls = true;
    e.envid = SPAN("id+1");
    e.ret = 2;
    e.wrapped_key = SPAN("\0key");
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    OK(store_load(s->store, e.id, SPAN("one.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.id, e.id);
    assert_int_equal(got.received.us, e.received.us);
    assert_true(same(got.sender, "sender@example.org") && same(got.client, "192.0.2.1"));
    assert_true(same(got.head, "Received: from here\r\n") && same(got.envid, "id+1"));
    assert_true(span_eq(got.wrapped_key, e.wrapped_key));
    assert_true(got.requiretls && got.smtputf8 && got.authenticated_tls);
    assert_false(got.eight_bit || got.tls_required_no);
    assert_int_equal(got.recipients[0].return_path.len, 0);
    assert_int_equal(got.ret, 2);
    assert_int_equal(got.body.segment, e.body.segment);
    assert_int_equal(got.body.offset, e.body.offset);
    assert_int_equal(got.body.length, e.body.length);
    assert_memory_equal(got.body.digest.at, e.body.digest.at, 32);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.recipients[0].id, who[0].id);
    assert_int_equal(got.recipients[0].notify, 5);
    assert_true(same(got.recipients[0].orcpt, "rfc822;a@one.example"));
    assert_true(same(got.recipients[1].address, "b@one.example"));
    assert_true(same(got.recipients[1].domain, "one.example"));
    assert_int_equal(got.recipients[1].due.us, at_second(20).us);
}

static void load_is_by_domain(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 1), to("c@two.example", 1)};
    struct store_envelope e = mail_to(s, who, 2, SPAN("x"));
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    OK(store_load(s->store, e.id, SPAN("two.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, 1);
    IS(NOT_FOUND, store_load(s->store, e.id, SPAN("three.example"), WALL_NEVER, &a, &got));
    IS(NOT_FOUND, store_load(s->store, e.id, SPAN(""), WALL_NEVER, &a, &got));
    IS(NOT_FOUND, store_load(s->store, e.id + 1, SPAN("two.example"), WALL_NEVER, &a, &got));
    IS(NOT_FOUND, store_load(s->store, UINT64_MAX, SPAN("two.example"), WALL_NEVER, &a, &got));
}

static void load_is_of_what_is_due(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 20), to("b@one.example", 30)};
    struct store_envelope e = mail_to(s, who, 2, SPAN("x")), got;
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    IS(NOT_FOUND, store_load(s->store, e.id, SPAN("one.example"), at_second(19), &a, &got));
    OK(store_load(s->store, e.id, SPAN("one.example"), at_second(20), &a, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.recipients[0].id, who[0].id);
    OK(store_load(s->store, e.id, SPAN("one.example"), at_second(30), &a, &got));
    assert_int_equal(got.count, 2);
    scratch_outcome(s, who[0].id, STORE_FAILED, 40);
    OK(store_load(s->store, e.id, SPAN(""), at_second(0), &a, &got)); // a bounce is due always
    assert_int_equal(got.count, 1);
}

// A delivery takes the recipients of one (domain, return path).
static void load_is_by_return_path(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 3), to("b@one.example", 2),
                                    to("c@one.example", 1), to("d@one.example", 4),
                                    to("e@two.example", 0)};
    who[0].return_path = who[2].return_path = SPAN("owner@list.example");
    struct store_envelope e = mail_to(s, who, 5, SPAN("x")), got;
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    OK(store_load(s->store, e.id, SPAN("one.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, 2);
    assert_true(same(got.recipients[0].address, "c@one.example"));
    assert_true(same(got.recipients[1].address, "a@one.example"));
    assert_true(same(store_return_path(&got), "owner@list.example"));
    assert_true(same(got.sender, "sender@example.org"));
    scratch_outcome(s, who[2].id, STORE_DELIVERED, 0);
    scratch_outcome(s, who[0].id, STORE_DELIVERED, 0);
    struct store_due next;
    OK(store_next(s->store, e.id, SPAN("one.example"), &next));
    assert_int_equal(next.due.us, at_second(2).us); // the rest comes up at once
    OK(store_load(s->store, e.id, SPAN("one.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, 2);
    assert_true(same(got.recipients[0].address, "b@one.example"));
    assert_true(same(store_return_path(&got), "sender@example.org"));
}

static void a_bounce_is_of_one_return_path(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 1), to("b@two.example", 1),
                                    to("c@one.example", 1)};
    who[1].return_path = SPAN("owner@list.example");
    struct store_envelope e = mail_to(s, who, 3, SPAN("x")), got;
    e.sender = SPAN("");
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    struct store_facts f;
    OK(store_find(s->store, who[0].id, &f));
    assert_true(f.null_sender);
    OK(store_find(s->store, who[1].id, &f));
    assert_false(f.null_sender); // the owner can be told
    for (unsigned i = 0; i < 3; i++)
        scratch_outcome(s, who[i].id, STORE_FAILED, 0);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    OK(store_load(s->store, e.id, SPAN(""), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, 2);
    assert_int_equal(store_return_path(&got).len, 0);
    struct store_recipient told = to("owner@list.example", 1);
    struct store_envelope notice = mail_to(s, &told, 1, SPAN("y"));
    OK(store_put(s->store, &notice, (uint64_t[]){who[0].id, who[2].id}, 2));
    OK(store_sync(s->store));
    OK(store_load(s->store, e.id, SPAN(""), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, 1);
    assert_true(same(store_return_path(&got), "owner@list.example"));
}

static void load_respects_the_ceiling(void **state)
{
    struct scratch *s = *state;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    CLEANUP(arena_free) struct arena a = ARENA(100);
    struct store_envelope got;
    IS(FULL, load(s, id, "one.example", &a, &got));
}

static void load_gives_many_in_portions(void **state)
{
    struct scratch *s = *state;
    enum { MANY = STORE_LOAD_MAX + 10 };
    static struct store_recipient who[MANY];
    for (int i = 0; i < MANY; i++)
        who[i] = to("a@one.example", MANY - i);
    struct store_envelope e = mail_to(s, who, MANY, SPAN("x")), got;
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    OK(store_load(s->store, e.id, SPAN("one.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.count, STORE_LOAD_MAX);
    assert_int_equal(got.recipients[0].id, who[MANY - 1].id); // soonest due first
}

static void bad_envelopes_are_refused(void **state)
{
    struct scratch *s = *state;
    struct store_recipient none = {.address = SPAN("a@b")}, fine = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &fine, 0, SPAN("x"));
    IS(MALFORMED, store_put(s->store, &e, NULL, 0));
    e.count = 1;
    e.recipients = &none;
    IS(MALFORMED, store_put(s->store, &e, NULL, 0));
    e.recipients = &fine;
    e.count = (size_t)1 << 21;
    IS(TOO_LARGE, store_put(s->store, &e, NULL, 0));
    e.count = 1;
    assert_int_equal(store_gathered(s->store), 0);
    OK(store_put(s->store, &e, NULL, 0));
    assert_int_equal(store_gathered(s->store), 1);
    OK(store_sync(s->store));
    assert_int_equal(store_gathered(s->store), 0);
}

static void bad_ranges_are_refused(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope good = mail_to(s, &who, 1, SPAN("some body")), e;
    struct store_range bad[5];
    for (size_t i = 0; i < 5; i++)
        bad[i] = good.body;
    bad[0].offset = 0;
    bad[1].length = UINT64_MAX;
    bad[2].offset = UINT64_MAX - 3;
    bad[3].digest.at[31] ^= 1;
    bad[4].length--;
    for (size_t i = 0; i < 5; i++) {
        e = good;
        e.body = bad[i];
        IS(CORRUPT, store_put(s->store, &e, NULL, 0));
    }
    e = good;
    e.body.segment = 999;
    IS(NOT_FOUND, store_put(s->store, &e, NULL, 0));
    OK(store_put(s->store, &good, NULL, 0));
    OK(store_sync(s->store));
}

static void one_record_serves_one_message(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope first = mail_to(s, &who, 1, SPAN("first")), second, again;
    second = mail_to(s, &who, 1, SPAN("second"));
    OK(store_put(s->store, &second, NULL, 0)); // not in the order of their places
    OK(store_put(s->store, &first, NULL, 0));
    again = first;
    again.id = 0;
    IS(CORRUPT, store_put(s->store, &again, NULL, 0));
    OK(store_sync(s->store));
    again = second;
    again.id = 0;
    IS(CORRUPT, store_put(s->store, &again, NULL, 0));
    OK(store_sync(s->store));
    assert_int_equal(store_count(s->store), 2);
}

static void sealed_segment_takes_no_more(void **state)
{
    struct scratch *s = *state;
    scratch_mail(s, "a@b.example", 1);
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("late"));
    store_segment_seal(s->store, s->segment);
    IS(NOT_FOUND, store_put(s->store, &e, NULL, 0));
}

static void delivered_message_is_gone(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    assert_int_equal(store_count(s->store), 1);
    scratch_outcome(s, id, STORE_DELIVERED, 0);
    assert_int_equal(store_count(s->store), 0);
    IS(NOT_FOUND, load(s, id, "one.example", &a, &got));
}

static void outcomes_are_idempotent(void **state)
{
    struct scratch *s = *state;
    uint64_t kept = scratch_mail(s, "b@one.example", 1), id = scratch_mail(s, "a@one.example", 1);
    for (unsigned r = 0; r < STORE_RESULTS; r++) {
        scratch_outcome(s, id, STORE_DELIVERED, 0);
        scratch_outcome(s, id, (enum store_result)r, 5);
        assert_int_equal(store_count(s->store), 1);
    }
    struct store_outcome strange = {.recipient = UINT64_MAX};
    OK(store_outcome(s->store, &strange));
    OK(store_sync(s->store));
    struct store_facts f;
    OK(store_find(s->store, kept, &f));
}

static void deferred_is_due_again_and_remembers(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    scratch_outcome(s, id, STORE_DEFERRED, 77);
    OK(load(s, id, "one.example", &a, &got));
    assert_int_equal(got.recipients[0].attempts, 1);
    assert_int_equal(got.recipients[0].due.us, at_second(77).us);
    assert_true(same(got.recipients[0].status, "4.2.0"));
    assert_true(same(got.recipients[0].remote, "mx.example"));
    assert_true(same(got.recipients[0].reason, "later"));
    assert_true(same(got.recipients[0].diagnostic, "450 4.2.0 later"));
    scratch_outcome(s, id, STORE_DEFERRED, 99);
    OK(load(s, id, "one.example", &a, &got));
    assert_int_equal(got.recipients[0].attempts, 2);
}

static void failed_is_kept_until_replaced(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    scratch_outcome(s, id, STORE_FAILED, 0);
    scratch_outcome(s, id, STORE_DELIVERED, 0); // too late: a bounce is owed
    IS(NOT_FOUND, load(s, id, "one.example", &a, &got));
    OK(load(s, id, "", &a, &got));
    assert_true(same(got.recipients[0].address, "a@one.example"));
    struct store_recipient back = to("sender@example.org", 2);
    struct store_envelope bounce = mail_to(s, &back, 1, SPAN("bounce"));
    bounce.sender = SPAN("");
    OK(store_put(s->store, &bounce, &id, 1));
    OK(store_sync(s->store));
    assert_int_equal(store_count(s->store), 1);
    IS(NOT_FOUND, load(s, id, "", &a, &got));
    OK(store_load(s->store, bounce.id, SPAN("example.org"), WALL_NEVER, &a, &got));
    assert_int_equal(got.sender.len, 0);
}

static void tell(struct scratch *s, uint64_t id, enum store_result result, enum store_notice notice)
{
    struct store_outcome o = {.recipient = id,
                              .result = result,
                              .notice = notice,
                              .due = at_second(50),
                              .now = at_second(40),
                              .reason = SPAN("why")};
    OK(store_outcome(s->store, &o));
    OK(store_sync(s->store));
}

static void success_is_kept_until_it_is_told(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    tell(s, id, STORE_DELIVERED, STORE_NOTICE_RELAYED);
    tell(s, id, STORE_DELIVERED, STORE_NOTICE_NONE); // told twice: nothing
    IS(NOT_FOUND, load(s, id, "one.example", &a, &got));
    OK(load(s, id, "", &a, &got));
    assert_int_equal(got.recipients[0].notice, STORE_NOTICE_RELAYED);
    assert_int_equal(got.recipients[0].tried.us, at_second(40).us);
    assert_true(same(got.recipients[0].reason, "why"));
    struct store_recipient back = to("sender@example.org", 2);
    struct store_envelope notice = mail_to(s, &back, 1, SPAN("notice"));
    OK(store_put(s->store, &notice, &id, 1));
    OK(store_sync(s->store));
    IS(NOT_FOUND, load(s, id, "", &a, &got));
    assert_int_equal(store_count(s->store), 1);
}

static void delay_is_owed_beside_who_waits(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    struct store_facts f;
    struct store_tally t;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    tell(s, id, STORE_DEFERRED, STORE_NOTICE_DELAYED);
    tell(s, id, STORE_DEFERRED, STORE_NOTICE_DELAYED); // once
    OK(store_find(s->store, id, &f));
    assert_true(f.told && !f.owed && f.attempts == 2);
    OK(load(s, id, "one.example", &a, &got));
    assert_int_equal(got.count, 1);
    OK(load(s, id, "", &a, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.recipients[0].notice, STORE_NOTICE_DELAYED);
    assert_true(same(got.recipients[0].address, "a@one.example"));
    uint64_t owed = got.recipients[0].id;
    tell(s, owed, STORE_DELIVERED, STORE_NOTICE_NONE); // no delivery can end it
    OK(store_show(s->store, id >> 20, &a, &got, &t));
    assert_int_equal(t.count[STATE_OWED], 1);
    assert_int_equal(t.delays, 1);
    struct store_recipient back = to("sender@example.org", 2);
    struct store_envelope notice = mail_to(s, &back, 1, SPAN("notice"));
    OK(store_put(s->store, &notice, &owed, 1));
    tell(s, id, STORE_DEFERRED, STORE_NOTICE_DELAYED); // nor again when it was told
    IS(NOT_FOUND, load(s, id, "", &a, &got));
    OK(load(s, id, "one.example", &a, &got));
}

// One notice says one thing.
static void owed_rows_come_by_kind(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    struct store_recipient who[] = {to("a@one.example", 1), to("b@one.example", 1),
                                    to("c@one.example", 1), to("list@one.example", 1)};
    who[3].notice = STORE_NOTICE_EXPANDED;
    who[3].reason = SPAN("many");
    who[3].status = SPAN("2.0.0");
    struct store_envelope e = mail_to(s, who, 4, SPAN("x"));
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    OK(load(s, who[0].id, "one.example", &a, &got));
    assert_int_equal(got.count, 3);
    tell(s, who[0].id, STORE_FAILED, STORE_NOTICE_NONE);
    tell(s, who[1].id, STORE_DELIVERED, STORE_NOTICE_DELIVERED);
    tell(s, who[2].id, STORE_FAILED, STORE_NOTICE_FAILED);
    static const struct {
        enum store_notice notice;
        size_t count;
    } want[] = {{STORE_NOTICE_FAILED, 2}, {STORE_NOTICE_DELIVERED, 1}, {STORE_NOTICE_EXPANDED, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct store_recipient back = to("sender@example.org", 2);
        struct store_envelope notice = mail_to(s, &back, 1, SPAN("notice"));
        uint64_t ids[2];
        OK(load(s, who[0].id, "", &a, &got));
        assert_int_equal(got.recipients[0].notice, want[i].notice);
        assert_int_equal(got.count, want[i].count);
        for (size_t k = 0; k < got.count; k++)
            ids[k] = got.recipients[k].id;
        OK(store_put(s->store, &notice, ids, got.count));
        OK(store_sync(s->store));
    }
    assert_true(same(got.recipients[0].reason, "many") && same(got.recipients[0].status, "2.0.0"));
    assert_int_equal(store_count(s->store), 3);
}

static void bounce_is_never_put_twice(void **state)
{
    struct scratch *s = *state;
    uint64_t ids[2] = {scratch_mail(s, "a@one.example", 1), scratch_mail(s, "b@one.example", 1)};
    scratch_outcome(s, ids[0], STORE_FAILED, 0);
    struct store_recipient back = to("sender@example.org", 2);
    struct store_envelope bounce = mail_to(s, &back, 1, SPAN("bounce")), other;
    IS(NOT_FOUND, store_put(s->store, &bounce, ids, 2)); // ids[1] is pending, not failed
    OK(store_put(s->store, &bounce, ids, 1));
    other = mail_to(s, &back, 1, SPAN("bounce"));
    IS(NOT_FOUND, store_put(s->store, &other, ids, 1)); // in the same group
    OK(store_sync(s->store));
    IS(NOT_FOUND, store_put(s->store, &other, ids, 1)); // and in a later one
    OK(store_sync(s->store));
    assert_int_equal(store_count(s->store), 2);
}

static void dropped_leaves_no_bounce(void **state)
{
    struct scratch *s = *state;
    uint64_t id = scratch_mail(s, "a@one.example", 1);
    scratch_outcome(s, id, STORE_DROPPED, 0);
    assert_int_equal(store_count(s->store), 0);
}

static void message_stays_for_its_other_recipients(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 1), to("b@two.example", 1)};
    struct store_envelope e = mail_to(s, who, 2, SPAN("x"));
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    scratch_outcome(s, who[0].id, STORE_DELIVERED, 0);
    assert_int_equal(store_count(s->store), 1);
    scratch_outcome(s, who[1].id, STORE_DELIVERED, 0);
    assert_int_equal(store_count(s->store), 0);
}

struct seen {
    size_t count;
    struct {
        uint64_t message;
        char domain[32];
        int64_t due;
        uint64_t size;
        bool bounce;
    } at[64];
};

static void see(void *arg, const struct store_due *d)
{
    struct seen *seen = arg;
    assert_true(seen->count < 64);
    seen->at[seen->count].message = d->message;
    assert_true(span_copy(seen->at[seen->count].domain, 32, d->domain));
    seen->at[seen->count].due = d->due.us;
    seen->at[seen->count].size = d->size;
    seen->at[seen->count++].bounce = d->bounce;
}

static void due_is_ordered_and_bounded(void **state)
{
    struct scratch *s = *state;
    static const int64_t dues[] = {50, 20, 90, 30, 10};
    struct seen seen = {0};
    for (size_t i = 0; i < 5; i++)
        scratch_mail(s, "a@one.example", dues[i]);
    OK(store_due(s->store, at_second(50), 64, see, &seen));
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i + 1 < seen.count; i++)
        assert_true(seen.at[i].due < seen.at[i + 1].due);
    assert_int_equal(seen.at[0].size, 21);
    seen.count = 0;
    OK(store_due(s->store, at_second(50), 2, see, &seen));
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.at[1].due, at_second(20).us);
    seen.count = 0;
    OK(store_due(s->store, at_second(9), 64, see, &seen));
    assert_int_equal(seen.count, 0);
    OK(store_due(s->store, WALL_NEVER, SIZE_MAX, see, &seen));
    assert_int_equal(seen.count, 5);
}

static void due_gives_a_pair_once(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 1), to("b@two.example", 1),
                                    to("c@one.example", 1), to("d@two.example", 3),
                                    to("e@one.example", 2)};
    struct store_envelope e = mail_to(s, who, 5, SPAN("x"));
    struct seen seen = {0};
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    OK(store_due(s->store, at_second(5), 64, see, &seen));
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.at[0].domain, "one.example");
    assert_string_equal(seen.at[1].domain, "two.example");
}

static void bounces_are_always_due(void **state)
{
    struct scratch *s = *state;
    struct seen seen = {0};
    uint64_t id = scratch_mail(s, "a@one.example", 100);
    scratch_outcome(s, id, STORE_FAILED, 0);
    OK(store_due(s->store, at_second(1), 64, see, &seen));
    assert_int_equal(seen.count, 1);
    assert_true(seen.at[0].bounce);
    assert_string_equal(seen.at[0].domain, "");
}

static void next_says_what_is_left_of_a_pair(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who[] = {to("a@one.example", 8), to("b@one.example", 5),
                                    to("b@two.example", 3)};
    struct store_envelope e = mail_to(s, who, 3, SPAN("12345"));
    struct store_due d;
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    OK(store_next(s->store, e.id, SPAN("one.example"), &d));
    assert_int_equal(d.due.us, at_second(5).us);
    assert_int_equal(d.size, 5);
    IS(NOT_FOUND, store_next(s->store, e.id, SPAN(""), &d));
    scratch_outcome(s, who[2].id, STORE_FAILED, 0);
    IS(NOT_FOUND, store_next(s->store, e.id, SPAN("two.example"), &d));
    OK(store_next(s->store, e.id, SPAN(""), &d));
    assert_true(d.bounce);
    IS(NOT_FOUND, store_next(s->store, UINT64_MAX, SPAN(""), &d));
}

static void find_gives_what_decides(void **state)
{
    struct scratch *s = *state;
    struct store_facts f;
    struct store_recipient who = to("a@one.example", 8);
    who.notify = 3;
    struct store_envelope e = mail_to(s, &who, 1, SPAN("12345"));
    e.sender = SPAN("");
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    OK(store_find(s->store, who.id, &f));
    assert_int_equal(f.message, e.id);
    assert_int_equal(f.received.us, e.received.us);
    assert_int_equal(f.size, 5);
    assert_true(f.null_sender && !f.owed && f.attempts == 0 && f.notify == 3);
    scratch_outcome(s, who.id, STORE_FAILED, 0);
    OK(store_find(s->store, who.id, &f));
    assert_true(f.owed && f.attempts == 1);
    IS(NOT_FOUND, store_find(s->store, who.id + 1, &f));
    IS(NOT_FOUND, store_find(s->store, UINT64_MAX, &f));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(message_comes_back_whole),       T(load_is_by_domain),
        T(load_is_of_what_is_due),         T(load_respects_the_ceiling),
        T(load_is_by_return_path),         T(a_bounce_is_of_one_return_path),
        T(load_gives_many_in_portions),    T(bad_envelopes_are_refused),
        T(bad_ranges_are_refused),         T(one_record_serves_one_message),
        T(sealed_segment_takes_no_more),   T(delivered_message_is_gone),
        T(outcomes_are_idempotent),        T(deferred_is_due_again_and_remembers),
        T(failed_is_kept_until_replaced),  T(bounce_is_never_put_twice),
        T(dropped_leaves_no_bounce),       T(message_stays_for_its_other_recipients),
        T(due_is_ordered_and_bounded),     T(due_gives_a_pair_once),
        T(bounces_are_always_due),         T(next_says_what_is_left_of_a_pair),
        T(find_gives_what_decides),        T(success_is_kept_until_it_is_told),
        T(delay_is_owed_beside_who_waits), T(owed_rows_come_by_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
