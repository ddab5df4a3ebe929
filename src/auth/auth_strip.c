#include "auth_results.h"

#include "auth_tags.h"

void auth_strip_open(struct auth_strip *s)
{
    s->field = BUF(AUTH_STRIP_HELD_MAX);
    s->state = AUTH_STRIP_HOLD;
    s->line_end = true; // the first byte begins a field
    s->removed = 0;
}

static bool any_claim(const struct auth_strip *s, struct span value)
{
    for (size_t i = 0; i < s->count; i++)
        if (auth_results_claim(value, s->ids[i]) != AUTH_CLAIM_FOREIGN)
            return true;
    return false;
}

// The field, or as much of it as is held: is it to go? One that says no more
// than its name in so many bytes is not to be trusted to say it later.
static bool to_go(const struct auth_strip *s)
{
    struct span value = buf_span(&s->field), name = span_cut(&value, ':');
    if (!value.at || !span_ieq(auth_fws_trim(name), SPAN("Authentication-Results")))
        return false;
    return s->field.len == s->field.max || any_claim(s, value);
}

static void settle(struct auth_strip *s)
{
    if (s->field.len == 0)
        return;
    bool gone = to_go(s);
    s->removed += gone;
    if (!gone)
        s->put(s->context, buf_span(&s->field));
    buf_clear(&s->field);
    s->state = gone ? AUTH_STRIP_DROP : AUTH_STRIP_PASS;
}

// Fields of other names need not be held to their end.
static bool other_name(const struct auth_strip *s)
{
    static const struct span ours = {"Authentication-Results", 22};
    struct span held = buf_span(&s->field);
    return !span_istarts(held, span_first(ours, held.len)) && !span_eq(held, SPAN("\r"));
}

static void hold(struct auth_strip *s, char c)
{
    buf_putc(&s->field, c);
    bool body = span_eq(buf_span(&s->field), SPAN("\r\n"));
    if (body || s->field.len == s->field.max || other_name(s))
        settle(s);
    s->state = body ? AUTH_STRIP_BODY : s->state;
}

// Only CRLF ends the header, but a field may begin behind a bare LF too: who
// reads the message later may see one there.
static void head_byte(struct auth_strip *s, const char *at)
{
    if (s->line_end && *at != ' ' && *at != '\t') {
        settle(s);
        s->state = AUTH_STRIP_HOLD;
    }
    s->line_end = *at == '\n';
    if (s->state == AUTH_STRIP_PASS)
        s->put(s->context, (struct span){at, 1});
    else if (s->state == AUTH_STRIP_HOLD)
        hold(s, *at);
}

void auth_strip_feed(struct auth_strip *s, struct span chunk)
{
    while (chunk.len && s->state != AUTH_STRIP_BODY) {
        head_byte(s, chunk.at);
        chunk = span_skip(chunk, 1);
    }
    if (chunk.len)
        s->put(s->context, chunk);
}

void auth_strip_end(struct auth_strip *s)
{
    settle(s);
    buf_free(&s->field);
}
