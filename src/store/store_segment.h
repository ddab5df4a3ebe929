// Segments: append-only files that hold message bodies. A record is whole or
// recognisably not, whatever a crash reorders: a header with its length and the
// body's SHA-256 stands before the bytes, and nothing refers to a record before
// both were synced.
//
// A receiver appends by descriptor; only the store opens, removes and syncs.
//   record = header (64 bytes) · body
//   header = "GLB1" · u8 version · u8 cipher (0 none) · u16 0 · u64 length ·
//            32 bytes SHA-256 of the body as stored · 16 bytes 0 (room for a key id)
#pragma once
#include "crypto_digest.h"
#include "base_rc.h"

enum {
    STORE_RECORD_HEADER = 64,
    STORE_BUFFER_MAX = 256 * 1024,        // larger messages get a file of their own
    STORE_SEGMENT_MAX = 64 * 1024 * 1024, // a receiver asks for a new one beyond
};

struct store_range { // where a body lies
    uint32_t segment;
    uint8_t cipher;
    uint64_t offset; // of the body, behind its header
    uint64_t length;
    struct crypto_digest digest;
};

// Writes header and body at `offset` in one pwritev; on failure nothing counts
// and the caller may write at the same offset again. Does not sync. `offset` is
// where the header goes; `out->segment` is the caller's and stays as it is.
struct rc store_append(int fd, uint64_t offset, struct span body, struct store_range *out);

// A body in pieces, into a file of its own: begin, add…, then end writes the header.
struct store_writer {
    int fd;
    uint64_t offset, length;
    struct crypto_hash *hash;
};
struct rc store_writer_begin(struct store_writer *w, int fd);
struct rc store_writer_add(struct store_writer *w, struct span piece);
struct rc store_writer_end(struct store_writer *w, struct store_range *out);
void store_writer_free(struct store_writer *w); // not the descriptor

// The header alone: is there a record that says of itself what `range` says?
struct rc store_header_verify(int fd, const struct store_range *range);
// Checks header and digest: CORRUPT if the record is not what `range` says.
struct rc store_range_verify(int fd, const struct store_range *range);
