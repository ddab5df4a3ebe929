#include "auth_canon.h"

#include "base_buf.h"

#include <string.h>

const char *auth_canon_text(enum auth_canon c)
{
    return c == AUTH_CANON_RELAXED ? "relaxed" : "simple";
}

static bool wsp(char c)
{
    return c == ' ' || c == '\t';
}

static void put(const struct auth_sink *to, struct span s)
{
    if (s.len)
        to->put(to->context, s);
}

// Length of the folding white space at the front: blanks, and line ends that
// are followed by a blank (RFC 5322 §3.2.2). Other CR and LF are content.
static size_t folding(struct span s)
{
    size_t i = 0;
    while (i < s.len) {
        if (wsp(s.at[i]))
            i++;
        else if (s.len - i > 2 && s.at[i] == '\r' && s.at[i + 1] == '\n' && wsp(s.at[i + 2]))
            i += 3;
        else
            break;
    }
    return i;
}

static void put_lower(struct span name, const struct auth_sink *to)
{
    char room[64];
    while (name.len) {
        size_t n = name.len < sizeof room ? name.len : sizeof room;
        for (size_t i = 0; i < n; i++)
            room[i] =
                name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 0x20) : name.at[i];
        put(to, (struct span){room, n});
        name = span_skip(name, n);
    }
}

// RFC 6376 §3.4.2: each run of white space becomes one space, those at the ends
// nothing. Pieces are as long as input and result agree.
static void put_value(struct span v, const struct auth_sink *to)
{
    size_t run = folding(v), i = run;
    while (i < v.len) {
        size_t fold = folding(span_skip(v, i));
        if (fold == 0 || (fold == 1 && v.at[i] == ' ' && i + 1 < v.len)) {
            i++;
            continue;
        }
        put(to, (struct span){v.at + run, i - run});
        i = run = i + fold;
        if (i < v.len)
            put(to, SPAN(" "));
    }
    put(to, (struct span){v.at + run, i - run});
}

void auth_canon_field(enum auth_canon how, struct span field, bool line_end,
                      const struct auth_sink *to)
{
    if (how == AUTH_CANON_SIMPLE) {
        put(to, field);
    } else {
        struct span value = field;
        struct span name = span_cut(&value, ':');
        put_lower(span_trim(name), to);
        put(to, SPAN(":"));
        put_value(value, to);
    }
    if (line_end)
        put(to, SPAN("\r\n"));
}

void auth_canon_own(enum auth_canon how, struct span field, struct span b_value,
                    const struct auth_sink *to)
{
    CLEANUP(buf_free) struct buf b = BUF(field.len + 1);
    size_t before = (size_t)(b_value.at - field.at);
    buf_put(&b, span_first(field, before));
    buf_put(&b, span_skip(field, before + b_value.len));
    auth_canon_field(how, buf_span(&b), false, to);
}

static void emit(struct auth_canon_body *b, struct span s)
{
    b->len += s.len;
    put(&b->to, s);
}

// What was held back is part of the body after all.
static void settle(struct auth_canon_body *b)
{
    static const char line_ends[] =
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    enum { AT_ONCE = sizeof line_ends / 2 };
    while (b->line_ends) {
        size_t n = b->line_ends < AT_ONCE ? (size_t)b->line_ends : AT_ONCE;
        emit(b, (struct span){line_ends, 2 * n});
        b->line_ends -= n;
    }
    if (b->blank)
        emit(b, SPAN(" "));
    b->blank = false;
}

static void body_byte(struct auth_canon_body *b, const char *at)
{
    if (b->cr) {
        b->cr = false;
        if (*at == '\n') {
            b->blank = false; // §3.4.4: none at the end of a line
            b->line_ends++;
            return;
        }
        settle(b);
        emit(b, SPAN("\r"));
    }
    if (*at == '\r') {
        b->cr = true;
    } else if (b->how == AUTH_CANON_RELAXED && wsp(*at)) {
        b->blank = true;
    } else {
        settle(b);
        emit(b, (struct span){at, 1});
    }
}

enum { BLOCK = 16 };

// A block and the byte behind it hold nothing but single spaces between words. Without
// a branch, so that the compiler takes it in one piece.
static bool is_block_of_words(const char *at)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        char c = at[i], next = at[i + 1];
        odd |= (unsigned char)((c == '\r') | (c == '\t') |
                               ((c == ' ') & ((next == ' ') | (next == '\t') | (next == '\r'))));
    }
    return odd == 0;
}

static size_t ordinary(struct span s, size_t i, bool relaxed)
{
    static const bool special[256] = {['\r'] = true, [' '] = true, ['\t'] = true};
    if (!relaxed) {
        const char *cr = memchr(s.at + i, '\r', s.len - i);
        return cr ? (size_t)(cr - s.at) : s.len;
    }
    while (i + BLOCK < s.len && is_block_of_words(s.at + i))
        i += BLOCK;
    while (i < s.len && !special[(unsigned char)s.at[i]])
        i++;
    return i;
}

// How many bytes at the front are their own canonical form, whatever follows;
// nothing is being held back. CRLF and a single space are, if content follows.
static size_t plain(enum auth_canon how, struct span s)
{
    bool relaxed = how == AUTH_CANON_RELAXED;
    size_t i = ordinary(s, 0, relaxed);
    while (i < s.len) {
        char c = s.at[i], next = i + 1 < s.len ? s.at[i + 1] : '\r';
        char third = i + 2 < s.len ? s.at[i + 2] : '\r';
        bool line = c == '\r' && next == '\n' && third != '\r' && !(relaxed && wsp(third));
        bool space = c == ' ' && next != '\r' && !wsp(next);
        if (!line && !space)
            break;
        i = ordinary(s, i + (line ? 3 : 2), relaxed);
    }
    return i;
}

void auth_canon_body_feed(struct auth_canon_body *b, struct span chunk)
{
    while (chunk.len) {
        bool held = b->line_ends || b->blank || b->cr;
        size_t n = held ? 0 : plain(b->how, chunk);
        if (n)
            emit(b, span_first(chunk, n));
        else
            body_byte(b, chunk.at);
        chunk = span_skip(chunk, n ? n : 1);
    }
}

void auth_canon_body_end(struct auth_canon_body *b)
{
    if (b->cr) {
        settle(b);
        emit(b, SPAN("\r"));
    }
    b->cr = b->blank = false;
    b->line_ends = 0;
    // §3.4.3: an empty body is one line end; §3.4.4: it is nothing.
    if (b->how == AUTH_CANON_SIMPLE || b->len)
        emit(b, SPAN("\r\n"));
}
