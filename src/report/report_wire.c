#include "report_wire.h"

void report_wr_list(struct buf *b, const struct span *s, size_t count)
{
    wr_u16(b, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        wr_span(b, s[i]);
}

bool report_rd_text(struct rd *r, struct span *out, struct arena *a)
{
    struct span s = rd_span(r);
    *out = s.len ? arena_dup(a, s) : SPAN("");
    return !r->bad && out->at;
}

void *report_rd_array(struct arena *a, size_t count, size_t size)
{
    static const max_align_t nothing;
    if (count == 0)
        return (void *)(uintptr_t)&nothing;
    return count > SIZE_MAX / size ? NULL : arena_alloc(a, count * size);
}

bool report_rd_list(struct rd *r, struct span **out, size_t *count, size_t max, struct arena *a)
{
    *count = rd_u16(r);
    *out = *count <= max && !r->bad ? report_rd_array(a, *count, sizeof **out) : NULL;
    for (size_t i = 0; *out && i < *count; i++)
        if (!report_rd_text(r, &(*out)[i], a))
            return false;
    return *out && !r->bad;
}

void report_wr_address(struct buf *b, bool given, const struct dns_address *a)
{
    wr_bool(b, given);
    if (given)
        dns_address_pack(b, a);
}

bool report_rd_address(struct rd *r, bool *given, struct dns_address *out)
{
    *given = rd_bool(r);
    return !r->bad && (!*given || dns_address_unpack(r, out));
}
