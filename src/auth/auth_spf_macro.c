// Macro strings (RFC 7208 §7). Every value and every result is bounded before it
// is written; a name that grows too long loses labels on its left, and is never
// held longer than a little more than a name may be.
#include "auth_spf_inner.h"

enum {
    NAME_MAX_TEXT = 253,
    TAIL_HIGH = 4096, // an expansion to a name is cut back to TAIL_LOW past this
    TAIL_LOW = 1024,
    VALUE_MAX = 1024, // of one macro: a sender at most
    PARTS_MAX = VALUE_MAX + 1,
};

struct macro {
    char letter; // lower case; or '%', '_', '-' for "%%", "%_", "%-"
    bool escape; // was upper case
    bool reverse, split;
    unsigned parts; // right-hand parts to keep; 0: all
    struct span delimiters;
};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_in(char c, const char *set)
{
    struct span s = span_str(set);
    return span_index(s, c) < s.len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static char front(struct span s)
{
    return s.len ? s.at[0] : '\0';
}

// *DIGIT; a value of zero is an error (§7.3). More parts than there can be is
// all of them.
static bool read_parts(struct span *s, struct macro *m)
{
    bool given = digit(front(*s));
    while (digit(front(*s))) {
        m->parts = m->parts * 10 + (unsigned)(s->at[0] - '0');
        if (m->parts > PARTS_MAX)
            m->parts = PARTS_MAX;
        *s = span_skip(*s, 1);
    }
    m->split = m->split || given;
    return !given || m->parts > 0;
}

// Behind "%{": letter, transformers, delimiters, "}".
static bool read_braced(struct span *s, struct macro *m)
{
    m->letter = lower(front(*s));
    m->escape = m->letter != front(*s);
    *s = span_skip(*s, 1);
    if (!read_parts(s, m))
        return false;
    if (lower(front(*s)) == 'r') {
        m->reverse = m->split = true;
        *s = span_skip(*s, 1);
    }
    size_t n = 0;
    while (n < s->len && is_in(s->at[n], ".-+,/_="))
        n++;
    m->delimiters = span_first(*s, n);
    m->split = m->split || n > 0;
    *s = span_skip(*s, n);
    bool closed = front(*s) == '}';
    *s = span_skip(*s, 1);
    return closed;
}

// *s begins with '%'; moves behind the macro. False: not well-formed.
static bool read_macro(struct span *s, struct macro *m, const char *letters)
{
    *m = (struct macro){0};
    *s = span_skip(*s, 1);
    char c = front(*s);
    *s = span_skip(*s, 1);
    if (c == '{')
        return read_braced(s, m) && m->letter && is_in(m->letter, letters);
    m->letter = c;
    return c && is_in(c, "%_-");
}

static const char letters_name[] = "slodipvh", letters_text[] = "slodipvhcrt";

// *tail: what stands behind the last macro.
static bool string_ok(struct span s, const char *letters, bool spaces, struct span *tail)
{
    struct macro m;
    *tail = s;
    while (s.len) {
        char c = s.at[0];
        if (c == '%') {
            if (!read_macro(&s, &m, letters))
                return false;
            *tail = s;
            continue;
        }
        if ((c < 0x21 || c > 0x7e) && !(spaces && c == ' '))
            return false;
        s = span_skip(s, 1);
    }
    return true;
}

bool spf_macro_string_ok(struct span text)
{
    struct span tail;
    return string_ok(text, letters_name, false, &tail);
}

bool auth_spf_explain_ok(struct span text)
{
    struct span tail;
    return string_ok(text, letters_text, true, &tail);
}

bool spf_uses_ptr(struct span text)
{
    struct macro m;
    while (text.len) {
        if (text.at[0] != '%')
            text = span_skip(text, 1);
        else if (!read_macro(&text, &m, letters_text) || m.letter == 'p')
            return true;
    }
    return false;
}

// Letters and digits with at least one letter, or with a hyphen inside.
static bool toplabel_ok(struct span s)
{
    bool numeric = true;
    for (size_t i = 0; i < s.len; i++) {
        char c = lower(s.at[i]);
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && !digit(c) && (c != '-' || i == 0 || i + 1 == s.len))
            return false;
        numeric = numeric && digit(c);
    }
    return s.len > 0 && !numeric;
}

bool spf_domain_spec_ok(struct span text)
{
    struct span tail;
    if (text.len == 0 || !string_ok(text, letters_name, false, &tail))
        return false;
    if (tail.len == 0)
        return true;
    if (tail.at[tail.len - 1] == '.')
        tail = span_first(tail, tail.len - 1);
    size_t dot = tail.len;
    while (dot > 0 && tail.at[dot - 1] != '.')
        dot--;
    return dot > 0 && toplabel_ok(span_skip(tail, dot));
}

// --- values

static void put_address(struct buf *b, const struct dns_address *a)
{
    if (!a->v6) {
        dns_address_put(b, a);
        return;
    }
    for (size_t i = 0; i < 16; i++)
        buf_printf(b, "%s%x.%x", i ? "." : "", a->at[i] >> 4, a->at[i] & 15u);
}

static enum spf_state put_validated(struct spf_run *run, const struct dns_name *domain,
                                    struct buf *b)
{
    struct spf_names names;
    if (spf_validated(run, &names) == SPF_PENDING)
        return SPF_PENDING;
    const struct dns_name *best = names.count ? names.at[0] : NULL;
    for (size_t i = 0; i < names.count; i++) {
        bool same = dns_name_eq(names.at[i], domain), held = dns_name_eq(best, domain);
        if (same || (!held && !spf_is_within(best, domain) && spf_is_within(names.at[i], domain)))
            best = names.at[i];
    }
    buf_put(b, best ? dns_name_span(best) : SPAN("unknown"));
    return SPF_MATCH;
}

static void put_sender(struct spf_run *run, char letter, struct buf *b)
{
    if (letter != 'o')
        buf_put(b, run->side->local);
    if (letter == 's')
        buf_putc(b, '@');
    if (letter != 'l')
        buf_put(b, dns_name_span(&run->side->check.domain));
}

static enum spf_state put_value(struct spf_run *run, const struct dns_name *domain, char letter,
                                struct buf *b)
{
    const struct auth_spf_request *r = &run->spf->r;
    if (is_in(letter, "slo"))
        put_sender(run, letter, b);
    else if (letter == 'd')
        buf_put(b, dns_name_span(domain));
    else if (letter == 'i')
        put_address(b, &r->client);
    else if (letter == 'p')
        return put_validated(run, domain, b);
    else if (letter == 'v')
        buf_put(b, r->client.v6 ? SPAN("ip6") : SPAN("in-addr"));
    else if (letter == 'h')
        buf_put(b, r->helo);
    else if (letter == 'c')
        dns_address_put(b, &r->client);
    else if (letter == 'r')
        buf_put(b, r->receiver.len ? dns_name_span(&r->receiver) : SPAN("unknown"));
    else if (letter == 't')
        buf_printf(b, "%lld", (long long)(r->now.us / US_PER_S));
    return SPF_MATCH;
}

// --- transformers

static size_t split(struct span value, struct span delimiters, struct span parts[PARTS_MAX])
{
    size_t n = 0, from = 0;
    if (delimiters.len == 0)
        delimiters = SPAN(".");
    for (size_t i = 0; i <= value.len; i++) {
        if (i < value.len && span_index(delimiters, value.at[i]) == delimiters.len)
            continue;
        parts[n++] = (struct span){value.at + from, i - from};
        from = i + 1;
    }
    return n;
}

static void put_escaped(struct buf *b, struct span s, bool escape)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = lower(s.at[i]);
        bool unreserved = (c >= 'a' && c <= 'z') || digit(c) || is_in(c, "-._~");
        if (!escape || (c && unreserved)) // RFC 3986 §2.3
            buf_putc(b, s.at[i]);
        else {
            unsigned byte = (unsigned char)s.at[i];
            buf_putc(b, '%');
            buf_putc(b, "0123456789ABCDEF"[byte >> 4]);
            buf_putc(b, "0123456789ABCDEF"[byte & 15]);
        }
    }
}

static void put_parts(struct buf *out, const struct macro *m, struct span value)
{
    struct span parts[PARTS_MAX];
    size_t n = split(value, m->delimiters, parts);
    size_t keep = m->parts && m->parts < n ? m->parts : n;
    for (size_t i = n - keep; i < n; i++) {
        if (i > n - keep)
            buf_putc(out, '.');
        put_escaped(out, parts[m->reverse ? n - 1 - i : i], m->escape);
    }
}

static enum spf_state put_macro(struct spf_run *run, const struct dns_name *domain,
                                const struct macro *m, struct buf *out)
{
    CLEANUP(buf_free) struct buf value = BUF(VALUE_MAX);
    if (m->letter == '%' || m->letter == '_') {
        buf_putc(out, m->letter == '%' ? '%' : ' ');
        return SPF_MATCH;
    }
    if (m->letter == '-') {
        buf_put(out, SPAN("%20"));
        return SPF_MATCH;
    }
    enum spf_state state = put_value(run, domain, m->letter, &value);
    if (state != SPF_MATCH)
        return state;
    if (!rc_ok(buf_state(&value))) // sender and HELO were bounded when they came
        return spf_error(run, AUTH_PERMERROR, "a macro's value is too long");
    if (m->split)
        put_parts(out, m, buf_span(&value));
    else
        put_escaped(out, buf_span(&value), m->escape);
    return SPF_MATCH;
}

// Only the right end of a name counts: what is far to the left is forgotten.
static void forget_left(struct buf *b)
{
    if (b->len > TAIL_HIGH)
        buf_consume(b, b->len - TAIL_LOW);
}

// RFC 7208 §7.3: whole labels go from the left until it fits.
static struct span fit(struct span s)
{
    size_t most = span_ends(s, SPAN(".")) ? NAME_MAX_TEXT + 1 : NAME_MAX_TEXT;
    while (s.len > most)
        s = span_skip(s, span_index(s, '.') + 1);
    return s;
}

enum spf_state spf_expand_name(struct spf_run *run, const struct dns_name *domain, struct span text,
                               struct dns_name *out)
{
    CLEANUP(buf_free) struct buf b = BUF(TAIL_HIGH + 3 * VALUE_MAX + 8);
    struct macro m;
    bool never = false;
    while (text.len) {
        if (text.at[0] != '%') {
            buf_putc(&b, text.at[0]);
            text = span_skip(text, 1);
        } else {
            if (!read_macro(&text, &m, letters_name))
                return spf_error(run, AUTH_PERMERROR, "a macro is not well-formed");
            enum spf_state state = put_macro(run, domain, &m, &b);
            if (state != SPF_MATCH)
                return state;
            never = never || (is_in(m.letter, "sl") && !run->side->local_ascii);
        }
        forget_left(&b);
    }
    struct span name = fit(buf_span(&b));
    if (never || !rc_ok(buf_state(&b)) || !span_is_ascii(name) || !dns_name_parse(out, name) ||
        dns_name_is_root(out))
        return SPF_NO_MATCH;
    return SPF_MATCH;
}

enum spf_state spf_expand_text(struct spf_run *run, const struct dns_name *domain, struct span text,
                               struct buf *out)
{
    CLEANUP(buf_free) struct buf b = BUF(2 * TAIL_HIGH + 3 * VALUE_MAX);
    struct macro m;
    while (text.len && b.len < TAIL_HIGH) {
        if (text.at[0] != '%') {
            buf_putc(&b, text.at[0]);
            text = span_skip(text, 1);
            continue;
        }
        if (!read_macro(&text, &m, letters_text))
            return SPF_NO_MATCH;
        enum spf_state state = put_macro(run, domain, &m, &b);
        if (state != SPF_MATCH)
            return state;
    }
    // What the client brought in need not be printable: the reply must be.
    struct span all = buf_span(&b);
    for (size_t i = 0; i < all.len && out->len < out->max; i++)
        buf_putc(out, all.at[i] >= ' ' && all.at[i] <= '~' ? all.at[i] : '?');
    return SPF_MATCH;
}
