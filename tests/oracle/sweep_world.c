// The tables that make the world of a scenario. See sweep.h.
#include "sweep.h"

static struct dns_name names[WHOS];
static const char *const name_texts[WHOS] = {
    [NOBODY] = "nobody.invalid", [DOMAIN] = "example.org",
    [REAL] = "real.example.com", [EXPANDED] = "edge.example.com",
    [HOST1] = "mx1.example.net", [HOST2] = "mx2.example.net",
    [HOST3] = "mx3.example.net", [SELF] = "mail.sender.example",
    [OTHER] = "other.invalid",   [ROOT] = ".",
};

const struct dns_name *world_name(enum who w)
{
    if (names[w].len == 0 && w != ROOT && !dns_name_parse(&names[w], span_str(name_texts[w])))
        panic("%s is no name", name_texts[w]);
    return &names[w];
}

bool world_is(const char *token, const char *is)
{
    return span_eq(span_str(token), span_str(is));
}

// MX

struct mx_row {
    const char *token;
    enum dns_standing standing;
    enum dns_presence presence;
    bool aliased;
    struct {
        uint16_t preference;
        enum who who;
    } mx[3];
};
static const struct mx_row mx_rows[] = {
    {"secure", DNS_SECURE, DNS_DATA, false, {{10, HOST1}}},
    {"insecure", DNS_INSECURE, DNS_DATA, false, {{10, HOST1}}},
    {"bogus", DNS_BOGUS, DNS_NO_ANSWER, false},
    {"timeout", DNS_INDETERMINATE, DNS_NO_ANSWER, false},
    {"nodata", DNS_INSECURE, DNS_NODATA, false},     // standing and alias follow the address
    {"nxdomain", DNS_INSECURE, DNS_NXDOMAIN, false}, // so here
    {"unread", DNS_SECURE, DNS_DATA, false},
    {"null", DNS_SECURE, DNS_DATA, false, {{0, ROOT}}},
    {"self", DNS_SECURE, DNS_DATA, false, {{20, HOST1}, {10, SELF}}},
    {"self-equal", DNS_SECURE, DNS_DATA, false, {{10, HOST1}, {10, SELF}}},
    {"self-backup", DNS_SECURE, DNS_DATA, false, {{30, HOST3}, {20, SELF}, {10, HOST1}}},
    {"aliased", DNS_SECURE, DNS_DATA, true, {{10, HOST1}}},
    {"aliased-out", DNS_INSECURE, DNS_DATA, true, {{10, HOST1}}},
};

// Addresses

struct addr_row {
    const char *token;
    enum dns_standing a, aaaa;
    enum dns_presence a_presence, aaaa_presence;
    bool aliased;
    enum dns_standing cname, mx; // of the CNAME by itself; of an MX question at this name
};
static const struct addr_row addr_rows[] = {
    {"secure", DNS_SECURE, DNS_SECURE, DNS_DATA, DNS_NODATA, false, DNS_SECURE, DNS_SECURE},
    {"insecure", DNS_INSECURE, DNS_INSECURE, DNS_DATA, DNS_NODATA, false, DNS_INSECURE,
     DNS_INSECURE},
    {"chain", DNS_SECURE, DNS_SECURE, DNS_DATA, DNS_NODATA, true, DNS_SECURE, DNS_SECURE},
    {"cname-out", DNS_INSECURE, DNS_INSECURE, DNS_DATA, DNS_NODATA, true, DNS_SECURE, DNS_INSECURE},
    {"cname-insecure", DNS_INSECURE, DNS_INSECURE, DNS_DATA, DNS_NODATA, true, DNS_INSECURE,
     DNS_INSECURE},
    {"cname-bogus", DNS_INSECURE, DNS_INSECURE, DNS_DATA, DNS_NODATA, true, DNS_BOGUS,
     DNS_INSECURE},
    {"cname-timeout", DNS_INSECURE, DNS_INSECURE, DNS_DATA, DNS_NODATA, true, DNS_INDETERMINATE,
     DNS_INSECURE},
    {"bogus", DNS_BOGUS, DNS_BOGUS, DNS_NO_ANSWER, DNS_NO_ANSWER, false, DNS_BOGUS, DNS_INSECURE},
    {"timeout", DNS_INDETERMINATE, DNS_INDETERMINATE, DNS_NO_ANSWER, DNS_NO_ANSWER, false,
     DNS_INDETERMINATE, DNS_INSECURE},
    {"nodata", DNS_SECURE, DNS_SECURE, DNS_NODATA, DNS_NODATA, false, DNS_SECURE, DNS_INSECURE},
    {"nxdomain", DNS_SECURE, DNS_SECURE, DNS_NXDOMAIN, DNS_NXDOMAIN, false, DNS_SECURE,
     DNS_INSECURE},
    {"aaaa-bogus", DNS_SECURE, DNS_BOGUS, DNS_DATA, DNS_NO_ANSWER, false, DNS_SECURE, DNS_SECURE},
    {"aaaa-timeout", DNS_SECURE, DNS_INDETERMINATE, DNS_DATA, DNS_NO_ANSWER, false, DNS_SECURE,
     DNS_SECURE},
};

// TLSA

struct tlsa_row {
    const char *token;
    enum dns_standing standing;
    enum dns_presence presence;
    size_t count;
    struct {
        uint8_t usage, selector, matching, byte, len;
    } rr[6]; // len 0: RDATA of no bytes
};
static const struct tlsa_row tlsa_rows[] = {
    {"none", DNS_SECURE, DNS_NODATA, 0},
    {"nxdomain", DNS_SECURE, DNS_NXDOMAIN, 0},
    {"insecure", DNS_INSECURE, DNS_DATA, 1, {{3, 1, 1, NOBODYS_BYTE, 32}}},
    {"bogus", DNS_BOGUS, DNS_NO_ANSWER, 0},
    {"timeout", DNS_INDETERMINATE, DNS_NO_ANSWER, 0},
    {"ee", DNS_SECURE, DNS_DATA, 1, {{3, 1, 1, KEY_BYTE, 32}}},
    {"ta", DNS_SECURE, DNS_DATA, 1, {{2, 0, 1, ISSUER_BYTE, 32}}},
    {"both", DNS_SECURE, DNS_DATA, 2, {{3, 1, 1, KEY_BYTE, 32}, {2, 0, 1, ISSUER_BYTE, 32}}},
    {"unusable",
     DNS_SECURE,
     DNS_DATA,
     6,
     {{0, 0, 1, ISSUER_BYTE, 32},
      {1, 1, 1, KEY_BYTE, 32},
      {3, 1, 9, KEY_BYTE, 32},
      {3, 7, 1, KEY_BYTE, 32},
      {3, 1, 1, KEY_BYTE, 31},
      {4, 1, 1, KEY_BYTE, 32}}},
    {"short", DNS_SECURE, DNS_DATA, 1, {{0, 0, 0, 0, 0}}},
    {"unread", DNS_SECURE, DNS_DATA, 0},
    {"mixed",
     DNS_SECURE,
     DNS_DATA,
     3,
     {{0, 0, 0, 0, 0}, {1, 1, 1, KEY_BYTE, 32}, {3, 1, 1, KEY_BYTE, 32}}},
    {"rollover", DNS_SECURE, DNS_DATA, 2, {{3, 1, 1, NOBODYS_BYTE, 32}, {3, 1, 1, KEY_BYTE, 32}}},
    {"other-ta", DNS_SECURE, DNS_DATA, 2, {{2, 0, 1, NOBODYS_BYTE, 32}, {3, 1, 1, KEY_BYTE, 32}}},
    {"agile", DNS_SECURE, DNS_DATA, 2, {{3, 1, 2, NOBODYS_BYTE, 64}, {3, 1, 1, KEY_BYTE, 32}}},
    {"agile-cut", DNS_SECURE, DNS_DATA, 2, {{3, 1, 2, NOBODYS_BYTE, 63}, {3, 1, 1, KEY_BYTE, 32}}},
    {"agile-apart",
     DNS_SECURE,
     DNS_DATA,
     2,
     {{3, 0, 2, NOBODYS_BYTE, 64}, {3, 1, 1, KEY_BYTE, 32}}},
};

// MTA-STS

enum txt { TXT_NONE, TXT_1, TXT_2, TXT_TWO, TXT_BAD, TXT_TIMEOUT };
static const char *const txt_texts[] = {
    [TXT_1] = "v=STSv1; id=1;", [TXT_2] = "v=STSv1; id=2;", [TXT_BAD] = "v=STSv1; id=a-b;"};

#define FILE_OF(mode, mx) "version: STSv1\r\nmode: " mode "\r\n" mx "max_age: 604800\r\n"
#define LISTED            "mx: mx1.example.net\r\nmx: mx2.example.net\r\nmx: example.org\r\n"
#define NOT_LISTED        "mx: elsewhere.example\r\n"
static const char enforced[] = FILE_OF("enforce", LISTED);
static const char refusing[] = FILE_OF("enforce", NOT_LISTED);
static const char tested[] = FILE_OF("testing", LISTED);
static const char tested_refusing[] = FILE_OF("testing", NOT_LISTED);
static const char mode_none[] = FILE_OF("none", "");
static const char no_mx[] = FILE_OF("enforce", "");
static const char second_only[] = FILE_OF("enforce", "mx: mx2.example.net\r\n");
static const char wildcard[] = FILE_OF("enforce", "mx: *.example.net\r\n");
static const char wildcard_deep[] = FILE_OF("enforce", "mx: *.net\r\nmx: *.mx1.example.net\r\n");

struct sts_row {
    const char *token;
    enum txt txt;
    const char *stored; // under id 1; NULL: none
    bool expired;
    enum trust_fetch_result fetch;
    const char *file; // where the fetch succeeds
};
static const struct sts_row sts_rows[] = {
    {"absent", TXT_NONE, NULL, false, TRUST_FETCH_CONNECT, NULL},
    {"none", TXT_1, NULL, false, TRUST_FETCH_OK, mode_none},
    {"testing", TXT_1, NULL, false, TRUST_FETCH_OK, tested},
    {"enforce", TXT_1, NULL, false, TRUST_FETCH_OK, enforced},
    {"mismatch", TXT_1, NULL, false, TRUST_FETCH_OK, refusing},
    {"cached", TXT_1, enforced, false, TRUST_FETCH_CONNECT, NULL},
    {"changed", TXT_2, enforced, false, TRUST_FETCH_CONNECT, NULL},
    {"expired", TXT_1, refusing, true, TRUST_FETCH_CONNECT, NULL},
    {"invalid", TXT_1, NULL, false, TRUST_FETCH_OK, no_mx},
    {"testing-mismatch", TXT_1, NULL, false, TRUST_FETCH_OK, tested_refusing},
    {"cached-mismatch", TXT_1, refusing, false, TRUST_FETCH_CONNECT, NULL},
    {"changed-mismatch", TXT_2, refusing, false, TRUST_FETCH_HTTP, NULL},
    {"changed-none", TXT_2, refusing, false, TRUST_FETCH_OK, mode_none},
    {"changed-invalid", TXT_2, enforced, false, TRUST_FETCH_OK, no_mx},
    {"changed-webpki", TXT_2, enforced, false, TRUST_FETCH_WEBPKI, NULL},
    {"cached-txt-timeout", TXT_TIMEOUT, enforced, false, TRUST_FETCH_CONNECT, NULL},
    {"cached-txt-absent", TXT_NONE, enforced, false, TRUST_FETCH_CONNECT, NULL},
    {"cached-txt-two", TXT_TWO, enforced, false, TRUST_FETCH_CONNECT, NULL},
    {"cached-testing", TXT_1, tested_refusing, false, TRUST_FETCH_CONNECT, NULL},
    {"txt-timeout", TXT_TIMEOUT, NULL, false, TRUST_FETCH_OK, refusing},
    {"txt-two", TXT_TWO, NULL, false, TRUST_FETCH_OK, refusing},
    {"txt-badid", TXT_BAD, NULL, false, TRUST_FETCH_OK, refusing},
    {"webpki", TXT_1, NULL, false, TRUST_FETCH_WEBPKI, NULL},
    {"expired-txt-timeout", TXT_TIMEOUT, refusing, true, TRUST_FETCH_CONNECT, NULL},
    {"expired-refetched", TXT_1, refusing, true, TRUST_FETCH_OK, enforced},
    {"partial", TXT_1, NULL, false, TRUST_FETCH_OK, second_only},
    {"wildcard", TXT_1, NULL, false, TRUST_FETCH_OK, wildcard},
    {"wildcard-deep", TXT_1, NULL, false, TRUST_FETCH_OK, wildcard_deep},
};

// The world that is set

static struct {
    const struct mx_row *mx;
    const struct addr_row *addr;
    const struct tlsa_row *tlsa, *expanded;
    const struct sts_row *sts;
    bool second, two_addresses;
} world;

// Rows begin with their token; NULL where none is called so.
#define ROW(rows, token) row_find(rows, sizeof rows[0], sizeof rows / sizeof rows[0], token)
static const void *row_find(const void *rows, size_t size, size_t count, const char *token)
{
    for (size_t i = 0; i < count; i++) {
        const char *row = (const char *)rows + i * size;
        if (world_is(*(const char *const *)(const void *)row, token))
            return row;
    }
    return NULL;
}

bool world_set(const struct scenario *s)
{
    world.mx = ROW(mx_rows, s->at[F_MX]);
    world.addr = ROW(addr_rows, s->at[F_ADDR]);
    world.tlsa = ROW(tlsa_rows, s->at[F_TLSA]);
    world.expanded = ROW(tlsa_rows, s->at[F_EXPANDED]);
    world.sts = ROW(sts_rows, s->at[F_STS]);
    world.second = !world_is(s->at[F_SECOND], "-");
    world.two_addresses = !world_is(s->at[F_FIRST], "-");
    return world.mx && world.addr && world.tlsa && world.expanded && world.sts;
}

enum who world_first_host(void)
{
    return world.mx->mx[0].who == NOBODY ? DOMAIN : HOST1;
}

struct wall world_now(void)
{
    return (struct wall){INT64_C(1795000000) * US_PER_S};
}

// One answer at a time: the planner copies it.

static struct dns_record records[8];
static struct dns_answer answer;
static char tlsa_data[6][64];

static void answer_start(const struct dns_question *q, enum dns_standing s, enum dns_presence p)
{
    answer = (struct dns_answer){.standing = s, .presence = p, .records = records};
    answer.expanded = q->name;
    answer.rcode = p == DNS_NO_ANSWER ? 2 : p == DNS_NXDOMAIN ? 3 : 0;
    answer.ttl = p == DNS_NO_ANSWER ? 0 : 3600;
}

static struct dns_record *answer_add(void)
{
    struct dns_record *r = &records[answer.count++];
    *r = (struct dns_record){.data = {NULL, 0}};
    return r;
}

static void answer_alias(enum who to)
{
    answer.aliased = true;
    answer.expanded = *world_name(to);
}

static void add_mx(uint16_t preference, enum who who)
{
    struct dns_record *r = answer_add();
    r->preference = preference;
    r->name = *world_name(who);
}

static void answer_mx(const struct dns_question *q)
{
    const struct mx_row *m = world.mx;
    bool follows = m->presence == DNS_NODATA || m->presence == DNS_NXDOMAIN;
    answer_start(q, follows ? world.addr->mx : m->standing, m->presence);
    for (size_t i = 0; i < 3 && m->mx[i].who != NOBODY; i++)
        add_mx(m->mx[i].preference, m->mx[i].who);
    if (world.second && m->presence == DNS_DATA)
        add_mx(20, HOST2);
    if (follows ? world.addr->aliased : m->aliased)
        answer_alias(follows ? EXPANDED : REAL);
}

static const struct dns_address first_address = {.at = {198, 51, 100, 1}};

bool world_is_first_address(const struct dns_address *a)
{
    return world.two_addresses && dns_address_eq(a, &first_address);
}

// Every host but the first, and what the names lead to, has a plain address.
static void answer_address(const struct dns_question *q, bool first, unsigned char last)
{
    static const struct addr_row plain = {"",         DNS_INSECURE, DNS_INSECURE, DNS_DATA,
                                          DNS_NODATA, false,        DNS_INSECURE, DNS_INSECURE};
    const struct addr_row *r = first ? world.addr : &plain;
    bool a = q->type == DNS_A;
    answer_start(q, a ? r->a : r->aaaa, a ? r->a_presence : r->aaaa_presence);
    if (answer.presence == DNS_NO_ANSWER)
        return;
    if (r->aliased)
        answer_alias(EXPANDED);
    if (answer.presence != DNS_DATA)
        return;
    if (first && world.two_addresses)
        answer_add()->address = first_address;
    answer_add()->address = (struct dns_address){.at = {192, 0, 2, last}};
}

static void answer_cname(const struct dns_question *q)
{
    enum dns_standing s = world.addr->cname;
    bool answered = s == DNS_SECURE || s == DNS_INSECURE;
    answer_start(q, s, !answered ? DNS_NO_ANSWER : world.addr->aliased ? DNS_DATA : DNS_NODATA);
    if (answer.presence == DNS_DATA)
        answer_add()->name = *world_name(EXPANDED);
}

static void answer_tlsa(const struct dns_question *q, const struct tlsa_row *t)
{
    answer_start(q, t->standing, t->presence);
    for (size_t i = 0; i < t->count; i++) {
        struct dns_record *r = answer_add();
        for (size_t j = 0; j < t->rr[i].len; j++)
            tlsa_data[i][j] = (char)t->rr[i].byte;
        r->short_rdata = t->rr[i].len == 0;
        r->usage = t->rr[i].usage;
        r->selector = t->rr[i].selector;
        r->matching = t->rr[i].matching;
        r->data = (struct span){tlsa_data[i], t->rr[i].len};
    }
}

static void answer_txt(const struct dns_question *q)
{
    enum txt t = world.sts->txt;
    bool answered = t != TXT_TIMEOUT;
    answer_start(q, answered ? DNS_INSECURE : DNS_INDETERMINATE,
                 !answered       ? DNS_NO_ANSWER
                 : t == TXT_NONE ? DNS_NXDOMAIN
                                 : DNS_DATA);
    if (answer.presence != DNS_DATA)
        return;
    answer_add()->data = SPAN("v=spf1 -all"); // discarded before they are counted (RFC 8461 §3.1)
    if (t == TXT_TWO)
        answer_add()->data = span_str(txt_texts[TXT_2]);
    answer_add()->data = span_str(txt_texts[t == TXT_TWO ? TXT_1 : t]);
}

// Whose name is asked for, or the name below `labels`; NOBODY if it is none of ours.
static enum who below(const struct dns_question *q, const char *labels)
{
    struct span name = dns_name_span(&q->name);
    if (!span_starts(name, span_str(labels)))
        return NOBODY;
    name = span_skip(name, span_str(labels).len);
    for (enum who w = DOMAIN; w < ROOT; w++)
        if (span_eq(dns_name_span(world_name(w)), name))
            return w;
    return NOBODY;
}

static enum who asked(const struct dns_question *q)
{
    return below(q, "");
}

const struct dns_answer *world_dns(const struct dns_question *q)
{
    static const struct tlsa_row unanswered = {"", DNS_INDETERMINATE, DNS_NO_ANSWER, 0};
    enum who w = asked(q), first = world_first_host();
    bool address = q->type == DNS_A || q->type == DNS_AAAA;
    if (q->type == DNS_MX && w == DOMAIN)
        answer_mx(q);
    else if (address && w >= DOMAIN)
        answer_address(q, w == first, (unsigned char)w);
    else if (q->type == DNS_CNAME && w == first)
        answer_cname(q);
    else if (q->type == DNS_TLSA && below(q, "_25._tcp.") == first)
        answer_tlsa(q, world.tlsa);
    else if (q->type == DNS_TLSA && below(q, "_25._tcp.") == EXPANDED)
        answer_tlsa(q, world.expanded);
    else if (q->type == DNS_TLSA) // a name server that knows no TLSA: asking it is the trap
        answer_tlsa(q, &unanswered);
    else if (q->type == DNS_TXT && below(q, "_mta-sts.") == DOMAIN)
        answer_txt(q);
    else
        answer_start(q, DNS_INSECURE, DNS_NXDOMAIN);
    return &answer;
}

const struct trust_sts_stored *world_stored(void)
{
    static struct trust_sts_stored s;
    if (!world.sts->stored)
        return NULL;
    int64_t now = world_now().us, age = SECONDS(world.sts->expired ? 604801 : 86400);
    s = (struct trust_sts_stored){.id = "1", .file = span_str(world.sts->stored)};
    s.fetched = (struct wall){now - age};
    s.expires = (struct wall){now - age + SECONDS(604800)};
    return &s;
}

const struct trust_fetched *world_fetched(void)
{
    static struct trust_fetched f;
    f = (struct trust_fetched){.result = world.sts->fetch, .file = span_str(world.sts->file)};
    f.detail = SPAN("as the scenario has it");
    return &f;
}
