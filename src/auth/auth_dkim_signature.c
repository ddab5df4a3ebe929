#include "auth_dkim_record.h"

enum { ARC_INSTANCE_MAX = 50 };

struct reading {
    struct auth_dkim_signature *out;
    const struct auth_tags *tags;
    struct arena *arena;
};

static const char *read_version(struct reading *r, struct span v)
{
    (void)r;
    return span_eq(v, SPAN("1")) ? NULL : "version is not 1";
}

static const char *read_algorithm(struct reading *r, struct span v)
{
    if (span_ieq(v, SPAN("rsa-sha1")))
        return "rsa-sha1 is historic"; // RFC 8301 §3.1: permanently failed
    if (span_ieq(v, SPAN("rsa-sha256")))
        r->out->algorithm = CRYPTO_RSA_SHA256;
    else if (span_ieq(v, SPAN("ed25519-sha256")))
        r->out->algorithm = CRYPTO_ED25519_SHA256;
    else
        return "unknown algorithm";
    return NULL;
}

static struct span decode(struct reading *r, struct span v)
{
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    return auth_base64_read(&b, v) && b.len ? arena_dup(r->arena, buf_span(&b)) : (struct span){0};
}

static const char *read_signature(struct reading *r, struct span v)
{
    r->out->signature = decode(r, v);
    if (v.len == 0)
        return "b= is empty";
    return r->out->signature.at ? NULL : "b= is no base64";
}

static const char *read_body_hash(struct reading *r, struct span v)
{
    struct span hash = decode(r, v);
    if (hash.len != sizeof r->out->body_hash.at)
        return "bh= is no SHA-256 hash";
    span_bytes(r->out->body_hash.at, sizeof r->out->body_hash.at, hash);
    return NULL;
}

static bool canon_is(struct span s, enum auth_canon *out)
{
    *out = span_ieq(s, SPAN("relaxed")) ? AUTH_CANON_RELAXED : AUTH_CANON_SIMPLE;
    return span_ieq(s, span_str(auth_canon_text(*out)));
}

// RFC 6376 §3.5: simple/simple by default; one word alone is the header's.
static const char *read_canon(struct reading *r, struct span v)
{
    struct span body = v, header = span_cut(&body, '/');
    bool fits = canon_is(auth_fws_trim(header), &r->out->header) &&
                (!body.at || canon_is(auth_fws_trim(body), &r->out->body));
    return fits ? NULL : "unknown canonicalization";
}

// Not more than the grammar of §3.5: two labels at least, and no dot at the end.
static const char *read_domain(struct reading *r, struct span v)
{
    bool fits = !span_ends(v, SPAN(".")) && dns_name_parse(&r->out->domain, v) &&
                span_index(dns_name_span(&r->out->domain), '.') < r->out->domain.len;
    return fits ? NULL : "d= is no domain name";
}

static const char *read_selector(struct reading *r, struct span v)
{
    bool fits = !span_ends(v, SPAN(".")) && dns_name_parse(&r->out->selector, v);
    return fits ? NULL : "s= is no selector";
}

static bool header_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~')
            return false;
    return s.len > 0;
}

static const char *read_headers(struct reading *r, struct span v)
{
    size_t count = 0;
    r->out->headers = v;
    for (struct span rest = v; rest.at; count++)
        if (!header_name(auth_list_next(&rest, ':')))
            return "h= is no list of header fields";
    if (count > AUTH_DKIM_NAMES_MAX)
        return "too many names in h=";
    return auth_list_has(v, ':', SPAN("From")) ? NULL : "h= does not name From";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// dkim-quoted-printable (RFC 6376 §2.11).
static bool unquote(struct buf *out, struct span v)
{
    for (size_t i = 0; i < v.len; i++) {
        int high = v.at[i] == '=' && i + 2 < v.len ? hex(v.at[i + 1]) : -1;
        int low = high >= 0 ? hex(v.at[i + 2]) : -1;
        if (auth_fws(v.at[i]))
            continue;
        if (v.at[i] == '=' && low < 0)
            return false;
        buf_putc(out, (char)(low < 0 ? v.at[i] : high << 4 | low));
        i += low < 0 ? 0 : 2;
    }
    return rc_ok(buf_state(out));
}

static bool within(const struct dns_name *name, const struct dns_name *parent)
{
    struct span n = dns_name_span(name), p = dns_name_span(parent);
    return span_ends(n, p) && (n.len == p.len || n.at[n.len - p.len - 1] == '.');
}

static const char *read_identity(struct reading *r, struct span v)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    struct auth_dkim_signature *s = r->out;
    bool fits = unquote(&b, v);
    size_t at = b.len;
    while (at && b.at[at - 1] != '@')
        at--;
    if (!fits || !at || !dns_name_parse(&s->identity_domain, span_skip(buf_span(&b), at)))
        return "i= is no identity";
    s->identity = arena_dup(r->arena, buf_span(&b));
    return within(&s->identity_domain, &s->domain) ? NULL : "i= is not within d=";
}

static const char *read_instance(struct reading *r, struct span v)
{
    uint64_t n = 0;
    bool fits = span_number(v, ARC_INSTANCE_MAX, &n) && n > 0;
    r->out->instance = (unsigned)n;
    return fits ? NULL : "i= is no instance";
}

// All digits; a number beyond what can be is as large as can be.
static bool digits(struct span v, size_t most, uint64_t *out)
{
    if (v.len == 0 || v.len > most)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.at[i] < '0' || v.at[i] > '9')
            return false;
    if (!span_number(v, INT64_MAX, out))
        *out = INT64_MAX;
    return true;
}

static const char *read_length(struct reading *r, struct span v)
{
    r->out->limited = true;
    return digits(v, 76, &r->out->length) ? NULL : "l= is no number";
}

static const char *read_method(struct reading *r, struct span v)
{
    (void)r;
    return auth_list_has(v, ':', SPAN("dns/txt")) ? NULL : "unknown query method";
}

static const char *read_time(struct reading *r, struct span v)
{
    uint64_t n = 0;
    r->out->timed = digits(v, 76, &n);
    r->out->time = (int64_t)n;
    return r->out->timed ? NULL : "t= is no time";
}

static const char *read_expiry(struct reading *r, struct span v)
{
    uint64_t n = 0;
    r->out->expires = digits(v, 76, &n);
    r->out->expiry = (int64_t)n;
    if (!r->out->expires)
        return "x= is no time";
    return r->out->timed && r->out->expiry <= r->out->time ? "x= is not after t=" : NULL;
}

enum { MUST = 1, ARC_TOO = 2, ARC_ONLY = 4 };

// In an order in which each finds what it needs; the domain early, so that a
// fault of another tag can be told with it.
static const struct {
    struct span name;
    unsigned flags;
    const char *(*read)(struct reading *r, struct span value);
    const char *missing;
} tags[] = {
    {{"d", 1}, MUST | ARC_TOO, read_domain, "d= is missing"},
    {{"s", 1}, MUST | ARC_TOO, read_selector, "s= is missing"},
    {{"v", 1}, MUST, read_version, "v= is missing"},
    {{"a", 1}, MUST | ARC_TOO, read_algorithm, "a= is missing"},
    {{"b", 1}, MUST | ARC_TOO, read_signature, "b= is missing"},
    {{"bh", 2}, MUST | ARC_TOO, read_body_hash, "bh= is missing"},
    {{"c", 1}, ARC_TOO, read_canon, NULL},
    {{"h", 1}, MUST | ARC_TOO, read_headers, "h= is missing"},
    {{"i", 1}, 0, read_identity, NULL},
    {{"i", 1}, MUST | ARC_ONLY, read_instance, "i= is missing"},
    {{"l", 1}, ARC_TOO, read_length, NULL},
    {{"q", 1}, ARC_TOO, read_method, NULL},
    {{"t", 1}, ARC_TOO, read_time, NULL},
    {{"x", 1}, ARC_TOO, read_expiry, NULL},
};

static const char *read_tag(struct reading *r, size_t i, enum auth_dkim_form form)
{
    bool arc = form == AUTH_ARC_SIGNATURE;
    if (arc ? !(tags[i].flags & (ARC_TOO | ARC_ONLY)) : (tags[i].flags & ARC_ONLY))
        return NULL;
    struct span v = auth_tags_get(r->tags, tags[i].name);
    if (!v.at)
        return tags[i].flags & MUST ? tags[i].missing : NULL;
    return tags[i].read(r, v);
}

static void default_identity(struct auth_dkim_signature *s, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(300);
    buf_putc(&b, '@');
    buf_put(&b, dns_name_span(&s->domain));
    s->identity = arena_dup(a, buf_span(&b));
    s->identity_domain = s->domain;
}

const char *auth_dkim_signature_read(struct auth_dkim_signature *out, struct span value,
                                     enum auth_dkim_form form, struct arena *a)
{
    struct auth_tags list;
    struct reading r = {out, &list, a};
    *out = (struct auth_dkim_signature){.header = AUTH_CANON_SIMPLE, .body = AUTH_CANON_SIMPLE};
    if (value.len > AUTH_DKIM_FIELD_MAX)
        return "the signature is too long";
    if (!auth_tags_read(&list, value))
        return "the signature is no list of tags";
    const char *fault = NULL;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0] && !fault; i++)
        fault = read_tag(&r, i, form);
    for (size_t i = 0; i < list.count; i++)
        if (span_eq(list.at[i].name, SPAN("b")))
            out->b_text = list.at[i].raw;
    if (!fault && !out->identity.at)
        default_identity(out, a);
    return fault;
}
