// What libconfig's own grammar lacks or has too much of, settled before it sees
// the text: a dot in a name becomes '*', which it allows in names (same length,
// so its line numbers stay true); "@include" would make it open files.
#include "conf_value.h"

struct text {
    struct buf *b;
    size_t i;
    struct conf_at at; // at.line: the present one
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '*';
}

static char peek(const struct text *t, size_t ahead)
{
    return t->i + ahead < t->b->len ? t->b->at[t->i + ahead] : '\0';
}

static void step(struct text *t)
{
    if (peek(t, 0) == '\n')
        t->at.line++;
    t->i++;
}

static void skip_line(struct text *t)
{
    while (t->i < t->b->len && peek(t, 0) != '\n')
        step(t);
}

// libconfig takes a comment without an end, and silently all settings in it.
static struct rc skip_comment(struct text *t)
{
    const struct conf_at begin = t->at;
    t->i += 2;
    while (t->i < t->b->len && !(peek(t, 0) == '*' && peek(t, 1) == '/'))
        step(t);
    if (t->i >= t->b->len)
        return conf_complain(&begin, "this comment has no end; write */ behind it");
    t->i += 2;
    return RC(OK);
}

static void skip_string(struct text *t)
{
    step(t);
    while (t->i < t->b->len && peek(t, 0) != '"') {
        if (peek(t, 0) == '\\')
            step(t);
        step(t);
    }
    step(t);
}

// libconfig keeps the low 32 bits of a larger number, and says nothing.
static bool too_large(struct span number)
{
    uint64_t n;
    if (span_starts(number, SPAN("-")))
        number = span_skip(number, 1);
    if (span_istarts(number, SPAN("0x")))
        return number.len > 9;
    bool digits = true;
    for (size_t i = 0; i < number.len; i++)
        digits = digits && number.at[i] >= '0' && number.at[i] <= '9';
    return digits && number.len && !span_number(number, INT32_MAX, &n);
}

static struct rc word(struct text *t)
{
    bool name = is_letter(peek(t, 0));
    size_t begin = t->i;
    for (; is_word(peek(t, 0)); step(t)) {
        if (peek(t, 0) == '*')
            return conf_complain(&t->at, "'*' cannot stand in a name; remove it");
        if (name && peek(t, 0) == '.' && is_letter(peek(t, 1)))
            t->b->at[t->i] = '*';
    }
    struct span all = {t->b->at + begin, t->i - begin};
    if (!name && too_large(all))
        return conf_complain(&t->at, "%.*s is too large a number; write sizes like \"4G\"",
                             SPAN_FMT(span_first(all, 80)));
    return RC(OK);
}

static struct rc token(struct text *t)
{
    char c = peek(t, 0);
    if (c == '#' || (c == '/' && peek(t, 1) == '/'))
        skip_line(t);
    else if (c == '/' && peek(t, 1) == '*')
        return skip_comment(t);
    else if (c == '"')
        skip_string(t);
    else if (is_word(c))
        return word(t);
    else
        step(t);
    return RC(OK);
}

// By lines, and so also inside strings and comments: a second opinion on where
// those end must never lead to an opened file.
static struct rc refuse_lines(struct span text, struct conf_at *at)
{
    for (at->line = 1; text.at; at->line++) {
        struct span line = span_trim(span_cut(&text, '\n'));
        if (span_index(line, '\0') < line.len)
            return conf_complain(at, "holds a NUL byte; is it the right file?");
        if (span_istarts(line, SPAN("@")))
            return conf_complain(at, "@include is not supported; put all settings into one file");
    }
    return RC(OK);
}

struct rc conf_text_prepare(struct buf *text, const struct conf_at *at)
{
    struct text t = {.b = text, .at = *at};
    TRY(refuse_lines(buf_span(text), &t.at));
    for (t.at.line = 1; t.i < text->len;)
        TRY(token(&t));
    return RC(OK);
}
