// The planner against a DNS that says whatever the input says, in an order the
// input chooses. It always ends, and nothing the input does makes a protected
// host weaker than its policy.
#include "trust_plan.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUESTIONS_MOST = 6 + 5 * TRUST_HOSTS_MAX };

static const char *const names[] = {
    "example.org", "mx.example.org", "mx.example.net",  "a.example.com", "b.example.com",
    ".",           "192.0.2.1",      "mx2.example.org",
};
static const char *const files[] = {
    "version: STSv1\nmode: enforce\nmx: mx.example.net\nmx: *.example.com\nmax_age: 100\n",
    "version: STSv1\nmode: testing\nmx: mx.example.org\nmax_age: 86400\n",
    "version: STSv1\nmode: none\nmax_age: 0\n",
    "version: STSv1\nmode: enforce\nmax_age: 9\n",
};
static const char *const texts[] = {
    "v=STSv1; id=one;",
    "v=STSv1; id=two;",
    "v=TLSRPTv1; rua=mailto:a@example.org",
    "nonsense",
};

static struct dns_name name_of(struct rd *in)
{
    struct dns_name n;
    if (!dns_name_parse(&n, span_str(names[rd_u8(in) % 8])))
        panic("a name of the target's own");
    return n;
}

static void put_record(struct rd *in, struct dns_record *r, enum dns_type type)
{
    unsigned many = rd_u8(in);
    r->preference = (uint16_t)(many / 16);
    if (type == DNS_MX || type == DNS_CNAME)
        r->name = name_of(in);
    if (type == DNS_MX && many > 200) { // many names, too
        CLEANUP(buf_free) struct buf b = BUF(64);
        buf_printf(&b, "h%u.example.net", rd_u8(in));
        (void)dns_name_parse(&r->name, buf_span(&b));
    }
    r->address.v6 = type == DNS_AAAA;
    r->address.at[0] = rd_u8(in) & 7;
    r->short_rdata = many == 255;
    r->usage = many & 3;
    r->selector = many >> 2 & 1;
    r->matching = many >> 3 & 3;
    static const size_t lengths[] = {1, 32, 64, 9000};
    static const char bytes[9000];
    if (type == DNS_TLSA)
        r->data = (struct span){bytes, lengths[many >> 5 & 3]};
    if (type == DNS_TXT)
        r->data = span_str(texts[many & 3]);
}

static struct dns_answer answer_of(struct rd *in, const struct dns_question *q,
                                   struct dns_record *records)
{
    unsigned kind = rd_u8(in), n = rd_u8(in);
    struct dns_answer a = {.standing = (enum dns_standing)(kind & 3),
                           .presence = (enum dns_presence)(kind >> 2 & 3),
                           .aliased = kind & 16,
                           .expanded = q->name,
                           .ttl = kind,
                           .why = SPAN("because"),
                           .records = records};
    if (a.aliased)
        a.expanded = name_of(in);
    a.count = n > 250 ? DNS_RECORDS_MAX : n & 7;
    for (size_t i = 0; i < a.count; i++) {
        records[i] = (struct dns_record){0};
        put_record(in, &records[i], q->type);
    }
    return a;
}

static void give(struct rd *in, struct trust_planner *p, const struct trust_planner_step *s,
                 struct wall now)
{
    static struct dns_record records[DNS_RECORDS_MAX];
    unsigned what = rd_u8(in);
    if (s->kind == TRUST_ASK_DNS) {
        struct dns_answer a = answer_of(in, &s->question, records);
        trust_planner_dns(p, s->ticket, &a);
    } else if (s->kind == TRUST_ASK_STORED) {
        struct trust_sts_stored stored = {
            .id = "one", .file = span_str(files[what & 3]), .expires = {now.us + what % 7 - 3}};
        trust_planner_stored(p, s->ticket, what & 64 ? &stored : NULL);
    } else {
        struct trust_fetched f = {.result =
                                      (enum trust_fetch_result)(what >> 2) % TRUST_FETCH_RESULTS,
                                  .file = span_str(files[what & 3])};
        trust_planner_fetched(p, s->ticket, &f);
    }
}

static const struct trust_plan *drive(struct rd *in, struct trust_planner *p, struct wall now)
{
    static struct trust_planner_step open[QUESTIONS_MOST];
    size_t count = 0, asked = 0;
    for (;;) {
        struct trust_planner_step s = trust_planner_next(p);
        if (s.kind == TRUST_ASK_DONE)
            return trust_planner_plan(p);
        if (++asked > 2 * QUESTIONS_MOST + 2)
            panic("a planner that does not end");
        if (s.kind == TRUST_ASK_SAVE)
            continue;
        if (s.kind != TRUST_ASK_WAIT) {
            open[count++] = s;
            continue;
        }
        if (count == 0)
            panic("a planner that waits for nothing");
        size_t pick = rd_u8(in) % count;
        s = open[pick];
        open[pick] = open[--count];
        give(in, p, &s, now);
    }
}

static bool has_usable(const struct trust_host *h)
{
    for (size_t i = 0; i < h->tlsa_count; i++)
        if (h->tlsa[i].usable)
            return true;
    return false;
}

static void look_at_followed(const struct trust_plan *plan, const struct trust_host *h)
{
    enum trust_requirement q = h->requirement;
    if (plan->sts.state == TRUST_STS_ENFORCE && q != TRUST_REQ_STS && q != TRUST_REQ_DANE)
        panic("enforce, and a host of %s", trust_requirement_text(q));
    if (has_usable(h) && q != TRUST_REQ_DANE)
        panic("usable TLSA, and a host of %s", trust_requirement_text(q));
    if (h->tlsa_count && q == TRUST_REQ_OPPORTUNISTIC)
        panic("secure TLSA, and no TLS");
    if (h->tlsa_asked && h->tlsa_dnssec < DNS_INSECURE)
        panic("a failing TLSA lookup, and a usable host");
}

static void look_at_host(const struct trust_request *r, const struct trust_plan *plan,
                         const struct trust_host *h)
{
    enum trust_requirement q = h->requirement;
    if (!h->reason.len)
        panic("no reason");
    if (q == TRUST_REQ_UNUSABLE)
        return;
    if (h->address_count == 0 || h->name_count == 0)
        panic("a usable host without address or name");
    bool relaxed = r->need.tls_required_no && !r->need.requiretls;
    if (r->local == TRUST_FOLLOW && !relaxed)
        look_at_followed(plan, h);
    if (r->need.requiretls && q != TRUST_REQ_LOCAL_PINNED &&
        (!h->name_protected || q == TRUST_REQ_OPPORTUNISTIC || q == TRUST_REQ_ENCRYPT ||
         q == TRUST_REQ_LOCAL_CLEAR || q == TRUST_REQ_LOCAL_OPPORTUNISTIC ||
         q == TRUST_REQ_LOCAL_ENCRYPT))
        panic("REQUIRETLS, and a host of %s", trust_requirement_text(q));
}

static void look(const struct trust_request *r, const struct trust_plan *plan)
{
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    bool usable = false;
    for (size_t i = 0; i < plan->host_count; i++) {
        look_at_host(r, plan, &plan->hosts[i]);
        usable = usable || plan->hosts[i].requirement != TRUST_REQ_UNUSABLE;
    }
    if (plan->decision == TRUST_DELIVER ? !usable || plan->status : !plan->status)
        panic("a decision without what it needs");
    if (plan->mx_asked && plan->mx_dnssec < DNS_INSECURE && plan->decision == TRUST_DELIVER)
        panic("a failing MX lookup, and delivery");
    trust_plan_put_json(&b, plan);
    if (!rc_ok(buf_state(&b)))
        panic("a plan larger than any");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = RD(((struct span){(const char *)data, size}));
    unsigned flags = rd_u8(&in), more = rd_u8(&in);
    struct dns_name self = {0};
    (void)dns_name_parse(&self, SPAN("mx2.example.org"));
    struct trust_request r = {.local = (enum trust_local)(flags % TRUST_LOCALS),
                              .need = {more & 1, more & 2},
                              .sts_refresh = (more & 28) == 28,
                              .no_ipv6 = more & 32,
                              .self = &self,
                              .self_count = more >> 6 & 1,
                              .seed = more,
                              .now = {1000},
                              .pin = SPAN("0123456789abcdef0123456789abcdef")};
    (void)dns_name_parse(&r.domain, SPAN("example.org"));
    r.route.given = (flags & 0xc0) == 0xc0;
    r.route.mx = flags & 32;
    r.route.literal = flags & 16;
    (void)dns_name_parse(&r.route.host, SPAN("mx.example.net"));
    CLEANUP(arena_free) struct arena a = ARENA(more & 128 ? 1u << 20 : 65536u);
    struct trust_planner *p = trust_planner_new(&r, &a);
    if (p)
        look(&r, drive(&in, p, r.now));
    return 0;
}
