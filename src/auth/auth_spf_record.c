#include "auth_spf_record.h"
#include "auth_spf_inner.h"

enum domain_use { DOMAIN_NONE, DOMAIN_MAY, DOMAIN_MUST, DOMAIN_NETWORK };

static const struct mechanism {
    const char *name;
    enum domain_use domain;
    bool prefix; // dual-cidr-length
} mechanisms[] = {
    [AUTH_SPF_ALL] = {"all", DOMAIN_NONE, false},
    [AUTH_SPF_INCLUDE] = {"include", DOMAIN_MUST, false},
    [AUTH_SPF_A] = {"a", DOMAIN_MAY, true},
    [AUTH_SPF_MX] = {"mx", DOMAIN_MAY, true},
    [AUTH_SPF_PTR] = {"ptr", DOMAIN_MAY, false},
    [AUTH_SPF_IP4] = {"ip4", DOMAIN_NETWORK, false},
    [AUTH_SPF_IP6] = {"ip6", DOMAIN_NETWORK, false},
    [AUTH_SPF_EXISTS] = {"exists", DOMAIN_MUST, false},
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

static bool alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool auth_spf_record_is(struct span text)
{
    return span_istarts(text, SPAN("v=spf1")) && (text.len == 6 || text.at[6] == ' ');
}

// "0" or digits without a zero in front, at most `max` (§5.6).
static bool prefix_length(struct span text, unsigned max, uint8_t *out)
{
    uint64_t n;
    if ((text.len > 1 && text.at[0] == '0') || !span_number(text, max, &n))
        return false;
    *out = (uint8_t)n;
    return true;
}

// Where digits at the end begin.
static size_t digits_at_end(struct span s)
{
    size_t at = s.len;
    while (at > 0 && digit(s.at[at - 1]))
        at--;
    return at;
}

// Takes [ "/" 4 ] [ "//" 6 ] off the end. A domain-spec never ends in "/" and
// digits, so what stands there is meant as a length.
static const char *take_prefixes(struct span *s, struct auth_spf_term *t)
{
    size_t at = digits_at_end(*s);
    if (at < s->len && at >= 2 && s->at[at - 1] == '/' && s->at[at - 2] == '/') {
        if (!prefix_length(span_skip(*s, at), 128, &t->prefix6))
            return "the IPv6 prefix length is not a number from 0 to 128";
        *s = span_first(*s, at - 2);
        at = digits_at_end(*s);
    }
    if (at < s->len && at >= 1 && s->at[at - 1] == '/') {
        if (!prefix_length(span_skip(*s, at), 32, &t->prefix4))
            return "the IPv4 prefix length is not a number from 0 to 32";
        *s = span_first(*s, at - 1);
    }
    return NULL;
}

static const char *read_network(struct auth_spf_term *t, struct span s)
{
    bool v6 = t->kind == AUTH_SPF_IP6;
    struct span address = span_cut(&s, '/');
    if (!dns_address_parse(&t->network, address) || t->network.v6 != v6)
        return v6 ? "this is no IPv6 address" : "this is no IPv4 address";
    if (s.at && !prefix_length(s, v6 ? 128 : 32, v6 ? &t->prefix6 : &t->prefix4))
        return v6 ? "the prefix length is not a number from 0 to 128"
                  : "the prefix length is not a number from 0 to 32";
    return NULL;
}

static const char *read_domain(struct auth_spf_term *t, struct span s)
{
    if (!spf_domain_spec_ok(s))
        return "the domain is not well-formed";
    t->domain = s;
    return NULL;
}

// What follows the name: `s` begins with ':' or '/' or is empty.
static const char *read_argument(struct auth_spf_term *t, struct span s)
{
    const struct mechanism *m = &mechanisms[t->kind];
    const char *fault = m->prefix ? take_prefixes(&s, t) : NULL;
    if (fault)
        return fault;
    if (s.len == 0)
        return m->domain >= DOMAIN_MUST ? "the mechanism needs an argument" : NULL;
    if (s.at[0] != ':' || m->domain == DOMAIN_NONE)
        return "the mechanism takes no such argument";
    s = span_skip(s, 1);
    return m->domain == DOMAIN_NETWORK ? read_network(t, s) : read_domain(t, s);
}

static const char *read_directive(struct auth_spf_term *t, struct span s)
{
    if (s.at[0] == '+' || s.at[0] == '-' || s.at[0] == '~' || s.at[0] == '?') {
        t->qualifier = s.at[0];
        s = span_skip(s, 1);
    }
    size_t end = 0;
    while (end < s.len && s.at[end] != ':' && s.at[end] != '/')
        end++;
    for (int k = 0; k < MECHANISMS; k++) {
        if (!span_ieq(span_first(s, end), span_str(mechanisms[k].name)))
            continue;
        t->kind = (enum auth_spf_kind)k;
        return read_argument(t, span_skip(s, end));
    }
    return "there is no such mechanism";
}

// The length of a modifier's name, 0 where the term is none (§4.6.1).
static size_t modifier_name(struct span s)
{
    size_t n = 0;
    if (s.len == 0 || !alpha(s.at[0]))
        return 0;
    while (n < s.len &&
           (alpha(s.at[n]) || digit(s.at[n]) || s.at[n] == '-' || s.at[n] == '_' || s.at[n] == '.'))
        n++;
    return n < s.len && s.at[n] == '=' ? n : 0;
}

static const char *read_modifier(struct auth_spf_term *t, struct span name, struct span value)
{
    t->kind = span_ieq(name, SPAN("redirect")) ? AUTH_SPF_REDIRECT
              : span_ieq(name, SPAN("exp"))    ? AUTH_SPF_EXP
                                               : AUTH_SPF_UNKNOWN;
    if (t->kind != AUTH_SPF_UNKNOWN)
        return read_domain(t, value);
    return spf_macro_string_ok(value) ? NULL : "the modifier's value is not well-formed";
}

// NULL: read; else what is wrong with it.
static const char *read_term(struct auth_spf_term *t, struct span s)
{
    *t = (struct auth_spf_term){.qualifier = '+', .text = s, .prefix4 = 32, .prefix6 = 128};
    if (s.len > AUTH_SPF_TERM_MAX)
        return "the term is too long";
    size_t name = modifier_name(s);
    if (name > 0)
        return read_modifier(t, span_first(s, name), span_skip(s, name + 1));
    return read_directive(t, s);
}

// The next run of bytes between spaces (§4.6.1: only the space separates).
static bool cut_term(struct span *rest, struct span *out)
{
    while (rest->len > 0) {
        *out = span_cut(rest, ' ');
        if (out->len > 0)
            return true;
    }
    return false;
}

static const char *keep_modifier(struct auth_spf_record *r, const struct auth_spf_term *t)
{
    struct span *to = t->kind == AUTH_SPF_REDIRECT ? &r->redirect : &r->exp;
    if (to->len > 0)
        return "the modifier stands there more than once";
    *to = t->domain;
    if (t->kind == AUTH_SPF_REDIRECT)
        r->redirect_text = t->text;
    return NULL;
}

bool auth_spf_record_parse(struct auth_spf_record *out, struct span text, struct span *term,
                           const char **why)
{
    *out = (struct auth_spf_record){.text = text};
    *term = span_first(text, 0);
    *why = NULL;
    if (!auth_spf_record_is(text))
        *why = "it does not begin with \"v=spf1\"";
    else if (text.len > AUTH_SPF_TEXT_MAX)
        *why = "the record is too long";
    struct auth_spf_term t;
    for (struct span rest = span_skip(text, 6); !*why && cut_term(&rest, term);) {
        *why = read_term(&t, *term);
        if (!*why && (t.kind == AUTH_SPF_REDIRECT || t.kind == AUTH_SPF_EXP))
            *why = keep_modifier(out, &t);
        out->all = out->all || t.kind == AUTH_SPF_ALL;
        out->terms++;
    }
    return !*why;
}

bool auth_spf_record_next(const struct auth_spf_record *r, struct span *rest,
                          struct auth_spf_term *out)
{
    struct span text;
    if (!rest->at)
        *rest = span_skip(r->text, 6);
    if (!cut_term(rest, &text)) {
        *rest = span_skip(r->text, r->text.len);
        return false;
    }
    if (!rest->at) // that was the last: .at == NULL would mean the beginning
        *rest = span_skip(r->text, r->text.len);
    return read_term(out, text) == NULL;
}
