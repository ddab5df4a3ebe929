#include "mail_address.h"

// Each *_len below measures what its grammar rule takes from the front of `s`;
// 0: the rule does not match.

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static size_t utf8_len(struct span s, bool allowed)
{
    return allowed && (unsigned char)s.at[0] >= 0x80 ? span_utf8(s) : 0;
}

static size_t atom_len(struct span s, bool utf8)
{
    static const struct span special = {"!#$%&'*+-/=?^_`{|}~", 19}; // atext, RFC 5322 §3.2.3
    size_t n = 0;
    while (n < s.len) {
        bool plain = alnum(s.at[n]) || span_index(special, s.at[n]) < special.len;
        size_t step = plain ? 1 : utf8_len(span_skip(s, n), utf8);
        if (step == 0)
            break;
        n += step;
    }
    return n;
}

static size_t dot_string_len(struct span s, bool utf8)
{
    size_t n = 0;
    for (;;) {
        size_t atom = atom_len(span_skip(s, n), utf8);
        if (atom == 0)
            return 0;
        n += atom;
        if (n == s.len || s.at[n] != '.')
            return n;
        n++;
    }
}

static bool printable(char c)
{
    return c >= ' ' && c <= '~';
}

// Quoted-string: qtextSMTP and quoted-pairSMTP. RFC 6531 §3.3 adds UTF-8 to the
// first, not to the second.
static size_t quoted_len(struct span s, bool utf8)
{
    size_t n = 1;
    while (n < s.len && s.at[n] != '"') {
        bool pair = s.at[n] == '\\';
        n += pair;
        if (n == s.len)
            return 0;
        size_t step = printable(s.at[n]) ? 1 : utf8_len(span_skip(s, n), utf8 && !pair);
        if (step == 0)
            return 0;
        n += step;
    }
    return n < s.len ? n + 1 : 0;
}

static size_t local_len(struct span s, bool utf8)
{
    size_t n = s.len && s.at[0] == '"' ? quoted_len(s, utf8) : dot_string_len(s, utf8);
    return n <= MAIL_LOCAL_MAX ? n : 0;
}

static size_t domain_len(struct span s, bool utf8)
{
    size_t n = 0;
    while (n < s.len) {
        bool plain = alnum(s.at[n]) || s.at[n] == '-' || s.at[n] == '.';
        size_t step = plain ? 1 : utf8_len(span_skip(s, n), utf8);
        if (step == 0)
            break;
        n += step;
    }
    return n;
}

// sub-domain is Let-dig [Ldh-str]: no hyphen at either end of a label.
static bool labels_end_well(struct span name)
{
    while (name.at) {
        struct span label = span_cut(&name, '.');
        if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
            return false;
    }
    return true;
}

static bool domain_parse(struct dns_name *out, struct span text)
{
    // dns_name takes an absolute name; a mail domain has no dot at its end.
    return text.len && !span_ends(text, SPAN(".")) && dns_name_parse_host(out, text) &&
           labels_end_well(dns_name_span(out));
}

static bool ipv4_literal(struct span s)
{
    uint64_t part;
    for (unsigned dots = 0; dots < 4; dots++) {
        bool last = dots == 3;
        struct span digits = last ? s : span_cut(&s, '.');
        if (digits.len > 3 || !span_number(digits, 255, &part))
            return false;
    }
    return true;
}

static bool hex_group(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (span_index(SPAN("0123456789abcdefABCDEF"), s.at[i]) == 22)
            return false;
    return s.len >= 1 && s.len <= 4;
}

// Groups between colons, an IPv4 address as the last counting for two. -1: bad.
static int ipv6_groups(struct span s, bool v4_at_end)
{
    int n = 0;
    while (s.at && s.len) {
        struct span group = span_cut(&s, ':');
        bool last = s.at == NULL;
        if (hex_group(group))
            n++;
        else if (last && v4_at_end && ipv4_literal(group))
            n += 2;
        else
            return -1;
        if (!last && s.len == 0)
            return -1;
    }
    return n;
}

// IPv6-addr, RFC 5321 §4.1.3: "::" stands for at least two groups, once.
static bool ipv6_literal(struct span s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.at[i] != ':' || s.at[i + 1] != ':')
            continue;
        int before = ipv6_groups(span_first(s, i), false);
        int after = ipv6_groups(span_skip(s, i + 2), true);
        return before >= 0 && after >= 0 && before + after <= 6;
    }
    return ipv6_groups(s, true) == 8;
}

// Length with its brackets. Tags other than IPv6 have never been registered.
static size_t literal_len(struct span s)
{
    size_t end = span_index(s, ']');
    if (end == s.len)
        return 0;
    struct span inside = span_skip(span_first(s, end), 1);
    bool v6 = span_istarts(inside, SPAN("IPv6:"));
    return (v6 ? ipv6_literal(span_skip(inside, 5)) : ipv4_literal(inside)) ? end + 1 : 0;
}

// One piece of memory for local part and domain, within the length of a path.
static bool text_keep(struct mail_address *out, struct span local, struct span domain,
                      struct arena *a)
{
    size_t len = local.len + 1 + domain.len;
    if (len + 2 > MAIL_PATH_MAX)
        return false;
    char *at = arena_alloc(a, len + 1);
    if (!at || !span_copy(at, local.len + 1, local) ||
        !span_copy(at + local.len + 1, domain.len + 1, domain))
        return false;
    at[local.len] = '@';
    out->text = (struct span){at, len};
    out->local = span_first(out->text, local.len);
    return true;
}

static bool mailbox_literal(struct mail_address *out, struct span local, struct span literal,
                            struct arena *a)
{
    out->kind = MAIL_LITERAL;
    if (literal.len == 0 || !text_keep(out, local, literal, a))
        return false;
    out->literal = span_first(span_skip(out->text, local.len + 2), literal.len - 2);
    return true;
}

static bool mailbox_domain(struct mail_address *out, struct span local, struct span domain,
                           struct arena *a)
{
    out->kind = MAIL_DOMAIN;
    return domain_parse(&out->domain, domain) &&
           text_keep(out, local, dns_name_span(&out->domain), a);
}

static bool mailbox_bare(struct mail_address *out, struct span local, struct arena *a)
{
    *out = (struct mail_address){.kind = MAIL_BARE, .text = arena_dup(a, local)};
    out->local = out->text;
    return out->text.at && span_ieq(local, SPAN("postmaster"));
}

static bool mailbox_parse(struct mail_address *out, struct span *in, bool utf8, struct arena *a)
{
    size_t n = local_len(*in, utf8);
    if (n == 0)
        return false;
    struct span local = span_first(*in, n), rest = span_skip(*in, n);
    *out = (struct mail_address){0};
    if (rest.len == 0 || rest.at[0] != '@') {
        *in = rest;
        return mailbox_bare(out, local, a);
    }
    rest = span_skip(rest, 1);
    bool literal = rest.len && rest.at[0] == '[';
    struct span domain = span_first(rest, literal ? literal_len(rest) : domain_len(rest, utf8));
    *in = span_skip(rest, domain.len);
    return literal ? mailbox_literal(out, local, domain, a) : mailbox_domain(out, local, domain, a);
}

// A-d-l ":", RFC 5321 §4.1.2: must be accepted, should be ignored (appendix C).
static bool route_skip(struct span *in, bool utf8)
{
    struct dns_name host;
    char behind = ',';
    while (behind == ',') {
        if (!span_starts(*in, SPAN("@")))
            return false;
        *in = span_skip(*in, 1);
        size_t n = domain_len(*in, utf8);
        if (n == in->len || !domain_parse(&host, span_first(*in, n)))
            return false;
        behind = in->at[n];
        *in = span_skip(*in, n + 1);
    }
    return behind == ':';
}

bool mail_path_parse(struct mail_address *out, struct span *in, bool utf8, struct arena *a)
{
    if (span_starts(*in, SPAN("<>"))) {
        *out = (struct mail_address){.kind = MAIL_NULL};
        *in = span_skip(*in, 2);
        return true;
    }
    // A path cannot be longer; that of what follows it is none of our business.
    struct span rest = span_first(*in, MAIL_PATH_MAX);
    if (!span_starts(rest, SPAN("<")))
        return false;
    rest = span_skip(rest, 1);
    if (span_starts(rest, SPAN("@")) && !route_skip(&rest, utf8))
        return false;
    if (!mailbox_parse(out, &rest, utf8, a) || !span_starts(rest, SPAN(">")))
        return false;
    *in = span_skip(*in, (size_t)(rest.at + 1 - in->at));
    return true;
}

bool mail_address_parse(struct mail_address *out, struct span text, bool utf8, struct arena *a)
{
    if (text.len == 0) {
        *out = (struct mail_address){.kind = MAIL_NULL};
        return true;
    }
    return mailbox_parse(out, &text, utf8, a) && text.len == 0;
}
