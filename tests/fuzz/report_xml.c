// DMARC reports of others: read alike in any pieces, written by the schema's words, and read again.
#include "report_dmarc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rc pieces(struct report_dmarc *d, struct span in, size_t step, struct arena *a,
                        struct report_notes *n)
{
    CLEANUP(report_dmarc_reader_free)
    struct report_dmarc_reader *r = report_dmarc_reader_new(d, a, n);
    for (; in.len; in = span_skip(in, step))
        TRY(report_dmarc_reader_feed(r, span_first(in, step)));
    return report_dmarc_reader_end(r);
}

static void same(const struct report_dmarc *d)
{
    CLEANUP(arena_free) struct arena a = ARENA(64 << 20);
    CLEANUP(buf_free) struct buf xml = BUF(64 << 20), one = BUF(64 << 20), two = BUF(64 << 20);
    struct report_notes n = {0};
    struct report_dmarc back;
    report_dmarc_put_xml(&xml, d);
    if (!rc_ok(report_dmarc_read(&back, buf_span(&xml), &a, &n)))
        panic("what was written does not read: %s", n.fault);
    if (back.record_count != d->record_count || back.messages != d->messages)
        panic("records got lost");
    report_dmarc_pack(&one, d);
    struct rd r = RD(buf_span(&one));
    if (!report_dmarc_unpack(&r, &back, &a) || !rd_end(&r))
        panic("what was packed does not unpack");
    report_dmarc_pack(&two, &back);
    if (!span_eq(buf_span(&one), buf_span(&two)))
        panic("unpacked it is another");
}

static void bytes(struct span s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct report_dmarc d;
    struct rd r = RD(s);
    const struct report_dmarc_tally tally[] = {{s, 1}, {span_skip(s, 3), 1}};
    size_t bad;
    (void)report_dmarc_unpack(&r, &d, &a);
    (void)report_dmarc_tally(&d, s, tally, 2, &a, &bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct report_notes whole = {0}, parts = {0};
    struct report_dmarc d, e;
    struct span in = {(const char *)data, size};
    struct rc rc = report_dmarc_read(&d, in, &a, &whole);
    if (!rc_ok(rc) && !whole.fault[0])
        panic("no sentence says why not");
    struct rc again = pieces(&e, in, 1 + size % 13, &a, &parts);
    if (rc_ok(rc) != rc_ok(again) || (rc_ok(rc) && d.record_count != e.record_count))
        panic("pieces make a difference: %s / %s", whole.fault, parts.fault);
    if (rc_ok(rc))
        same(&d);
    bytes(in);
    return 0;
}
