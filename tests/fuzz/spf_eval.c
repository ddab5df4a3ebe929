// The SPF machine against a DNS that says whatever the input says. The first
// line is the sender, the second HELO; every further line is the data of the
// answers, taken in turn (a TXT record, or bytes for addresses and names). It
// always ends, asks a bounded number of questions, none twice, and a failed
// lookup never comes out as "none".
#include "auth_spf.h"

#include "base_rc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "example.org", "m.example.org",        "a.example.net",  "i.example.com",
    ".",           "2.0.192.in-addr.arpa", "x.example.info", "org"};

struct world {
    struct span all, rest;
    bool failed;
    struct dns_record records[DNS_RECORDS_MAX];
};

static struct span next_line(struct world *w)
{
    if (!w->rest.len)
        w->rest = w->all;
    return span_cut(&w->rest, '\n');
}

static struct dns_name name_of(unsigned which)
{
    struct dns_name n;
    if (!dns_name_parse(&n, span_str(names[which % 8])))
        panic("a name of the target's own");
    return n;
}

static void put_record(struct dns_record *r, enum dns_type type, struct span line, size_t i)
{
    struct span rest = span_skip(line, i % (line.len + 1));
    unsigned byte = rest.len ? (unsigned char)rest.at[0] : 0;
    *r = (struct dns_record){.data = rest, .name = name_of(byte), .preference = (uint16_t)byte};
    r->address.v6 = type == DNS_AAAA;
    r->address.at[0] = byte & 1 ? 192 : (unsigned char)byte;
    r->address.at[2] = 2;
    r->address.at[3] = 1;
}

// The line's first byte chooses what becomes of the question.
static void answer(struct world *w, struct auth_spf *s, const struct auth_step *step)
{
    struct span line = next_line(w);
    unsigned kind = line.len ? (unsigned char)line.at[0] : 'v';
    struct dns_answer a = {.standing = DNS_SECURE,
                           .presence = DNS_DATA,
                           .expanded = step->question.name,
                           .why = line,
                           .records = w->records,
                           .count = 1};
    if (kind == '!' || kind == '?') {
        a.standing = kind == '!' ? DNS_BOGUS : DNS_INDETERMINATE;
        a.presence = kind == '!' ? DNS_NO_ANSWER : DNS_DATA; // data that must not be believed
        w->failed = true;
    } else if (kind == '-' || kind == '0') {
        a.presence = kind == '-' ? DNS_NXDOMAIN : DNS_NODATA;
        a.count = 0;
    } else if (kind >= '1' && kind <= '9') {
        a.count = kind == '9' ? DNS_RECORDS_MAX : (kind - '0') * 2u;
        line = span_skip(line, 1);
    }
    for (size_t i = 0; i < a.count; i++)
        put_record(&w->records[i], step->question.type, line, i);
    auth_spf_answer(s, step->ticket, &a);
}

static void look(const struct world *w, const struct auth_spf_result *r)
{
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++) {
        const struct auth_spf_check *c = &r->check[i];
        if (!c->checked)
            continue;
        if (!c->reason.len || c->step_count > AUTH_SPF_STEPS ||
            c->explanation.len > AUTH_SPF_EXPLANATION_MAX)
            panic("a result without what it needs");
        if (c->explanation.len && c->result != AUTH_FAIL)
            panic("an explanation without a fail");
        for (size_t k = 0; k < c->explanation.len; k++)
            if (c->explanation.at[k] < ' ' || c->explanation.at[k] > '~')
                panic("an explanation that is not printable");
        if (c->result == AUTH_TEMPERROR && !w->failed)
            panic("a failure out of nothing: %.*s", SPAN_FMT(c->reason));
    }
}

static void drive(struct world *w, struct auth_spf *s)
{
    static struct auth_step open[AUTH_SPF_QUESTIONS_MAX];
    size_t count = 0, asked = 0;
    for (;;) {
        struct auth_step step = auth_spf_next(s);
        if (step.kind == AUTH_DONE)
            break;
        if (step.kind == AUTH_ASK_DNS) {
            if (++asked > AUTH_SPF_QUESTIONS_MAX)
                panic("it asks and asks");
            open[count++] = step;
            continue;
        }
        if (count == 0)
            panic("it waits for nothing");
        size_t pick = (unsigned)asked * 7 % count;
        step = open[pick];
        open[pick] = open[--count];
        answer(w, s, &step);
    }
    look(w, auth_spf_result(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = mem_new(sizeof *w);
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_SPF_ARENA);
    w->all = w->rest = (struct span){(const char *)data, size};
    struct auth_spf_request r = {.mail_from = next_line(w), .now = {1000}};
    r.helo = next_line(w);
    r.client.v6 = size & 1;
    r.client.at[0] = 192;
    r.client.at[2] = 2;
    r.client.at[3] = 1;
    struct auth_spf *s = auth_spf_new(&r, &a);
    if (!s)
        panic("the arena is too small to begin");
    drive(w, s);

    free(w);
    return 0;
}
