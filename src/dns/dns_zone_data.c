// What stands behind a record's type.
#include "dns_zone_inner.h"

#include "base_code.h"

struct data {
    struct zone_reader *r;
    struct zone_record *out;
    const struct zone_word *words;
    size_t count;
};

static bool number(const struct zone_word *w, uint64_t most, uint64_t *out)
{
    return span_number(w->text, most, out);
}

static bool keep(struct data *d, const struct buf *b)
{
    d->out->data.data = arena_dup(&d->r->zone->arena, buf_span(b));
    if (rc_ok(buf_state(b)) && d->out->data.data.at)
        return true;
    return zone_fault(d->r, d->words->line, "the data is too long");
}

static bool read_address(struct data *d)
{
    bool v6 = d->out->type == DNS_AAAA;
    struct dns_address *a = &d->out->data.address;
    if (d->count == 1 && dns_address_parse(a, d->words[0].text) && a->v6 == v6)
        return true;
    return zone_fault(d->r, d->words->line, "%s takes one IPv%d address", v6 ? "AAAA" : "A",
                      v6 ? 6 : 4);
}

static bool read_name(struct data *d)
{
    if (d->count != 1)
        return zone_fault(d->r, d->words->line, "%s takes one name", dns_type_text(d->out->type));
    return zone_name(d->r, &d->words[0], &d->out->data.name);
}

static bool read_mx(struct data *d)
{
    uint64_t preference;
    if (d->count != 2 || !number(&d->words[0], UINT16_MAX, &preference))
        return zone_fault(d->r, d->words->line, "MX takes a preference and a name");
    d->out->data.preference = (uint16_t)preference;
    return zone_name(d->r, &d->words[1], &d->out->data.name);
}

static bool read_txt(struct data *d)
{
    CLEANUP(buf_free) struct buf all = BUF(UINT16_MAX);
    for (size_t i = 0; i < d->count; i++) {
        CLEANUP(buf_free) struct buf one = BUF(255);
        const struct zone_word *w = &d->words[i];
        if (!zone_string(&one, w->text))
            return zone_fault(d->r, w->line,
                              one.overrun ? "a string is longer than 255 bytes: write it in parts"
                                          : "an escape is neither \\DDD (up to 255) nor \\X");
        buf_put(&all, buf_span(&one));
    }
    if (d->count == 0)
        return zone_fault(d->r, d->out->line, "TXT takes at least one string");
    return keep(d, &all);
}

static bool read_tlsa(struct data *d)
{
    CLEANUP(buf_free) struct buf b = BUF(UINT16_MAX);
    uint64_t field[3];
    bool ok = d->count >= 4;
    for (size_t i = 0; ok && i < 3; i++)
        ok = number(&d->words[i], 255, &field[i]);
    for (size_t i = 3; ok && i < d->count; i++)
        ok = code_get_hex(&b, d->words[i].text);
    if (!ok)
        return zone_fault(d->r, d->words->line, "TLSA takes three numbers and hex digits");
    d->out->data.usage = (uint8_t)field[0];
    d->out->data.selector = (uint8_t)field[1];
    d->out->data.matching = (uint8_t)field[2];
    return keep(d, &b);
}

static bool read_any(struct data *d)
{
    return d->count > 0 || zone_fault(d->r, d->out->line, "there is nothing behind the type");
}

static const struct {
    const char *name;
    enum dns_type type;
    bool (*read)(struct data *d);
} types[] = {
    {"A", DNS_A, read_address},  {"AAAA", DNS_AAAA, read_address}, {"MX", DNS_MX, read_mx},
    {"TXT", DNS_TXT, read_txt},  {"CNAME", DNS_CNAME, read_name},  {"NS", DNS_NS, read_name},
    {"PTR", DNS_PTR, read_name}, {"TLSA", DNS_TLSA, read_tlsa},
};
enum { TYPES = sizeof types / sizeof *types };

// Known, and never asked for.
static const char *const others[] = {
    "SOA",        "SRV",   "CAA",    "DS",      "DNSKEY", "RRSIG",      "NSEC",   "NSEC3",
    "NSEC3PARAM", "CDS",   "SPF",    "CDNSKEY", "HINFO",  "RP",         "NAPTR",  "LOC",
    "SSHFP",      "SVCB",  "HTTPS",  "CERT",    "DNAME",  "OPENPGPKEY", "SMIMEA", "URI",
    "KEY",        "AFSDB", "ZONEMD", "CSYNC",   "DHCID",
};

bool zone_type(struct span text, enum dns_type *out)
{
    uint64_t number;
    *out = (enum dns_type)0;
    for (size_t i = 0; i < TYPES; i++) {
        if (span_ieq(text, span_str(types[i].name))) {
            *out = types[i].type;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (span_ieq(text, span_str(others[i])))
            return true;
    // RFC 3597 §5; of a type that is looked into, that form is not read.
    if (!span_istarts(text, SPAN("TYPE")) || !span_number(span_skip(text, 4), UINT16_MAX, &number))
        return false;
    return !dns_type_text((enum dns_type)number);
}

bool zone_data(struct zone_reader *r, struct zone_record *out, const struct zone_word *words,
               size_t count)
{
    struct data d = {.r = r, .out = out, .words = words, .count = count};
    struct zone_word nothing = {.line = out->line};
    if (count == 0)
        d.words = &nothing;
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].type == out->type)
            return types[i].read(&d);
    return read_any(&d);
}
