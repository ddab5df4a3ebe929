#include "dns_zone_inner.h"

#include <stdarg.h>
#include <stdio.h>

bool zone_fault(struct zone_reader *r, unsigned line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    r->fault->line = line;
    vsnprintf(r->fault->text, sizeof r->fault->text, format, ap);
    va_end(ap);
    return false;
}

// ---- words ----

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static bool ends_word(char c)
{
    return blank(c) || c == '\n' || c == ';' || c == '(' || c == ')' || c == '"';
}

static void skip_comment(struct zone_reader *r)
{
    r->rest = span_skip(r->rest, span_index(r->rest, '\n'));
}

// How far a word reaches; an escape hides what it escapes.
static size_t word_length(struct span s, bool quoted)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        if (quoted ? s.at[i] == '"' || s.at[i] == '\n' : ends_word(s.at[i]))
            break;
        if (s.at[i] == '\\' && i + 1 < s.len && s.at[i + 1] != '\n')
            i++;
    }
    return i < s.len ? i : s.len;
}

static bool take_word(struct zone_reader *r)
{
    bool quoted = r->rest.at[0] == '"';
    if (r->count == DNS_ZONE_ITEMS_MAX)
        return zone_fault(r, r->line, "more than %d words in one record", DNS_ZONE_ITEMS_MAX);
    if (quoted)
        r->rest = span_skip(r->rest, 1);
    size_t n = word_length(r->rest, quoted);
    r->words[r->count++] =
        (struct zone_word){.text = span_first(r->rest, n), .quoted = quoted, .line = r->line};
    r->rest = span_skip(r->rest, n);
    if (!quoted)
        return true;
    if (r->rest.len == 0 || r->rest.at[0] != '"')
        return zone_fault(r, r->line, "a quoted string does not end in its line");
    r->rest = span_skip(r->rest, 1);
    return true;
}

struct gather {
    bool open;     // inside of parentheses
    unsigned line; // where they began
    bool ended;
};

static bool bracket(struct zone_reader *r, struct gather *g, bool opens)
{
    if (g->open == opens)
        return zone_fault(r, r->line, opens ? "'(' inside of '('" : "')' without '('");
    g->open = opens;
    g->line = r->line;
    r->rest = span_skip(r->rest, 1);
    return true;
}

static void end_line(struct zone_reader *r, struct gather *g)
{
    r->rest = span_skip(r->rest, 1);
    r->line++;
    g->ended = !g->open && r->count > 0;
    if (r->count == 0 && !g->open)
        r->indented = r->rest.len && blank(r->rest.at[0]);
}

static bool gather_one(struct zone_reader *r, struct gather *g)
{
    char c = r->rest.at[0];
    if (c == '\n')
        end_line(r, g);
    else if (c == ';')
        skip_comment(r);
    else if (c == '(' || c == ')')
        return bracket(r, g, c == '(');
    else if (blank(c))
        r->rest = span_skip(r->rest, 1);
    else
        return take_word(r);
    return true;
}

bool zone_words_next(struct zone_reader *r)
{
    struct gather g = {0};
    r->count = 0;
    r->indented = r->rest.len && blank(r->rest.at[0]);
    while (r->rest.len && !g.ended)
        if (!gather_one(r, &g))
            return false;
    if (g.open)
        return zone_fault(r, g.line, "'(' is never closed");
    return r->count > 0;
}

// ---- strings and names ----

// One character at the front, its escape undone (§5.1); false: a bad escape.
static bool take_char(struct span *s, unsigned char *c, bool *escaped)
{
    uint64_t code;
    *escaped = s->at[0] == '\\';
    if (!*escaped) {
        *c = (unsigned char)s->at[0];
        *s = span_skip(*s, 1);
        return true;
    }
    *s = span_skip(*s, 1);
    if (s->len == 0)
        return false;
    if (s->at[0] < '0' || s->at[0] > '9') {
        *c = (unsigned char)s->at[0];
        *s = span_skip(*s, 1);
        return true;
    }
    if (s->len < 3 || !span_number(span_first(*s, 3), 255, &code))
        return false;
    *c = (unsigned char)code;
    *s = span_skip(*s, 3);
    return true;
}

bool zone_string(struct buf *b, struct span text)
{
    unsigned char c;
    bool escaped;
    while (text.len) {
        if (!take_char(&text, &c, &escaped))
            return false;
        buf_putc(b, (char)c);
    }
    return rc_ok(buf_state(b));
}

// A name as the rest of the program knows names: an escaped dot would be inside
// of a label, which none of them can hold.
static bool plain_name(struct buf *b, struct span text)
{
    unsigned char c;
    bool escaped;
    while (text.len) {
        if (!take_char(&text, &c, &escaped) || (escaped && (c == '.' || c <= ' ' || c > '~')))
            return false;
        buf_putc(b, (char)c);
    }
    return rc_ok(buf_state(b));
}

bool zone_name(struct zone_reader *r, const struct zone_word *w, struct dns_name *out)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    bool made = false;
    if (!w->quoted && span_eq(w->text, SPAN("@"))) {
        *out = r->origin;
        return true;
    }
    struct dns_name n;
    if (plain_name(&b, w->text) && dns_name_parse(&n, buf_span(&b)))
        made = span_ends(buf_span(&b), SPAN(".")) ||
               dns_name_prepend(&n, dns_name_span(&n), &r->origin);
    if (!made)
        return zone_fault(r, w->line, "'%.*s' is no name that can be asked for",
                          SPAN_FMT(span_first(w->text, 80)));
    *out = n;
    return true;
}

bool zone_name_foreign(const struct zone_word *w)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    struct span rest = w->text;
    bool foreign = false;
    if (w->quoted || !zone_string(&b, w->text))
        return false;
    for (size_t i = 0; i < b.len; i++)
        foreign = foreign || b.at[i] <= ' ' || b.at[i] > '~';
    while (foreign && rest.len) { // no label is empty, or too long with its escapes undone
        buf_clear(&b);
        struct span label = span_cut(&rest, '.');
        foreign = label.len && zone_string(&b, label) && b.len <= 63;
    }
    return foreign && span_index(w->text, '\\') < w->text.len;
}

// "3600", "1h", "1h30m"
bool zone_ttl(struct span text, uint32_t *out)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t sum = 0, n;
    if (text.len == 0 || text.len > 40)
        return false;
    while (text.len) {
        size_t digits = 0, u = 0;
        while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
            digits++;
        if (!span_number(span_first(text, digits), INT32_MAX, &n))
            return false;
        text = span_skip(text, digits);
        while (text.len && u < 5 && (text.at[0] | 0x20) != units[u].unit)
            u++;
        if (u == 5)
            return false;
        sum += n * units[u].seconds;
        text = span_skip(text, 1);
    }
    *out = (uint32_t)sum;
    return sum <= INT32_MAX; // RFC 2181 §8
}
