#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_message.h"

static struct store_recipient who[2];

static struct store_envelope sample(void)
{
    who[0] = (struct store_recipient){.id = 1,
                                      .address = SPAN("a@one.example"),
                                      .domain = SPAN("one.example"),
                                      .return_path = SPAN("owner@list.example"),
                                      .orcpt = SPAN("rfc822;a"),
                                      .notify = STORE_NOTIFY_NEVER,
                                      .notice = STORE_NOTICE_DELAYED,
                                      .attempts = 3,
                                      .due = {-5},
                                      .tried = {77},
                                      .status = SPAN("4.2.0"),
                                      .reason = SPAN("later"),
                                      .remote = SPAN("mx"),
                                      .diagnostic = SPAN("450 later")};
    who[1] =
        (struct store_recipient){.address = SPAN("b@[192.0.2.1]"), .domain = SPAN("[192.0.2.1]")};
    return (struct store_envelope){.id = UINT64_MAX,
                                   .received = {INT64_MAX},
                                   .client = SPAN("192.0.2.1"),
                                   .eight_bit = true,
                                   .tls_required_no = true,
                                   .envid = SPAN("x"),
                                   .ret = 2,
                                   .head = SPAN("A: \xff\0b\r\n"),
                                   .body = {.segment = 7, .offset = 64, .length = 99},
                                   .wrapped_key = SPAN("key"),
                                   .count = 2,
                                   .recipients = who,
                                   .hold = SPAN("quarantined")};
}

static void envelope_comes_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    CLEANUP(arena_free) struct arena a = ARENA(100000);
    struct store_envelope e = sample(), got;
    e.body.digest.at[31] = 9;
    proc_envelope_pack(&b, &e);
    wr_u16(&b, 0); // what follows is the caller's
    struct rd r = RD(buf_span(&b));
    assert_true(proc_envelope_unpack(&r, &got, &a));
    assert_int_equal(r.rest.len, 2);
    assert_true(got.id == e.id && got.received.us == e.received.us && got.ret == 2);
    assert_true(span_eq(got.head, e.head) && span_eq(got.wrapped_key, e.wrapped_key));
    assert_true(span_eq(got.sender, SPAN("")) && span_eq(got.client, e.client));
    assert_true(span_eq(got.hold, e.hold));
    assert_true(got.eight_bit && got.tls_required_no);
    assert_false(got.requiretls || got.smtputf8 || got.authenticated_tls);
    assert_true(got.body.segment == 7 && got.body.offset == 64 && got.body.length == 99);
    assert_int_equal(got.body.digest.at[31], 9);
    assert_int_equal(got.count, 2);
    assert_true(got.recipients[0].attempts == 3 && got.recipients[0].due.us == -5);
    assert_true(got.recipients[0].tried.us == 77);
    assert_int_equal(got.recipients[0].notice, STORE_NOTICE_DELAYED);
    assert_true(got.recipients[0].notify == STORE_NOTIFY_NEVER);
    assert_true(span_eq(got.recipients[0].orcpt, who[0].orcpt));
    assert_true(span_eq(got.recipients[0].return_path, who[0].return_path));
    assert_int_equal(got.recipients[1].return_path.len, 0);
    assert_true(span_eq(got.recipients[0].status, who[0].status));
    assert_true(span_eq(got.recipients[0].reason, who[0].reason));
    assert_true(span_eq(got.recipients[0].remote, who[0].remote));
    assert_true(span_eq(got.recipients[0].diagnostic, who[0].diagnostic));
    assert_true(span_eq(got.recipients[1].domain, who[1].domain));
    assert_ptr_not_equal(got.recipients[1].domain.at, who[1].domain.at);
}

static void every_cut_is_malformed(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    struct store_envelope e = sample(), got;
    proc_envelope_pack(&b, &e);
    for (size_t n = 0; n < b.len; n++) {
        CLEANUP(arena_free) struct arena a = ARENA(100000);
        struct rd r = RD(span_first(buf_span(&b), n));
        assert_false(proc_envelope_unpack(&r, &got, &a));
    }
}

static bool unpacks(const struct store_envelope *e, size_t ceiling)
{
    CLEANUP(buf_free) struct buf b = BUF(10000);
    CLEANUP(arena_free) struct arena a = ARENA(ceiling);
    struct store_envelope got;
    proc_envelope_pack(&b, e);
    struct rd r = RD(buf_span(&b));
    return proc_envelope_unpack(&r, &got, &a);
}

static void nonsense_is_malformed(void **state)
{
    (void)state;
    struct store_envelope e = sample();
    static char long_domain[300];
    assert_true(unpacks(&e, 100000));
    assert_false(unpacks(&e, 100));
    e.ret = 3;
    assert_false(unpacks(&e, 100000));
    e = sample();
    e.body.cipher = 1;
    assert_false(unpacks(&e, 100000));
    e = sample();
    e.body.length = UINT64_MAX;
    assert_false(unpacks(&e, 100000));
    e.body.length = (uint64_t)INT64_MAX - 63;
    assert_false(unpacks(&e, 100000));
    e = sample();
    who[1].domain = SPAN("");
    assert_false(unpacks(&e, 100000));
    who[1].domain = SPAN_OF(long_domain);
    assert_false(unpacks(&e, 100000));
    who[1].domain = SPAN("d");
    who[1].address = SPAN("");
    assert_false(unpacks(&e, 100000));
}

// Where the count of the recipients stands: the first thing that differs.
static size_t count_at(struct store_envelope e)
{
    CLEANUP(buf_free) struct buf none = BUF(100000), one = BUF(100000);
    size_t at = 0;
    e.count = 1;
    proc_envelope_pack(&one, &e);
    e.count = 0;
    proc_envelope_pack(&none, &e);
    while (one.at[at] == none.at[at])
        at++;
    return at - 3; // most significant byte first
}

static void false_count_takes_no_memory(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    CLEANUP(arena_free) struct arena a = ARENA((size_t)1 << 40);
    struct store_envelope e = sample(), got;
    size_t at = count_at(e);
    e.count = 0;
    proc_envelope_pack(&b, &e);
    b.at[at] = (char)0x40;
    struct rd r = RD(buf_span(&b));
    assert_false(proc_envelope_unpack(&r, &got, &a));
    assert_true(a.used < 10000);
}

static void attempt_comes_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    struct store_attempt t = {.when = {1},
                              .message = 2,
                              .sender = SPAN("s"),
                              .domain = SPAN("d"),
                              .recipients = SPAN("[]"),
                              .plan = SPAN("{}"),
                              .sessions = SPAN("[1]"),
                              .decision = SPAN("failed"),
                              .reason = SPAN("why"),
                              .duration_us = 3},
                         got;
    proc_attempt_pack(&b, &t);
    struct rd r = RD(buf_span(&b));
    assert_true(proc_attempt_unpack(&r, &got) && rd_end(&r));
    assert_true(got.when.us == 1 && got.message == 2 && got.duration_us == 3);
    assert_true(span_eq(got.sender, t.sender) && span_eq(got.domain, t.domain));
    assert_true(span_eq(got.plan, t.plan) && span_eq(got.sessions, t.sessions));
    assert_true(span_eq(got.recipients, t.recipients) && span_eq(got.decision, t.decision));
    assert_true(span_eq(got.reason, t.reason));
    for (size_t n = 0; n < b.len; n++) {
        r = RD(span_first(buf_span(&b), n));
        assert_false(proc_attempt_unpack(&r, &got));
    }
}

static void outcome_comes_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    struct store_outcome o = {.recipient = 9,
                              .result = STORE_FAILED,
                              .hop = STORE_HOP_MAILBOX,
                              .due = {4},
                              .status = SPAN("5.1.1"),
                              .reason = SPAN("no"),
                              .remote = SPAN("mx"),
                              .diagnostic = SPAN("550 no")},
                         got;
    proc_outcome_pack(&b, &o);
    struct rd r = RD(buf_span(&b));
    assert_true(proc_outcome_unpack(&r, &got) && rd_end(&r));
    assert_true(got.recipient == 9 && got.result == STORE_FAILED && got.due.us == 4);
    assert_int_equal(got.hop, STORE_HOP_MAILBOX);
    assert_true(span_eq(got.status, o.status) && span_eq(got.reason, o.reason));
    assert_true(span_eq(got.remote, o.remote) && span_eq(got.diagnostic, o.diagnostic));
    b.at[9] = STORE_HOPS;
    r = RD(buf_span(&b));
    assert_false(proc_outcome_unpack(&r, &got));
    b.at[9] = STORE_HOP_PLAIN;
    b.at[8] = STORE_RESULTS;
    r = RD(buf_span(&b));
    assert_false(proc_outcome_unpack(&r, &got));
}

static void evaluation_comes_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(10000);
    struct store_evaluation got, e = {.when = {-9},
                                      .message = UINT64_MAX,
                                      .client = SPAN("192.0.2.1"),
                                      .dkim = SPAN("[]"),
                                      .policy = SPAN("v=DMARC1; p=none"),
                                      .override_reason = SPAN("local_policy"),
                                      .comment = SPAN("last"),
                                      .dkim_aligned = true};
    proc_evaluation_pack(&b, &e);
    struct rd r = RD(buf_span(&b));
    assert_true(proc_evaluation_unpack(&r, &got) && rd_end(&r));
    assert_true(got.when.us == -9 && got.message == UINT64_MAX);
    assert_true(got.dkim_aligned && !got.spf_aligned && !got.accepted);
    assert_true(span_eq(got.client, e.client) && span_eq(got.dkim, e.dkim));
    assert_true(span_eq(got.policy, e.policy) && span_eq(got.comment, e.comment));
    assert_true(span_eq(got.override_reason, e.override_reason) && got.helo.len == 0);
    for (size_t n = 0; n < b.len; n++) {
        r = RD(span_first(buf_span(&b), n));
        assert_false(proc_evaluation_unpack(&r, &got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope_comes_back),   cmocka_unit_test(every_cut_is_malformed),
        cmocka_unit_test(nonsense_is_malformed), cmocka_unit_test(false_count_takes_no_memory),
        cmocka_unit_test(attempt_comes_back),    cmocka_unit_test(outcome_comes_back),
        cmocka_unit_test(evaluation_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
