// Envelopes, attempts, outcomes and evaluations from a peer that may be an attacker's by now.
// The first byte picks the decoder. What is accepted must pack to the same bytes.
#include "proc_login.h"
#include "proc_message.h"
#include "proc_reports.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *packed, struct span input, const struct rd *r)
{
    if (!span_eq(buf_span(packed), span_first(input, input.len - r->rest.len)))
        panic("packed differently");
}

static void envelope(struct span input, struct buf *b)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope e;
    struct rd r = RD(input);
    if (!proc_envelope_unpack(&r, &e, &a))
        return;
    proc_envelope_pack(b, &e);
    same(b, input, &r);
}

static void attempt(struct span input, struct buf *b)
{
    struct store_attempt t;
    struct rd r = RD(input);
    if (!proc_attempt_unpack(&r, &t))
        return;
    proc_attempt_pack(b, &t);
    same(b, input, &r);
}

static void outcome(struct span input, struct buf *b)
{
    struct store_outcome o;
    struct rd r = RD(input);
    if (!proc_outcome_unpack(&r, &o))
        return;
    proc_outcome_pack(b, &o);
    same(b, input, &r);
}

static void evaluation(struct span input, struct buf *b)
{
    struct store_evaluation e;
    struct rd r = RD(input);
    if (!proc_evaluation_unpack(&r, &e))
        return;
    proc_evaluation_pack(b, &e);
    same(b, input, &r);
}

static void login(struct span input, struct buf *b)
{
    struct login_request q;
    struct rd r = RD(input);
    if (!login_request_unpack(&r, &q))
        return;
    login_request_pack(b, &q);
    same(b, input, &r);
}

static void login_is(struct span input, struct buf *b)
{
    static struct login_answer a;
    struct rd r = RD(input);
    if (!login_answer_unpack(&r, &a))
        return;
    login_answer_pack(b, &a);
    same(b, input, &r);
}

static void aside(struct span input, struct buf *b)
{
    struct store_aside a;
    struct rd r = RD(input);
    if (!reports_aside_unpack(&r, &a) || a.bytes.len > STORE_ASIDE_BYTES)
        return;
    reports_aside_pack(b, &a);
    same(b, input, &r);
}

static void report(struct span input, struct buf *b)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct store_taken kept;
    struct proc_taken t;
    struct report_taken d;
    struct rd r = RD(input), shown = RD(input);
    if (!reports_taken_unpack(&r, &kept))
        return;
    reports_taken_pack(b, &kept);
    same(b, input, &r);
    if (rd_end(&r) && proc_taken_unpack(&shown, &t))
        proc_taken_document(&t, &d, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void (*const decoders[])(struct span, struct buf *) = {envelope, attempt,  outcome, evaluation,
                                                           login,    login_is, aside,   report};
    CLEANUP(buf_free) struct buf b = BUF(1 << 24);
    if (size == 0)
        return 0;
    decoders[data[0] % (sizeof decoders / sizeof *decoders)](
        span_skip((struct span){(const char *)data, size}, 1), &b);
    return 0;
}
