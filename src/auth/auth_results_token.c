#include "auth_results_token.h"

#include "base_buf.h"

enum { DEPTH_MAX = 32, TEXT_MAX = 32 << 10 };

static bool token_char(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f &&
           span_index(SPAN("()<>@,;:\\\"/[]?="), c) == sizeof "()<>@,;:\\\"/[]?=" - 1;
}

static bool atom_char(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f &&
           span_index(SPAN("()<>@,;:\\\".[]"), c) == sizeof "()<>@,;:\\\".[]" - 1;
}

static bool keyword_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static size_t run(struct span s, bool (*fits)(char))
{
    size_t i = 0;
    while (i < s.len && fits(s.at[i]))
        i++;
    return i;
}

bool auth_token_fits(struct span s)
{
    return s.len && run(s, token_char) == s.len;
}

static size_t atoms(struct span s)
{
    size_t i = run(s, atom_char);
    while (i && i < s.len && s.at[i] == '.' && run(span_skip(s, i + 1), atom_char))
        i += 1 + run(span_skip(s, i + 1), atom_char);
    return i;
}

bool auth_atoms_fit(struct span s)
{
    return s.len && atoms(s) == s.len;
}

static struct span take(struct auth_words *w, size_t n)
{
    struct span s = span_first(w->rest, n);
    w->rest = span_skip(w->rest, n);
    return n ? s : (struct span){0};
}

static struct span keep(struct auth_words *w, struct buf *b)
{
    struct span s = arena_dup(w->arena, rc_ok(buf_state(b)) ? buf_span(b) : SPAN(""));
    w->bad = w->bad || !s.at || !rc_ok(buf_state(b));
    return s;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Behind "(": nested comments stay in the text with their parentheses.
static void comment(struct auth_words *w)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_MAX);
    unsigned depth = 1;
    (void)take(w, 1);
    while (w->rest.len && depth && depth < DEPTH_MAX) {
        char c = take(w, 1).at[0];
        bool quoted = c == '\\' && w->rest.len;
        if (quoted)
            c = take(w, 1).at[0];
        else if (c == '(' || c == ')')
            depth = c == '(' ? depth + 1 : depth - 1;
        if (depth)
            buf_putc(&text, c);
    }
    w->bad = w->bad || depth;
    w->comment = keep(w, &text);
}

void auth_words_blank(struct auth_words *w)
{
    while (!w->bad && w->rest.len && (blank(w->rest.at[0]) || w->rest.at[0] == '(')) {
        if (w->rest.at[0] == '(')
            comment(w);
        else
            (void)take(w, 1);
    }
}

bool auth_words_char(struct auth_words *w, char c)
{
    struct auth_words before = *w;
    auth_words_blank(w);
    if (w->bad || !w->rest.len || w->rest.at[0] != c) {
        bool bad = w->bad;
        *w = before;
        w->bad = bad;
        return false;
    }
    (void)take(w, 1);
    auth_words_blank(w);
    return true;
}

struct span auth_words_token(struct auth_words *w)
{
    return take(w, run(w->rest, token_char));
}

struct span auth_words_keyword(struct auth_words *w)
{
    return take(w, run(w->rest, keyword_char));
}

static struct span quoted(struct auth_words *w)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_MAX);
    (void)take(w, 1);
    while (w->rest.len && w->rest.at[0] != '"') {
        char c = take(w, 1).at[0];
        if (c == '\\' && w->rest.len)
            c = take(w, 1).at[0];
        if (c != '\r' && c != '\n') // folds (RFC 5322 §3.2.4)
            buf_putc(&text, c);
    }
    w->bad = w->bad || take(w, 1).len == 0;
    return keep(w, &text);
}

struct span auth_words_value(struct auth_words *w)
{
    if (w->rest.len && w->rest.at[0] == '"')
        return quoted(w);
    return auth_words_token(w);
}

// A value, or [local-part] "@" domain; both can begin alike.
struct span auth_words_property(struct auth_words *w)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_MAX);
    struct auth_words start = *w;
    bool quote = w->rest.len && w->rest.at[0] == '"';
    struct span local = quote ? quoted(w) : take(w, atoms(w->rest));
    if (w->bad || !w->rest.len || w->rest.at[0] != '@') {
        if (!quote)
            *w = start;
        return quote ? local : auth_words_token(w);
    }
    buf_put(&text, local);
    buf_put(&text, take(w, 1));
    struct span domain = take(w, atoms(w->rest));
    buf_put(&text, domain);
    w->bad = w->bad || domain.len == 0;
    return keep(w, &text);
}
