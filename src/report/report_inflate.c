#include "report_inflate.h"

#include "report_mail.h"

#include <zlib.h>

enum { GZIP = 15 + 16, STEP = 64 << 10, RATIO_FROM = 1 << 20 };

struct rc report_bound_check(struct report_bound *bound, size_t out, size_t more,
                             struct report_notes *notes)
{
    if (more > bound->left) {
        bound->left = 0; // nothing behind it is begun, either
        return report_too_large(notes, "The reports in it are larger than we unpack at once.");
    }
    if (out + more > bound->max)
        return report_too_large(notes, "Unpacked it is larger than %zu bytes.", bound->max);
    if (out + more > RATIO_FROM && (out + more) / bound->ratio > bound->packed)
        return report_too_large(notes, "It unpacks to more than %u times its size.", bound->ratio);
    bound->left -= more;
    return RC(OK);
}

static void inflate_free(z_stream *z)
{
    inflateEnd(z);
}

static bool more_members(const z_stream *z)
{
    return z->avail_in >= 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b;
}

static void trailer_look(const z_stream *z, struct report_notes *notes)
{
    for (unsigned i = 0; i < z->avail_in; i++)
        if (z->next_in[i]) { // zeros are what tapes and some mailers fill up with
            report_remark(notes, REPORT_REMARK_GZIP_TRAILER, SPAN(""));
            return;
        }
}

static struct rc step(z_stream *z, struct buf *out, struct report_bound *bound, int *how,
                      struct report_notes *notes)
{
    unsigned char room[STEP];
    z->next_out = room;
    z->avail_out = sizeof room;
    *how = inflate(z, Z_NO_FLUSH);
    size_t got = sizeof room - z->avail_out;
    TRY(report_bound_check(bound, out->len, got, notes));
    buf_put(out, (struct span){(const char *)room, got});
    if (!rc_ok(buf_state(out)))
        return report_too_large(notes, "Unpacked it is larger than %zu bytes.", out->max);
    if (*how == Z_BUF_ERROR || (*how == Z_OK && !z->avail_in && z->avail_out))
        return report_malformed(notes, "The gzip stream is cut short.");
    if (*how != Z_OK && *how != Z_STREAM_END)
        return report_malformed(notes, "The gzip stream is damaged: %s.",
                                z->msg ? z->msg : "it does not unpack");
    return RC(OK);
}

struct rc report_gunzip(struct buf *out, struct span packed, struct report_bound *bound,
                        struct report_notes *notes)
{
    CLEANUP(inflate_free)
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.at,
                  .avail_in = (unsigned)packed.len};
    bound->packed = packed.len;
    if (packed.len > UINT32_MAX || inflateInit2(&z, GZIP) != Z_OK)
        return report_too_large(notes, "There is no memory to unpack it.");
    for (int how = Z_OK;;) {
        TRY(step(&z, out, bound, &how, notes));
        if (how != Z_STREAM_END)
            continue;
        if (!more_members(&z)) {
            trailer_look(&z, notes);
            return RC(OK);
        }
        inflateReset(&z);
    }
}

static void deflate_free(z_stream *z)
{
    deflateEnd(z);
}

void report_gzip(struct buf *b, struct span bytes)
{
    unsigned char room[STEP];
    CLEANUP(deflate_free) z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        panic("deflate");
    int how = Z_OK;
    while (how != Z_STREAM_END) {
        if (!z.avail_in && bytes.len) { // zlib counts in 32 bits
            struct span piece = span_first(bytes, 1 << 20);
            z.next_in = (unsigned char *)(uintptr_t)piece.at;
            z.avail_in = (unsigned)piece.len;
            bytes = span_skip(bytes, piece.len);
        }
        z.next_out = room;
        z.avail_out = sizeof room;
        how = deflate(&z, bytes.len ? Z_NO_FLUSH : Z_FINISH);
        buf_put(b, (struct span){(const char *)room, sizeof room - z.avail_out});
    }
}
