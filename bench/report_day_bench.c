// What a day's report of a busy domain costs: every session and message counted by the store, in
// the group commits they come with, then the document made of the tallies. Prints two lines a kind.
//
//   report_day_bench FOLDER [sessions]
#include "bench_process.h"

#include "report_dmarc.h"
#include "report_tlsrpt.h"
#include "store_history.h"
#include "store_tally.h"

#include <sys/stat.h>

enum { GROUP = 50, ENTRIES = 5000, PACKED_MAX = 2 << 20, DAY = 20000 };

static void must(struct rc rc, const char *what)
{
    if (!rc_ok(rc))
        panic("%s: %s", what, rc_text(rc));
}

// ---- what is counted ----

struct event { // one session or message, packed
    struct buf policy, detail, coarse;
};

static void event_clear(struct event *e)
{
    buf_clear(&e->policy);
    buf_clear(&e->detail);
    buf_clear(&e->coarse);
}

// A large receiver: four hosts of eight addresses, one TLSA record each; of a hundred sessions two
// fail, in one of three ways, from one of two addresses of ours.
static void session_make(struct event *e, unsigned n)
{
    unsigned mx = n % 4;
    char host[64], tlsa[80];
    snprintf(host, sizeof host, "mx%u.large.example", mx);
    snprintf(tlsa, sizeof tlsa, "3 1 1 %064x", mx);
    struct span string = span_str(tlsa), name = span_str(host);
    struct report_tls_policy p = {.type = REPORT_TLS_TLSA,
                                  .domain = name,
                                  .strings = &string,
                                  .string_count = 1,
                                  .mx = &name,
                                  .mx_count = 1};
    static const enum report_tls_result results[] = {REPORT_TLS_VALIDATION_FAILURE,
                                                     REPORT_TLS_STARTTLS_NOT_SUPPORTED,
                                                     REPORT_TLS_CERTIFICATE_HOST_MISMATCH};
    report_tls_policy_pack(&e->policy, &p);
    if (n % 100 >= 2)
        return;
    unsigned r = n * 2654435761U;
    struct report_tls_failure f = {.result = results[r % 3]};
    report_tls_failure_pack(&e->coarse, &f);
    f.mx_hostname = f.mx_helo = name;
    f.sending_ip = (struct report_tls_address){true, {.at = {192, 0, 2, (unsigned char)(r & 1)}}};
    f.receiving_ip =
        (struct report_tls_address){true, {.at = {198, 51, 100, (unsigned char)(r >> 1 & 7)}}};
    report_tls_failure_pack(&e->detail, &f);
}

// Mail that claims to be from one domain: of a hundred messages ninety are its own, from four
// servers; the others come from `sources` machines that forge it, each with paths of its own.
static void message_make(struct event *e, unsigned n)
{
    enum { SOURCES = 40000 };
    unsigned r = n * 2654435761U, source = n % 10 ? n % 4 : 4 + r % SOURCES;
    bool own = source < 4;
    char path[64];
    snprintf(path, sizeof path, own ? "bounces.large.example" : "p%u.example.net", r >> 8 & 15);
    struct report_dkim dkim = {SPAN("large.example"), SPAN("s1"), REPORT_AUTH_PASS, SPAN(""), true};
    struct report_spf spf = {span_str(path), REPORT_MFROM,
                             own ? REPORT_AUTH_PASS : REPORT_AUTH_NONE, SPAN("")};
    struct report_record rec = {
        .source_given = true,
        .source = {.at = {10, (unsigned char)(source >> 16), (unsigned char)(source >> 8),
                          (unsigned char)source}},
        .disposition = own ? REPORT_DISPOSITION_PASS : REPORT_DISPOSITION_REJECT,
        .dkim_aligned = own ? REPORT_ALIGNED_PASS : REPORT_ALIGNED_FAIL,
        .spf_aligned = REPORT_ALIGNED_FAIL,
        .header_from = SPAN("large.example"),
        .envelope_from = span_str(path),
        .dkim_count = own,
        .dkim = &dkim,
        .spf_count = 1,
        .spf = &spf};
    report_record_pack(&e->detail, &rec);
    rec.envelope_from = SPAN("");
    rec.dkim_count = rec.spf_count = 0;
    report_record_pack(&e->coarse, &rec);
}

struct kind {
    const char *name;
    enum store_subject_kind kind;
    void (*make)(struct event *e, unsigned n);
};

static void published_put(struct buf *b)
{
    struct report_published p = {.domain = SPAN("large.example"), .p = REPORT_POLICY_REJECT};
    report_published_pack(b, &p);
}

static void count_all(struct store_history *h, const struct kind *k, unsigned events)
{
    struct event e = {BUF(4096), BUF(4096), BUF(4096)};
    double making = 0, begin = now();
    memory_begin();
    for (unsigned n = 0; n < events; n++) {
        double made = now();
        event_clear(&e);
        k->make(&e, n);
        making += now() - made;
        struct store_count t = {.subject = {DAY, k->kind, SPAN("large.example")},
                                .about = SPAN("rua"),
                                .policy = buf_span(&e.policy),
                                .detail = buf_span(&e.detail),
                                .coarse = buf_span(&e.coarse),
                                .sessions = 1,
                                .times = 1};
        must(store_tally_add(h, &t, ENTRIES), "count");
        if (n % GROUP == GROUP - 1)
            must(store_history_commit(h), "commit");
    }
    must(store_history_commit(h), "commit");
    printf("%-6s %u counted: %.1f µs of CPU each in commits of %u; %.1f MiB of memory\n", k->name,
           events, (now() - begin - making) * 1e6 / events, GROUP, memory_most());
    buf_free(&e.policy);
    buf_free(&e.detail);
    buf_free(&e.coarse);
}

// ---- the report ----

struct day {
    struct arena arena;
    struct report_tls_tally *tls;
    struct report_dmarc_tally *dmarc;
    size_t count, room;
    struct span policy;
};

static bool tally_one(void *arg, const struct store_count *t)
{
    struct day *d = arg;
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 1024;
        d->tls = mem_resize(d->tls, d->room * sizeof *d->tls);
        d->dmarc = mem_resize(d->dmarc, d->room * sizeof *d->dmarc);
    }
    if (!d->policy.at || !span_eq(d->policy, t->policy))
        d->policy = arena_dup(&d->arena, t->policy);
    struct span detail = arena_dup(&d->arena, t->detail);
    d->tls[d->count] = (struct report_tls_tally){d->policy, detail, t->sessions, t->times};
    d->dmarc[d->count++] = (struct report_dmarc_tally){detail, t->sessions};
    return true;
}

static size_t pack(struct day *d, enum store_subject_kind kind, unsigned events, struct buf *gz)
{
    size_t bad = 0;
    uint64_t left_out = 0;
    CLEANUP(buf_free) struct buf published = BUF(1024);
    struct report_tlsrpt tls = {.organization = SPAN("us"), .id = SPAN("1")};
    struct report_dmarc dmarc = {0};
    published_put(&published);
    if (kind == STORE_ABOUT_TLS) {
        if (!report_tlsrpt_tally(&tls, d->tls, d->count, REPORT_TLS_OWN_DETAILS_MAX, &d->arena,
                                 &bad))
            panic("tally");
        must(report_tlsrpt_pack_gzip(gz, &tls, PACKED_MAX), "pack");
    } else {
        if (!report_dmarc_tally(&dmarc, buf_span(&published), d->dmarc, d->count, &d->arena, &bad))
            panic("tally");
        must(report_dmarc_pack_gzip(gz, &dmarc, PACKED_MAX, &left_out), "pack");
    }
    return bad + left_out + (kind == STORE_ABOUT_DMARC ? events - dmarc.messages : 0);
}

static void report_all(struct store_history *h, const struct kind *k, unsigned events)
{
    CLEANUP(buf_free) struct buf gz = BUF(PACKED_MAX);
    struct day d = {.arena = ARENA(256 << 20)};
    memory_begin();
    double begin = now();
    const struct store_subject s = {DAY, k->kind, SPAN("large.example")};
    must(store_tallies(h, &s, SPAN(""), SPAN(""), tally_one, &d), "tallies");
    double read = now();
    size_t lost = pack(&d, k->kind, events, &gz);
    printf("%-6s %zu tallies: read %.3f s, report %.3f s of CPU, %zu bytes packed, %zu messages "
           "not told, %.1f "
           "MiB of memory\n",
           k->name, d.count, read - begin, now() - read, gz.len, lost, memory_most());
    arena_free(&d.arena);
    free(d.tls);
    free(d.dmarc);
}

int main(int argc, char **argv)
{
    static const struct kind kinds[] = {{"TLS", STORE_ABOUT_TLS, session_make},
                                        {"DMARC", STORE_ABOUT_DMARC, message_make}};
    unsigned events = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000;
    struct store_history *h;
    const char *why;
    char path[4096];
    struct stat file;
    if (argc < 2)
        panic("report_day_bench FOLDER [sessions]");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/history-%s.db", argv[1], kinds[i].name);
        must(store_history_open(&h, path, &why), "history");
        count_all(h, &kinds[i], events);
        report_all(h, &kinds[i], events);
        store_history_close(h);
        if (stat(path, &file) == 0)
            printf("%-6s history.db has %.2f MB\n", kinds[i].name, (double)file.st_size / 1e6);
    }
    return 0;
}
