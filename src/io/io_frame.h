// The frames of a channel, as bytes: pure, so that a fuzzer can have at it. The
// layout stands in io_channel.h.
#pragma once
#include "io_channel.h"

enum {
    IO_FRAME_LEAD = 4,  // the length field
    IO_FRAME_FIXED = 7, // kind, descriptors, ticket
    IO_FRAME_HEAD = IO_FRAME_LEAD + IO_FRAME_FIXED,
};

enum io_frame_is {
    IO_FRAME_PART,  // more bytes are needed: `size` in all, as far as can be told
    IO_FRAME_WHOLE, // `size` bytes make the frame
    IO_FRAME_BAD,   // no more can be made of this stream
};
struct io_frame {
    size_t size;
    uint16_t kind;
    uint8_t descriptors;
    uint32_t ticket;
    struct span payload; // borrowed from the bytes
};
enum io_frame_is io_frame_read(struct io_frame *out, struct span bytes);
// The payload is at most IO_MESSAGE_MAX; more is our own mistake.
void io_frame_put(struct buf *b, const struct io_frame *f); // `size` is not looked at
