// Files and mails of others: unpacking stays in its bounds, and says why where it gives nothing.
#include "report_unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct report_limits limits = {
        .document_max = 1 << 20, .total_max = 2 << 20, .ratio_max = 200};
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
    return 0;
}
