#include "proc_receiver_screen.h"

enum { KEPT_MAX = 64 << 10 };

void receiver_screen_sender(struct receiver_screen *s, struct receiver *r, bool inside,
                            const struct receiver_auth_request *q)
{
    if (s->auth || !r->rules || (inside && !receiver_rules_relayed(r->rules)))
        return;
    s->auth = receiver_auth_new(r->proc, r->rules, q);
}

static void store(struct receiver_screen *s, struct span bytes)
{
    if (s->sign)
        receiver_sign_feed(s->sign, bytes);
    // Full: the body remembers that it waits, and takes this piece all the same.
    (void)receiver_body_add(s->body, bytes);
}

static void flush(struct receiver_screen *s)
{
    if (s->kept.len)
        store(s, buf_span(&s->kept));
    buf_clear(&s->kept);
}

// The filter hands out a header byte by byte.
static void stripped(void *context, struct span bytes)
{
    struct receiver_screen *s = context;
    if (bytes.len + s->kept.len > KEPT_MAX)
        flush(s);
    if (bytes.len > KEPT_MAX)
        store(s, bytes);
    else
        buf_put(&s->kept, bytes);
}

static void strip_begin(struct receiver_screen *s, struct receiver *r)
{
    s->kept = BUF(KEPT_MAX);
    s->strip = (struct auth_strip){.put = stripped, .context = s};
    if (s->auth)
        s->strip.ids[s->strip.count++] = receiver_auth_id(s->auth);
    s->strip.ids[s->strip.count++] = r->smtp.hostname;
    auth_strip_open(&s->strip);
    s->stripping = true;
}

void receiver_screen_begin(struct receiver_screen *s, struct receiver *r, bool inside,
                           struct receiver_body *body)
{
    s->body = body;
    if (s->auth)
        strip_begin(s, r);
    if (inside && r->keys)
        s->sign = receiver_sign_new(r->keys, io_wall(r->proc->loop), SPAN(""), AUTH_SERVICE_EMAIL);
}

// Results that claim to be ours are forged whoever sends them (RFC 8601 §5).
void receiver_screen_submit(struct receiver_screen *s, struct receiver *r,
                            const struct receiver_user *user)
{
    s->submit = receiver_submit_new(user, io_wall(r->proc->loop), r->smtp.hostname);
    if (!s->stripping)
        strip_begin(s, r);
}

// What is added is signed with the rest.
static void submitted(struct receiver_screen *s)
{
    if (s->sign)
        receiver_sign_above(s->sign, receiver_submit_fields(s->submit));
}

void receiver_screen_feed(struct receiver_screen *s, struct span piece)
{
    if (s->submit && receiver_submit_feed(s->submit, piece))
        submitted(s);
    if (s->auth)
        receiver_auth_feed(s->auth, piece);
    if (s->stripping) {
        auth_strip_feed(&s->strip, piece);
        flush(s);
    } else {
        store(s, piece);
    }
}

static void strip_end(struct receiver_screen *s)
{
    if (s->stripping)
        auth_strip_end(&s->strip);
    flush(s);
    s->stripping = false;
}

bool receiver_screen_end(struct receiver_screen *s, void (*done)(void *arg), void *arg)
{
    if (s->submit && receiver_submit_end(s->submit))
        submitted(s);
    strip_end(s);
    return !s->auth || receiver_auth_end(s->auth, done, arg);
}

void receiver_screen_put(struct receiver_screen *s, struct buf *head)
{
    if (s->auth)
        receiver_auth_put(s->auth, head);
    if (s->sign)
        receiver_sign_end(s->sign, head);
}

void receiver_screen_drop(struct receiver_screen *s)
{
    receiver_auth_free(s->auth);
    receiver_sign_free(s->sign);
    receiver_submit_free(s->submit);
    if (s->stripping)
        buf_free(&s->strip.field);
    buf_free(&s->kept);
    *s = (struct receiver_screen){0};
}
