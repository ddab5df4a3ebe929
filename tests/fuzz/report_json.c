// TLS reports of others: what is read can be written, and what is written reads as the same.
#include "report_tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct report_tlsrpt *d, struct report_notes *notes)
{
    CLEANUP(arena_free) struct arena a = ARENA(64 << 20);
    CLEANUP(buf_free) struct buf json = BUF(64 << 20), one = BUF(64 << 20), two = BUF(64 << 20);
    struct report_tlsrpt back;
    report_tlsrpt_put_json(&json, d);
    report_tlsrpt_pack(&one, d);
    if (!rc_ok(report_tlsrpt_read(&back, buf_span(&json), &a, notes)))
        panic("what was written does not read: %s", notes->fault);
    report_tlsrpt_pack(&two, &back);
    if (back.policy_count != d->policy_count)
        panic("policies got lost");
    struct rd r = RD(buf_span(&one));
    if (!report_tlsrpt_unpack(&r, &back, &a) || !rd_end(&r))
        panic("what was packed does not unpack");
    buf_clear(&two);
    report_tlsrpt_pack(&two, &back);
    if (!span_eq(buf_span(&one), buf_span(&two)))
        panic("unpacked it is another");
}

static void bytes(struct span s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct report_tlsrpt d;
    struct report_notes n;
    struct rd r = RD(s);
    (void)report_tlsrpt_unpack(&r, &d, &a);
    r = RD(s);
    (void)report_notes_unpack(&r, &n);
    const struct report_tls_tally tally[] = {{s, span_skip(s, s.len / 2), 1, 1}, {s, s, 2, 2}};
    size_t bad;
    (void)report_tlsrpt_tally(&d, tally, 2, 1, &a, &bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct report_notes notes = {0}, more = {0};
    struct report_tlsrpt d;
    struct span in = {(const char *)data, size};
    struct rc rc = report_tlsrpt_read(&d, in, &a, &notes);
    if (!rc_ok(rc) && !notes.fault[0])
        panic("no sentence says why not");
    if (rc_ok(rc))
        same(&d, &more);
    bytes(in);
    return 0;
}
