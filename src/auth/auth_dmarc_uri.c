#include "auth_dmarc_uri.h"

#include "base_code.h"
#include "mail_address.h"

enum { LIST_MAX = 4 << 10 };

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 3986 §3.1
static bool is_scheme(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!is_alpha(c) && (i == 0 || !((c >= '0' && c <= '9') || span_index(SPAN("+-."), c) < 3)))
            return false;
    }
    return s.len > 0;
}

static bool is_uri_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || span_index(SPAN("<>\"\\^`{|}!"), s.at[i]) < 10)
            return false;
    return s.len > 0;
}

static const struct {
    char unit;
    unsigned shift;
} units[] = {{'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}};

// "10m", RFC 7489 §6.4: 2^10 a step.
static bool size_parse(struct span s, uint64_t *out)
{
    uint64_t n = 0;
    unsigned shift = 0;
    for (size_t i = 0; s.len > 0 && i < sizeof units / sizeof *units; i++)
        if ((s.at[s.len - 1] | 0x20) == units[i].unit)
            shift = units[i].shift;
    if (!span_number(shift ? span_first(s, s.len - 1) : s, UINT64_MAX >> shift, &n))
        return false;
    *out = n << shift;
    return true;
}

// RFC 3986 §2.1
static bool percent_decode(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '%')
            buf_putc(b, s.at[i]);
        else if (!code_get_hex(b, span_first(span_skip(s, i + 1), 2)) || i + 2 >= s.len)
            return false;
        else
            i += 2;
    }
    return rc_ok(buf_state(b));
}

static bool is_address(struct mail_address *out, struct span text, struct arena *a)
{
    return mail_address_parse(out, text, false, a) && out->kind == MAIL_DOMAIN;
}

// The address of a mailto: URI (RFC 6068 §2), or the first of a list, whose commas are encoded in a
// record; its header fields are not ours to obey.
static bool mailto(struct auth_dmarc_uri *out, struct span s, struct arena *a, bool *full)
{
    CLEANUP(buf_free) struct buf b = BUF(LIST_MAX);
    struct mail_address address, other;
    if (!percent_decode(&b, span_cut(&s, '?')))
        return false;
    struct span list = buf_span(&b);
    bool good = is_address(&address, list, a); // it may have a comma of its own, in quotes
    if (!good && is_address(&address, span_cut(&list, ','), a))
        for (good = list.at; list.at && good;)
            good = is_address(&other, span_cut(&list, ','), a);
    if (!good)
        return false;
    out->address = arena_dup(a, address.text);
    *full = !out->address.at;
    return !*full;
}

static bool uri_parse(struct auth_dmarc_uri *out, struct span s, struct arena *a, bool *full)
{
    *out = (struct auth_dmarc_uri){.uri = span_cut(&s, '!')};
    struct span rest = out->uri;
    struct span scheme = span_cut(&rest, ':');
    if (s.at && !size_parse(s, &out->size_max))
        return false;
    if (!rest.at || !is_scheme(scheme) || !is_uri_text(rest))
        return false;
    return !span_ieq(scheme, SPAN("mailto")) || mailto(out, rest, a, full);
}

static bool is_among(const struct auth_dmarc_uri *list, size_t count,
                     const struct auth_dmarc_uri *other)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq(list[i].uri, other->uri) && list[i].size_max == other->size_max)
            return true;
    return false;
}

bool auth_dmarc_uris_parse(struct auth_dmarc_uri **list, size_t *count, struct span text,
                           struct arena *a)
{
    struct auth_dmarc_uri found[DMARC_URIS_MAX];
    size_t n = 0;
    bool full = false;
    *list = NULL;
    *count = 0;
    while (text.at && n < DMARC_URIS_MAX && !full)
        if (uri_parse(&found[n], span_trim(span_cut(&text, ',')), a, &full) &&
            !is_among(found, n, &found[n]))
            n++;
    if (full || n == 0)
        return !full;
    *list = arena_alloc(a, n * sizeof *found);
    if (!*list)
        return false;
    for (size_t i = 0; i < n; i++)
        (*list)[i] = found[i];
    *count = n;
    return true;
}
