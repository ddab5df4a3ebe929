#include "report_rua.h"

#include "base_code.h"
#include "mail_address.h"
#include "report_https.h"

static void drop(struct report_rua *out, const char *why)
{
    out->state = REPORT_RUA_DROP;
    out->why = why;
}

// RFC 3986 §2.1; what is no pair of hex digits makes it no URI.
static bool percent_undo(struct buf *b, struct span s)
{
    while (s.len) {
        size_t run = span_index(s, '%');
        buf_put(b, span_first(s, run));
        s = span_skip(s, run);
        if (!s.len)
            break;
        if (s.len < 3 || !code_get_hex(b, span_first(span_skip(s, 1), 2)))
            return false;
        s = span_skip(s, 3);
    }
    return rc_ok(buf_state(b));
}

static bool address_add(struct report_rua *out, struct span plain, struct arena *a)
{
    struct mail_address address;
    if (!mail_address_parse(&address, plain, false, a) || address.kind != MAIL_DOMAIN)
        return false;
    if (!out->to_count)
        out->host = address.domain;
    out->one_domain = out->one_domain && dns_name_eq(&out->host, &address.domain);
    out->to[out->to_count++] = address.text;
    return true;
}

// An address; or several, since in a record the comma between them must be encoded (RFC 8460 §3).
static bool addresses_add(struct report_rua *out, struct span text, struct arena *a)
{
    CLEANUP(buf_free) struct buf plain = BUF(REPORT_URI_MAX);
    if (!percent_undo(&plain, text))
        return false;
    struct span list = buf_span(&plain);
    if (address_add(out, list, a))
        return true;
    if (span_index(list, ',') == list.len)
        return false;
    while (list.at && out->to_count < REPORT_RUA_TO_MAX)
        if (!address_add(out, span_cut(&list, ','), a))
            return false;
    return true;
}

// RFC 6068 §2: addresses, then header fields, which are not wanted here.
static bool mailto_read(struct report_rua *out, struct span list, struct arena *a)
{
    list = span_first(list, span_index(list, '?'));
    out->one_domain = true;
    while (list.at && out->to_count < REPORT_RUA_TO_MAX)
        if (!addresses_add(out, span_cut(&list, ','), a))
            return false;
    return out->to_count > 0;
}

static bool uri_keep(struct report_rua *out, struct span uri, struct arena *a)
{
    *out = (struct report_rua){.uri = arena_dup(a, uri)};
    if (!out->uri.at)
        drop(out, "there is no room for it");
    else if (!report_is_uri_text(uri))
        drop(out, "it is no URI");
    return out->state != REPORT_RUA_DROP;
}

void report_rua_tls(struct report_rua *out, struct span uri, struct arena *a)
{
    struct report_https https;
    uri = span_trim(uri);
    if (!uri_keep(out, uri, a))
        return;
    if (span_istarts(uri, SPAN("mailto:"))) {
        if (!mailto_read(out, span_skip(uri, 7), a))
            drop(out, "its address is none that mail can be sent to");
    } else if (!span_istarts(uri, SPAN("https://")))
        drop(out, "it is neither mailto nor https");
    else if (!report_https_parse(&https, uri))
        drop(out, "its host is none");
    else {
        out->https = true;
        out->host = https.host;
    }
}

// RFC 7489 §6.2: "!", a number, and "k", "m", "g" or "t".
static bool size_cut(struct span *uri, uint64_t *size)
{
    size_t mark = span_index(*uri, '!'), unit = 4;
    struct span text = span_skip(*uri, mark + 1);
    if (mark == uri->len)
        return true;
    if (text.len)
        unit = span_index(SPAN("kmgt"), (char)(text.at[text.len - 1] | 0x20));
    unsigned shift = unit < 4 ? 10 * ((unsigned)unit + 1) : 0;
    uri->len = mark;
    if (!span_number(span_first(text, text.len - (shift > 0)), UINT64_MAX >> shift, size))
        return false;
    *size <<= shift;
    return true;
}

static bool is_within(const struct dns_name *name, const struct dns_name *above)
{
    struct span n = dns_name_span(name), a = dns_name_span(above);
    return dns_name_eq(name, above) ||
           (span_ends(n, a) && n.len > a.len && n.at[n.len - a.len - 1] == '.');
}

// RFC 9990 §4 steps 2 to 4.
static void question_make(struct report_rua *out, const struct dns_name *policy_domain)
{
    CLEANUP(buf_free) struct buf labels = BUF(512);
    buf_printf(&labels, "%s._report._dmarc.", policy_domain->text);
    out->question.type = DNS_TXT;
    if (dns_name_prepend(&out->question.name, buf_span(&labels), &out->host))
        out->state = REPORT_RUA_ASK;
    else
        drop(out, "the name to be asked for its agreement is too long (RFC 9990 section 4)");
}

static bool dmarc_read(struct report_rua *out, struct span uri, struct arena *a)
{
    uint64_t size = 0;
    uri = span_trim(uri);
    bool sized = size_cut(&uri, &size);
    if (!uri_keep(out, uri, a))
        return false;
    out->size_max = size;
    if (!sized)
        drop(out, "its size limit is no number");
    else if (!span_istarts(uri, SPAN("mailto:")))
        drop(out, "it is not mailto");
    else if (!mailto_read(out, span_skip(uri, 7), a))
        drop(out, "its address is none that mail can be sent to");
    else if (!out->one_domain)
        drop(out, "its addresses are of several domains");
    return out->state != REPORT_RUA_DROP;
}

void report_rua_dmarc(struct report_rua *out, struct span uri, const struct dns_name *policy_domain,
                      const struct dns_name *organization, struct arena *a)
{
    bool known = !dns_name_is_root(organization);
    if (dmarc_read(out, uri, a) && !is_within(&out->host, known ? organization : policy_domain))
        question_make(out, policy_domain);
}

// "v=DMARC1" first (RFC 9990 §4 step 6); *rest is what follows.
static bool is_agreement(struct span text, struct span *rest)
{
    *rest = text;
    struct span first = span_cut(rest, ';'), value = first;
    struct span tag = span_trim(span_cut(&value, '='));
    return value.at && span_ieq(tag, SPAN("v")) && span_eq(span_trim(value), SPAN("DMARC1"));
}

static struct span tag_find(struct span tags, struct span name)
{
    while (tags.at) {
        struct span value = span_cut(&tags, ';'), tag = span_trim(span_cut(&value, '='));
        if (value.at && span_ieq(tag, name))
            return span_trim(value);
    }
    return (struct span){NULL, 0};
}

// Step 9: the first URI that stands there, at the host that was asked.
static void replace(struct report_rua *rua, struct span list, struct arena *a)
{
    struct report_rua other;
    struct dns_name host = rua->host;
    uint64_t size = rua->size_max;
    if (!dmarc_read(&other, span_cut(&list, ','), a))
        return; // not one that could be used: the first one stays
    *rua = other;
    rua->size_max = rua->size_max ? rua->size_max : size;
    if (!dns_name_eq(&rua->host, &host))
        drop(rua, "its host names another host instead (RFC 9990 section 4, step 9)");
}

void report_rua_answer(struct report_rua *rua, const struct dns_answer *txt, struct arena *a)
{
    if (rua->state != REPORT_RUA_ASK && rua->state != REPORT_RUA_LATER)
        return;
    if (txt->presence == DNS_NO_ANSWER) {
        rua->state = REPORT_RUA_LATER;
        rua->why = "whether its host agrees could not be found out";
        return;
    }
    drop(rua, "its host has not agreed to receive reports about this domain (RFC 9990 section 4)");
    for (size_t i = 0; i < txt->count; i++) {
        struct span tags, list;
        if (!is_agreement(txt->records[i].data, &tags))
            continue;
        rua->state = REPORT_RUA_SEND;
        rua->why = NULL;
        if ((list = tag_find(tags, SPAN("rua"))).at)
            replace(rua, list, a);
        return;
    }
}

bool report_rua_fits(const struct report_rua *rua, uint64_t size)
{
    return !rua->size_max || size <= rua->size_max;
}
