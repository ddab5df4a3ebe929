#include "io_frame.h"

enum io_frame_is io_frame_read(struct io_frame *out, struct span bytes)
{
    *out = (struct io_frame){.size = IO_FRAME_HEAD};
    if (bytes.len < IO_FRAME_LEAD)
        return IO_FRAME_PART;
    struct rd r = RD(bytes);
    uint32_t length = rd_u32(&r);
    // Refused before anything is kept of it: a length is a promise of memory.
    if (length < IO_FRAME_FIXED || length > IO_FRAME_FIXED + IO_MESSAGE_MAX)
        return IO_FRAME_BAD;
    out->size = IO_FRAME_LEAD + (size_t)length;
    if (bytes.len < IO_FRAME_HEAD)
        return IO_FRAME_PART;
    out->kind = rd_u16(&r);
    out->descriptors = rd_u8(&r);
    out->ticket = rd_u32(&r);
    if (out->descriptors > 1)
        return IO_FRAME_BAD;
    if (bytes.len < out->size)
        return IO_FRAME_PART;
    out->payload = rd_bytes(&r, length - IO_FRAME_FIXED);
    return IO_FRAME_WHOLE;
}

void io_frame_put(struct buf *b, const struct io_frame *f)
{
    if (f->payload.len > IO_MESSAGE_MAX)
        panic("message %u of %zu bytes", f->kind, f->payload.len);
    wr_u32(b, (uint32_t)(IO_FRAME_FIXED + f->payload.len));
    wr_u16(b, f->kind);
    wr_u8(b, f->descriptors);
    wr_u32(b, f->ticket);
    buf_put(b, f->payload);
}
