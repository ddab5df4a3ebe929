// Frames of a channel: whatever comes, a frame lies inside its bytes, reading in
// pieces agrees with reading at once, and what is read is what is written.
#include "io_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct io_frame *f, struct span bytes)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_FRAME_HEAD + IO_MESSAGE_MAX);
    io_frame_put(&b, f);
    if (!span_eq(buf_span(&b), span_first(bytes, f->size)))
        panic("a frame is not written as it was read");
}

static void shorter_is_part(struct span bytes, size_t size)
{
    struct io_frame f;
    for (size_t n = 0; n < size && n < 64; n++)
        if (io_frame_read(&f, span_first(bytes, n)) != IO_FRAME_PART || f.size > size)
            panic("%zu of %zu bytes are no part of a frame", n, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct io_frame f;
    while (io_frame_read(&f, bytes) == IO_FRAME_WHOLE) {
        if (f.size > bytes.len || f.payload.len != f.size - IO_FRAME_HEAD)
            panic("a frame of %zu in %zu bytes", f.size, bytes.len);
        same_again(&f, bytes);
        shorter_is_part(bytes, f.size);
        bytes = span_skip(bytes, f.size);
    }
    return 0;
}
