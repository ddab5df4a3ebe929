#include "store_segment.h"

#include "base_wire.h"
#include "store_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct store_calls store_calls = {
    .pwritev = pwritev, .fdatasync = fdatasync, .fsync = fsync, .fallocate = fallocate};

enum { VERSION = 1, CHUNK = 65536 };

static void header_put(struct buf *b, const struct store_range *r)
{
    static const char reserved[16];
    buf_put(b, SPAN("GLB1"));
    wr_u8(b, VERSION);
    wr_u8(b, r->cipher);
    wr_u16(b, 0);
    wr_u64(b, r->length);
    buf_put(b, SPAN_OF(r->digest.at));
    buf_put(b, SPAN_OF(reserved));
}

// Of `pieces` and their total, what is left behind the first `done` bytes.
static size_t advance(struct iovec *pieces, size_t done)
{
    size_t left = 0;
    for (int i = 0; i < 2; i++) {
        size_t cut = done < pieces[i].iov_len ? done : pieces[i].iov_len;
        pieces[i].iov_base = (char *)pieces[i].iov_base + cut;
        pieces[i].iov_len -= cut;
        done -= cut;
        left += pieces[i].iov_len;
    }
    return left;
}

static struct iovec piece(struct span s)
{
    // The kernel only reads through it.
    return (struct iovec){.iov_base = (void *)(uintptr_t)(s.at ? s.at : ""), .iov_len = s.len};
}

// Normally one call: a regular file takes less than all only where it is cut short.
static struct rc write_all(int fd, uint64_t offset, struct span first, struct span second)
{
    struct iovec pieces[2] = {piece(first), piece(second)};
    size_t left = first.len + second.len;
    while (left) {
        ssize_t n = store_calls.pwritev(fd, pieces, 2, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? rc_errno(errno) : RC(IO);
        offset += (uint64_t)n;
        left = advance(pieces, (size_t)n);
    }
    return RC(OK);
}

struct rc store_append(int fd, uint64_t offset, struct span body, struct store_range *out)
{
    struct store_range r = {
        .segment = out->segment, .offset = offset + STORE_RECORD_HEADER, .length = body.len};
    r.digest = crypto_sha256(body);
    CLEANUP(buf_free) struct buf header = BUF(STORE_RECORD_HEADER);
    header_put(&header, &r);
    struct rc rc = write_all(fd, offset, buf_span(&header), body);
    if (!rc_ok(rc)) {
        // What was written is no record; its room goes back as far as it can.
        store_calls.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                              (off_t)(STORE_RECORD_HEADER + body.len));
        return rc;
    }
    *out = r;
    return RC(OK);
}

struct rc store_writer_begin(struct store_writer *w, int fd)
{
    *w = (struct store_writer){.fd = fd, .offset = STORE_RECORD_HEADER, .hash = crypto_hash_new()};
    return RC(OK);
}

struct rc store_writer_add(struct store_writer *w, struct span piece)
{
    TRY(write_all(w->fd, w->offset, piece, (struct span){NULL, 0}));
    crypto_hash_feed(w->hash, piece);
    w->offset += piece.len;
    w->length += piece.len;
    return RC(OK);
}

struct rc store_writer_end(struct store_writer *w, struct store_range *out)
{
    struct store_range r = {
        .segment = out->segment, .offset = STORE_RECORD_HEADER, .length = w->length};
    r.digest = crypto_hash_done(w->hash);
    CLEANUP(buf_free) struct buf header = BUF(STORE_RECORD_HEADER);
    header_put(&header, &r);
    TRY(write_all(w->fd, 0, buf_span(&header), (struct span){NULL, 0}));
    *out = r;
    return RC(OK);
}

void store_writer_free(struct store_writer *w)
{
    crypto_hash_free(w->hash);
    w->hash = NULL;
}

static struct rc read_all(int fd, uint64_t offset, char *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_errno(errno);
        if (n == 0)
            return RC(CORRUPT); // ends before the record does
        done += (size_t)n;
    }
    return RC(OK);
}

struct rc store_header_verify(int fd, const struct store_range *range)
{
    char found[STORE_RECORD_HEADER];
    if (range->offset < STORE_RECORD_HEADER || range->offset > INT64_MAX ||
        range->length > INT64_MAX - range->offset)
        return RC(CORRUPT);
    CLEANUP(buf_free) struct buf wanted = BUF(STORE_RECORD_HEADER);
    header_put(&wanted, range);
    TRY(read_all(fd, range->offset - STORE_RECORD_HEADER, found, sizeof found));
    return span_eq(SPAN_OF(found), buf_span(&wanted)) ? RC(OK) : RC(CORRUPT);
}

static struct rc body_digest(int fd, const struct store_range *range, struct crypto_hash *hash)
{
    CLEANUP(buf_free) struct buf room = BUF(CHUNK);
    TRY(buf_reserve(&room, CHUNK));
    for (uint64_t done = 0; done < range->length;) {
        uint64_t left = range->length - done;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        TRY(read_all(fd, range->offset + done, room.at, n));
        crypto_hash_feed(hash, (struct span){room.at, n});
        done += n;
    }
    return RC(OK);
}

struct rc store_range_verify(int fd, const struct store_range *range)
{
    TRY(store_header_verify(fd, range));
    struct crypto_hash *hash = crypto_hash_new();
    struct rc rc = body_digest(fd, range, hash);
    struct crypto_digest found = crypto_hash_done(hash);
    crypto_hash_free(hash);
    TRY(rc);
    return span_eq(SPAN_OF(found.at), SPAN_OF(range->digest.at)) ? RC(OK) : RC(CORRUPT);
}
