// One key: its state file, its names, its record, and what DNS shows of it.
#include "auth_keys.h"

#include "auth_dkim_record.h"
#include "base_code.h"

#include <string.h>

static const char *const phases[AUTH_KEY_PHASES] = {[AUTH_KEY_WAITING] = "waiting",
                                                    [AUTH_KEY_ACTIVE] = "active",
                                                    [AUTH_KEY_RETIRED] = "retired",
                                                    [AUTH_KEY_REMOVABLE] = "removable",
                                                    [AUTH_KEY_GONE] = "gone"};
static const char *const sights[AUTH_KEY_SIGHTS] = {
    [AUTH_KEY_UNKNOWN] = "unknown",
    [AUTH_KEY_ABSENT] = "absent",
    [AUTH_KEY_OTHER] = "other",
    [AUTH_KEY_SHOWN] = "shown",
};
static const struct {
    const char *name, *tag;
} algorithms[CRYPTO_ALGORITHMS] = {
    [CRYPTO_RSA_SHA256] = {"rsa-sha256", "rsa"},
    [CRYPTO_ED25519_SHA256] = {"ed25519-sha256", "ed25519"},
};

const char *auth_key_phase_text(enum auth_key_phase p)
{
    return phases[p];
}

const char *auth_key_algorithm_text(enum crypto_algorithm a)
{
    return algorithms[a].tag;
}

const char *auth_key_sight_text(enum auth_key_sight s)
{
    return sights[s];
}

static const struct {
    const char *name;
    unsigned is;
} services[] = {{"email", AUTH_SERVICE_EMAIL}, {"tlsrpt", AUTH_SERVICE_TLSRPT}};
enum { SERVICES = sizeof services / sizeof *services };

// ---- the state file: "name value" lines ----

static const struct {
    const char *name;
    size_t at;
} moments[] = {
    {"created", offsetof(struct auth_key, created)},
    {"seen", offsetof(struct auth_key, seen)},
    {"active", offsetof(struct auth_key, active)},
    {"retired", offsetof(struct auth_key, retired)},
    {"gone", offsetof(struct auth_key, gone)},
};
enum { MOMENTS = sizeof moments / sizeof *moments };

static struct wall *moment(struct auth_key *k, size_t i)
{
    return (struct wall *)(void *)((char *)k + moments[i].at);
}

static bool read_domain(struct auth_key *k, struct span value)
{
    return dns_name_parse_host(&k->domain, value);
}

static bool read_selector(struct auth_key *k, struct span value)
{
    return dns_name_parse_host(&k->selector, value);
}

static bool read_algorithm(struct auth_key *k, struct span value)
{
    for (unsigned a = 0; a < CRYPTO_ALGORITHMS; a++) {
        k->algorithm = (enum crypto_algorithm)a;
        if (span_eq(value, span_str(algorithms[a].name)))
            return true;
    }
    return false;
}

static bool read_bits(struct auth_key *k, struct span value)
{
    uint64_t bits;
    if (!span_number(value, CRYPTO_RSA_BITS_MAX, &bits))
        return false;
    k->bits = (unsigned)bits;
    return bits > 0;
}

static bool read_public(struct auth_key *k, struct span value)
{
    CLEANUP(buf_free) struct buf bytes = BUF(AUTH_KEY_PUBLIC_MAX);
    return value.len && code_get_base64(&bytes, value) &&
           span_copy(k->public_key, sizeof k->public_key, value);
}

static bool read_sender(struct auth_key *k, struct span value)
{
    return auth_sender_fits(value) && span_copy(k->sender, sizeof k->sender, value);
}

// As s= has them.
static bool read_services(struct auth_key *k, struct span value)
{
    k->services = 0;
    while (value.at) {
        struct span one = span_cut(&value, ':');
        unsigned before = k->services;
        for (size_t i = 0; i < SERVICES; i++)
            if (span_eq(one, span_str(services[i].name)))
                k->services |= services[i].is;
        if (k->services == before)
            return false;
    }
    return k->services != 0;
}

bool auth_key_services(struct auth_key *k, struct span text)
{
    return span_eq(text, SPAN("*")) || read_services(k, text);
}

static bool read_line(struct auth_key *k, struct span name, struct span value)
{
    static const struct {
        const char *name;
        bool (*read)(struct auth_key *k, struct span value);
    } lines[] = {{"domain", read_domain},       {"selector", read_selector},
                 {"algorithm", read_algorithm}, {"bits", read_bits},
                 {"public", read_public},       {"sender", read_sender},
                 {"services", read_services}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (span_eq(name, span_str(lines[i].name)))
            return lines[i].read(k, value);
    for (size_t i = 0; i < MOMENTS; i++)
        if (span_eq(name, span_str(moments[i].name)))
            return time_parse_iso(moment(k, i), value);
    return false;
}

bool auth_key_read(struct auth_key *out, struct span text)
{
    *out = (struct auth_key){0};
    if (text.len > AUTH_KEY_STATE_MAX)
        return false;
    while (text.at) {
        struct span value = span_trim(span_cut(&text, '\n'));
        if (value.len == 0 || value.at[0] == '#')
            continue;
        struct span name = span_cut(&value, ' ');
        if (!read_line(out, name, span_trim(value)))
            return false;
    }
    struct dns_name owner = auth_key_owner(out);
    return out->domain.len && out->selector.len && out->bits && *out->public_key &&
           out->created.us && owner.len;
}

static void put_services(struct buf *b, unsigned are)
{
    const char *between = "";
    for (size_t i = 0; i < SERVICES; i++)
        if (are & services[i].is) {
            buf_printf(b, "%s%s", between, services[i].name);
            between = ":";
        }
}

void auth_key_put(struct buf *b, const struct auth_key *k)
{
    struct auth_key copy = *k;
    buf_put(b, SPAN("# Geleit's note about a DKIM key; the commands 'geleit keys' keep it.\n"));
    buf_printf(b, "domain %s\nselector %s\nalgorithm %s\nbits %u\npublic %s\n", k->domain.text,
               k->selector.text, algorithms[k->algorithm].name, k->bits, k->public_key);
    if (*k->sender)
        buf_printf(b, "sender %s\n", k->sender);
    if (k->services) {
        buf_put(b, SPAN("services "));
        put_services(b, k->services);
        buf_putc(b, '\n');
    }
    for (size_t i = 0; i < MOMENTS; i++) {
        const struct wall *when = moment(&copy, i);
        if (when->us == 0)
            continue;
        buf_printf(b, "%s ", moments[i].name);
        time_put_iso(b, *when);
        buf_putc(b, '\n');
    }
}

// ---- names ----

bool auth_key_named(struct auth_key *k, struct span selector, struct span domain)
{
    return dns_name_parse_host(&k->domain, domain) && dns_name_parse_host(&k->selector, selector) &&
           auth_key_owner(k).len;
}

struct dns_name auth_key_owner(const struct auth_key *k)
{
    struct dns_name n = {0}, none = {0};
    if (k->selector.len == 0 || k->domain.len == 0 ||
        !dns_name_prepend(&n, SPAN("_domainkey"), &k->domain) ||
        !dns_name_prepend(&n, dns_name_span(&k->selector), &n))
        return none;
    return n;
}

void auth_key_put_file(struct buf *b, const struct auth_key *k, const char *suffix)
{
    struct dns_name owner = auth_key_owner(k);
    buf_printf(b, "%s%s", owner.text, suffix);
}

// RFC 6376 §3.6.1; h= is left out, as no other hash is used with these (RFC 8301).
void auth_key_put_text(struct buf *b, const struct auth_key *k)
{
    buf_printf(b, "v=DKIM1; k=%s; ", algorithms[k->algorithm].tag);
    if (k->services) {
        buf_put(b, SPAN("s="));
        put_services(b, k->services);
        buf_put(b, SPAN("; "));
    }
    buf_printf(b, "p=%s", k->public_key);
}

void auth_key_put_record(struct buf *b, const struct auth_key *k)
{
    CLEANUP(buf_free) struct buf text = BUF(2 * AUTH_KEY_PUBLIC_MAX);
    struct dns_name owner = auth_key_owner(k);
    auth_key_put_text(&text, k);
    struct span rest = buf_span(&text);
    bool several = rest.len > 255;
    buf_printf(b, "%s. IN TXT %s", owner.text, several ? "(" : "");
    while (rest.len) {
        struct span one = span_first(rest, 255);
        buf_printf(b, several ? "\n    \"%.*s\"" : "\"%.*s\"", SPAN_FMT(one));
        rest = span_skip(rest, one.len);
    }
    buf_put(b, several ? SPAN(" )\n") : SPAN("\n"));
}

// ---- DNS ----

struct dns_question auth_key_question(const struct auth_key *k)
{
    return (struct dns_question){.name = auth_key_owner(k), .type = DNS_TXT};
}

// The record is the key's if a verifier would read this key from it, however the
// record is written.
static bool is_record_of(const struct auth_key *k, struct span text)
{
    struct auth_dkim_key read = {0};
    struct auth_tags tags;
    CLEANUP(buf_free) struct buf ours = BUF(AUTH_KEY_PUBLIC_MAX), theirs = BUF(65536);
    bool email = k->services == 0 || k->services & AUTH_SERVICE_EMAIL;
    const char *why = auth_dkim_key_read(&read, text, email ? SPAN("email") : SPAN("tlsrpt"));
    bool usable = !why && read.algorithm == k->algorithm;
    if (!why)
        crypto_public_free(read.key);
    return usable && auth_tags_read(&tags, text) &&
           auth_base64_read(&theirs, auth_tags_get(&tags, SPAN("p"))) &&
           code_get_base64(&ours, span_str(k->public_key)) &&
           span_eq(buf_span(&ours), buf_span(&theirs));
}

// RFC 6376 §3.6.2.2: what happens with several records is undefined.
enum auth_key_sight auth_key_look(const struct auth_key *k, const struct dns_answer *a)
{
    if (a->presence == DNS_NODATA || a->presence == DNS_NXDOMAIN)
        return AUTH_KEY_ABSENT;
    if (a->presence != DNS_DATA)
        return AUTH_KEY_UNKNOWN;
    return a->count == 1 && is_record_of(k, a->records[0].data) ? AUTH_KEY_SHOWN : AUTH_KEY_OTHER;
}
