// A whole message verified: what it says does not depend on how it was cut. The
// first byte is the size of the chunks; the key record is what stands before the
// first zero, the message behind it.
#include "auth_dkim.h"
#include "auth_results.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void dkim_free(struct auth_dkim **d)
{
    auth_dkim_free(*d);
}

static void answer(struct auth_dkim *d, struct span key)
{
    struct dns_record record = {.data = key};
    struct dns_answer a = {
        .standing = DNS_SECURE, .presence = DNS_DATA, .count = 1, .records = &record};
    struct auth_step step = auth_dkim_next(d);
    for (; step.kind == AUTH_ASK_DNS; step = auth_dkim_next(d))
        auth_dkim_answer(d, step.ticket, &a);
}

static struct auth_dkim *verify(struct span message, struct span key, size_t chunk)
{
    struct auth_dkim_options o = {.now = {SECONDS(1600000000)}, .length = AUTH_DKIM_LENGTH_ACCEPT};
    struct auth_dkim *d = auth_dkim_new(&o);
    for (; message.len; message = span_skip(message, chunk)) {
        auth_dkim_feed(d, span_first(message, chunk));
        answer(d, key);
    }
    auth_dkim_end(d);
    answer(d, key);
    if (auth_dkim_next(d).kind != AUTH_DONE)
        panic("not done");
    return d;
}

// What is written about it can be read again.
static void written(const struct auth_dkim *d)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    struct auth_results_writer w = auth_results_open(&b, SPAN("mx.example.org"), true);
    struct auth_results r;
    auth_results_dkim(&w, d);
    auth_results_close(&w);
    struct span value = buf_span(&b);
    (void)span_cut(&value, ':');
    value.len -= 2;
    size_t expected = auth_dkim_count(d) ? auth_dkim_count(d) : 1;
    if (value.len < AUTH_RESULTS_VALUE_MAX &&
        (!auth_results_parse(&r, value, &a) || r.count != expected))
        panic("results that do not parse");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span message = {(const char *)data + 1, size - 1}, key = span_cut(&message, '\0');
    CLEANUP(dkim_free) struct auth_dkim *whole = verify(message, key, SIZE_MAX / 2);
    CLEANUP(dkim_free) struct auth_dkim *parts = verify(message, key, data[0] % 67 + 1u);
    if (auth_dkim_count(whole) != auth_dkim_count(parts))
        panic("the chunks change the number of results");
    for (size_t i = 0; i < auth_dkim_count(whole); i++) {
        const struct auth_dkim_result *a = auth_dkim_result(whole, i),
                                      *b = auth_dkim_result(parts, i);
        if (a->result != b->result || a->reason != b->reason || a->body_length != b->body_length)
            panic("the chunks change a result");
    }
    written(whole);
    return 0;
}
