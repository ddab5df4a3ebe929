// Authentication-Results: reading foreign ones, whose they claim to be, and a
// message passing through the filter. The first byte is the size of the chunks.
#include "auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *context, struct span s)
{
    buf_put(context, s);
}

static void strip(struct buf *out, struct span in, size_t chunk)
{
    struct auth_strip s = {.ids = {SPAN("me")}, .count = 1, .put = collect, .context = out};
    auth_strip_open(&s);
    for (; in.len; in = span_skip(in, chunk))
        auth_strip_feed(&s, span_first(in, chunk));
    auth_strip_end(&s);
}

static void filter(struct span in, size_t chunk)
{
    CLEANUP(buf_free) struct buf whole = BUF(1 << 20), parts = BUF(1 << 20), again = BUF(1 << 20);
    strip(&whole, in, SIZE_MAX / 2);
    strip(&parts, in, chunk);
    strip(&again, buf_span(&whole), chunk);
    if (!span_eq(buf_span(&whole), buf_span(&parts)))
        panic("the chunks change what passes");
    if (!span_eq(buf_span(&whole), buf_span(&again)))
        panic("a second filter finds more");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    struct auth_results r;
    if (size == 0)
        return 0;
    struct span in = {(const char *)data + 1, size - 1};
    bool parsed = auth_results_parse(&r, in, &a);
    if (parsed && (!r.id.at || r.none == (r.count > 0)))
        panic("results without an id, or none and some");
    if (parsed && auth_results_claim(in, r.id) != AUTH_CLAIM_OURS)
        panic("it is not its own");
    filter(in, data[0] % 67 + 1u);
    return 0;
}
