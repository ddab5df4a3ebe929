// Files and mails of others: unpacking stays in its bounds, and says why where it gives nothing.
#include "report_take.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct report_limits limits = {
    .document_max = 1 << 20, .total_max = 2 << 20, .ratio_max = 200};

// What the child writes its parent reads to the end, and it survives anything else.
static void halves(struct span in, size_t count)
{
    CLEANUP(buf_free) struct buf taken = BUF(64 << 20);
    CLEANUP(arena_free) struct arena a = ARENA(64 << 20);
    struct report_taking t;
    struct report_taken d;
    report_take(&taken, in, &limits);
    struct rd r = RD(buf_span(&taken)), foreign = RD(in);
    if (!report_taking_open(&r, &t, &a) || t.count != count || (!count && !t.fault[0]))
        panic("the head does not read");
    for (size_t i = 0; i < count; i++)
        if (!report_taking_next(&r, &d, &a) || (!d.good && !d.notes.fault[0]))
            panic("a document does not read");
    if (!rd_end(&r))
        panic("something is left");
    if (report_taking_open(&foreign, &t, &a))
        for (size_t i = 0; i < t.count && report_taking_next(&foreign, &d, &a); i++)
            ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    CLEANUP(report_unpacked_free) struct report_unpacked u;
    struct report_notes notes = {0};
    size_t total = 0;
    struct rc rc = report_unpack(&u, (struct span){(const char *)data, size}, &limits, &a, &notes);
    if (!rc_ok(rc) && !notes.fault[0])
        panic("no sentence says why not");
    if (rc_ok(rc) && !u.count)
        panic("neither report nor fault");
    for (size_t i = 0; i < u.count; i++) {
        total += u.at[i].bytes.len;
        if (u.at[i].bytes.len > limits.document_max && u.at[i].bytes.len > size)
            panic("a document over its limit");
    }
    if (total > limits.total_max + 16 * size)
        panic("over the limit of all");
    halves((struct span){(const char *)data, size}, u.count);
    return 0;
}
