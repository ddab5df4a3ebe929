// All evaluators over one message, in a DNS of a few canned answers. What they
// say together does not depend on the chunks, nor on when and in what order the
// answers come; it always ends, and a verdict has what it is built on.
//
// Input, parted by zeros: two bytes (chunk size, order of answers), a zone file
// (what does not parse as one is the data of every answer), MAIL FROM, HELO, and
// the message.
#include "auth_message.h"

#include "auth_results.h"
#include "base_rc.h"
#include "dns_zone.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUESTIONS_MAX = AUTH_SPF_QUESTIONS_MAX + 256, ZONE_MAX = 4096 };

struct world {
    struct dns_zone *zone; // NULL: `canned` it is
    struct span canned, from, helo, message;
    bool unanswered; // a question of it had no answer
};

struct way { // of going through it
    size_t chunk;
    unsigned order;
    bool late; // no answer before the end of the message
};

static void answer(struct world *w, struct auth_message *m, const struct auth_step *step)
{
    CLEANUP(arena_free) struct arena room = ARENA(1 << 20);
    struct dns_record record = {.data = w->canned};
    struct dns_answer a = {
        .standing = DNS_INSECURE, .presence = DNS_DATA, .count = 1, .records = &record};
    if (w->zone)
        dns_zone_answer(w->zone, &step->question, &a, &room);
    w->unanswered |= a.presence == DNS_NO_ANSWER;
    auth_message_answer(m, step->ticket, &a);
}

struct open {
    struct auth_step at[QUESTIONS_MAX];
    size_t count, asked;
};

// Asks what there is to ask, and answers until nothing is open any more.
static void pump(struct world *w, struct auth_message *m, struct open *o, const struct way *way,
                 bool wait)
{
    for (;;) {
        struct auth_step step = auth_message_next(m);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_ASK_DNS) {
            if (o->count == QUESTIONS_MAX || ++o->asked > QUESTIONS_MAX)
                panic("it asks and asks");
            o->at[o->count++] = step;
        } else if (wait || o->count == 0) {
            return;
        } else {
            size_t pick = way->order * 7 % o->count;
            step = o->at[pick];
            o->at[pick] = o->at[--o->count];
            answer(w, m, &step);
        }
    }
}

static struct auth_message *run(struct world *w, const struct way *way)
{
    static const struct dns_name sealer = {.len = 11, .text = "example.org"},
                                 list = {.len = 11, .text = "example.net"};
    struct auth_message_request q = {
        .spf = {.helo = w->helo,
                .mail_from = w->from,
                .client = {.at = {192, 0, 2, 1}},
                .now = {SECONDS(1000)}},
        .dkim = {.now = {SECONDS(1000)}},
        .arc = {.now = {SECONDS(1000)}, .sealers = &sealer, .sealer_count = 1},
        .facts.most = DMARC_REJECT,
        .lists = {&list, 1},
        .believed = SPAN("gw.example.net"),
    };
    struct auth_message *m = auth_message_new(&q);
    struct open *open = mem_new(sizeof *open);
    *open = (struct open){0};
    pump(w, m, open, way, way->late);
    for (struct span rest = w->message; rest.len; rest = span_skip(rest, way->chunk)) {
        auth_message_feed(m, span_first(rest, way->chunk));
        pump(w, m, open, way, way->late);
    }
    auth_message_end(m);
    pump(w, m, open, way, false);
    if (!auth_message_result(m))
        panic("it does not end");
    free(open);
    return m;
}

static void written(const struct auth_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    struct auth_results r;
    auth_message_put_results(m, &b, SPAN("mx.example.net"), false);
    struct span value = buf_span(&b);
    (void)span_cut(&value, ':');
    value.len -= 2;
    if (!span_is_ascii(value))
        panic("a field that is not ASCII");
    if (value.len >= AUTH_RESULTS_VALUE_MAX)
        return;
    if (!auth_results_parse(&r, value, &a) || r.count < 3)
        panic("results that do not parse");
    if (!span_eq(r.id, SPAN("mx.example.net")))
        panic("results of another");
}

static bool vouched(const struct auth_message_result *r)
{
    bool by = r->spf->check[AUTH_SPF_MAIL_FROM].result == AUTH_PASS && r->dmarc->spf_aligned;
    for (size_t i = 0; i < auth_dkim_count(r->dkim); i++)
        by |= auth_dkim_result(r->dkim, i)->result == AUTH_PASS && r->dmarc->dkim_aligned;
    return by;
}

static void sound(const struct world *w, const struct auth_message_result *r)
{
    if (r->dmarc->result == AUTH_PASS && !vouched(r))
        panic("DMARC passes, and nothing vouches");
    if (r->dmarc->result == AUTH_TEMPERROR && !w->unanswered)
        panic("a failure out of nothing: %s", r->dmarc->reason);
    if (r->dmarc->result != AUTH_FAIL && r->ruling.disposition != DMARC_NONE)
        panic("a punishment without a fail");
    if (r->ruling.disposition > r->dmarc->disposition)
        panic("harder than the owner wants");
    if (r->ruling.override == DMARC_OVERRIDE_MAILING_LIST && !r->forwarded)
        panic("a list without evidence");
    if (r->arc_vouches && r->arc->result != AUTH_PASS)
        panic("a broken chain vouches");
}

static void equal(const struct auth_message_result *a, const struct auth_message_result *b)
{
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++)
        if (a->spf->check[i].result != b->spf->check[i].result)
            panic("SPF differs");
    if (auth_dkim_count(a->dkim) != auth_dkim_count(b->dkim))
        panic("the number of signatures differs");
    for (size_t i = 0; i < auth_dkim_count(a->dkim); i++)
        if (auth_dkim_result(a->dkim, i)->result != auth_dkim_result(b->dkim, i)->result)
            panic("DKIM differs");
    if (a->arc->result != b->arc->result || strcmp(a->arc->reason, b->arc->reason) != 0)
        panic("ARC differs");
    if (a->dmarc->result != b->dmarc->result || strcmp(a->dmarc->reason, b->dmarc->reason) != 0)
        panic("DMARC differs: %s / %s", a->dmarc->reason, b->dmarc->reason);
    if (a->ruling.disposition != b->ruling.disposition || a->ruling.override != b->ruling.override)
        panic("what is done differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct dns_zone_fault fault;
    struct world w = {.message = {(const char *)data + 2, size - 2}};
    w.canned = span_cut(&w.message, '\0');
    w.from = span_cut(&w.message, '\0');
    w.helo = span_cut(&w.message, '\0');
    if (w.canned.len <= ZONE_MAX)
        w.zone = dns_zone_new(w.canned, &fault);
    struct way plain = {SIZE_MAX, 0, false},
               other = {data[0] % 67 + 1u, data[1] / 2, data[1] & 1};
    CLEANUP(auth_message_free) struct auth_message *a = run(&w, &plain);
    CLEANUP(auth_message_free) struct auth_message *b = run(&w, &other);
    sound(&w, auth_message_result(a));
    equal(auth_message_result(a), auth_message_result(b));
    written(a);
    written(b);
    dns_zone_free(w.zone);
    return 0;
}
