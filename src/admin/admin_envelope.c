#include "admin_envelope.h"

#include "admin_auth.h"
#include "auth_head.h"
#include "auth_tags.h"

void admin_envelope_free(struct admin_envelope *e)
{
    buf_free(&e->helo);
    buf_free(&e->sender);
}

void admin_message_normalise(struct buf *out, struct span text)
{
    if (span_starts(text, SPAN("From ")))
        text = span_skip(text, span_index(text, '\n') + 1);
    while (text.len) {
        size_t n = span_index(text, '\n');
        struct span line = span_first(text, n);
        if (n == text.len) {
            buf_put(out, line);
            return;
        }
        buf_put(out, span_ends(line, SPAN("\r")) ? span_first(line, n - 1) : line);
        buf_put(out, SPAN("\r\n"));
        text = span_skip(text, n + 1);
    }
}

// ---- Received ----

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span take_word(struct span *s)
{
    while (s->len && blank(s->at[0]))
        *s = span_skip(*s, 1);
    size_t n = 0;
    while (n < s->len && !blank(s->at[n]) && s->at[n] != '(' && s->at[n] != ';')
        n++;
    struct span word = span_first(*s, n);
    *s = span_skip(*s, n);
    return word;
}

// The comment that follows, without its parentheses; comments in it are not plain.
static bool take_comment(struct span *s, struct span *out)
{
    while (s->len && blank(s->at[0]))
        *s = span_skip(*s, 1);
    if (s->len == 0 || s->at[0] != '(')
        return false;
    *s = span_skip(*s, 1);
    *out = span_first(*s, span_index(*s, ')'));
    if (out->len == s->len || span_index(*out, '(') < out->len)
        return false;
    *s = span_skip(*s, out->len + 1);
    return true;
}

// "[192.0.2.1]", "[IPv6:2001:db8::1]"
static bool find_address(struct span text, struct dns_address *out)
{
    struct span inside = span_skip(text, span_index(text, '[') + 1);
    size_t end = span_index(inside, ']');
    if (end == inside.len)
        return false;
    inside = span_first(inside, end);
    if (span_istarts(inside, SPAN("IPv6:")))
        inside = span_skip(inside, 5);
    return dns_address_parse(out, inside);
}

// "from HELO (name [address])", and "from name ([address] helo=HELO)" as Exim has it.
bool admin_received_read(struct admin_envelope *e, struct span value)
{
    struct span comment, word;
    if (!span_ieq(take_word(&value), SPAN("from")))
        return false;
    struct span helo = take_word(&value);
    if (helo.len == 0 || !take_comment(&value, &comment) || !find_address(comment, &e->client))
        return false;
    while ((word = take_word(&comment)).len)
        if (span_istarts(word, SPAN("helo=")))
            helo = span_skip(word, 5);
    e->client_known = true;
    buf_clear(&e->helo);
    buf_put(&e->helo, helo);
    return rc_ok(buf_state(&e->helo));
}

// ---- the header ----

static void read_return_path(struct admin_envelope *e, struct span value)
{
    CLEANUP(buf_free) struct buf text = BUF(4096);
    struct span s = auth_fws_trim(value);
    if (s.len < 2 || s.at[0] != '<' || s.at[s.len - 1] != '>')
        return;
    buf_put(&text, s);
    e->sender_known = rc_ok(buf_state(&text)) && admin_sender(&e->sender, buf_str(&text));
}

void admin_envelope_read(struct admin_envelope *e, struct span message)
{
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_HEAD_MAX);
    CLEANUP(auth_split_free) struct auth_split split = AUTH_SPLIT;
    struct auth_head head = {0};
    bool received = false, path = false;
    (void)auth_split_feed(&split, message);
    auth_head_read(&head, buf_span(&split.head), &a);
    for (size_t i = 0; i < head.count && !head.fault; i++) {
        const struct auth_field *f = &head.at[i];
        if (!received && span_ieq(f->name, SPAN("Received"))) {
            received = true;
            (void)admin_received_read(e, f->value);
        } else if (!path && span_ieq(f->name, SPAN("Return-Path"))) {
            path = true;
            read_return_path(e, f->value);
        }
    }
}
