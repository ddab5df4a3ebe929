#include "proc_receiver_session.h"

#include "base_log.h"
#include "base_meter.h"
#include "sasl.h"
#include "sasl_users.h"

#include <stdlib.h>
#include <string.h>

enum { USER_ROOM = 1 << 20 };
// Longer than the authenticator's with Dovecot, and than its pause after a failure.
static const int64_t login_us = SECONDS(150);
static const int64_t count_us = SECONDS(20);

struct span receiver_mechanisms(uint8_t offered)
{
    static const struct {
        uint8_t needs;
        struct span list;
    } lists[] = {
        {1 << SASL_SCRAM_PLUS, {"SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN", 44}},
        {1 << SASL_SCRAM, {"SCRAM-SHA-256 PLAIN LOGIN", 25}},
        {0, {"PLAIN LOGIN", 11}},
    };
    size_t i = 0;
    while ((offered & lists[i].needs) != lists[i].needs)
        i++;
    return lists[i].list;
}

// ---- answers to the client ----

static void go_on(struct session *s)
{
    io_stream_pause(s->stream, false);
    session_resume(s);
}

static void user_free(struct receiver_user *u)
{
    if (u)
        arena_free(&u->texts);
    free(u);
}

static void take_user(struct session *s, const struct login_answer *a)
{
    struct receiver_user *u = mem_new(sizeof *u);
    u->texts = ARENA(USER_ROOM);
    u->name = arena_dup(&u->texts, a->user);
    struct span *senders = arena_alloc(&u->texts, (a->sender_count + 1) * sizeof *senders);
    for (size_t i = 0; senders && i < a->sender_count; i++) {
        senders[i] = arena_dup(&u->texts, a->senders[i]);
        u->sender_count += senders[i].at != NULL;
    }
    u->senders = senders;
    user_free(s->login.user);
    s->login.user = u;
    guard_trust(s);
    session_answer(s, 235, "2.7.0", SPAN("authentication succeeded"));
}

static void challenge(struct session *s, struct span bytes)
{
    if (smtp_server_challenge(s->smtp, bytes))
        return;
    session_login_cancel(s);
    session_answer(s, 454, "4.7.0", SPAN("the challenge is too long for a line"));
}

static void take_answer(struct session *s, const struct login_answer *a)
{
    if (a->is == LOGIN_CHALLENGE) {
        challenge(s, a->bytes);
        return;
    }
    s->login.exchange = 0;
    meter_count(a->is == LOGIN_SUCCESS   ? METER_LOGINS
                : a->is == LOGIN_FAILURE ? METER_LOGINS_FAILED
                                         : METER_LOGINS_LATER,
                1);
    if (a->is == LOGIN_SUCCESS)
        take_user(s, a);
    else if (a->is == LOGIN_FAILURE) // RFC 4954 §6
        session_answer(s, 535, "5.7.8", SPAN("authentication failed"));
    else if (a->is == LOGIN_TOO_MANY)
        session_answer(s, 454, "4.7.0", SPAN("too many failed logins, try again later"));
    else
        session_answer(s, 454, "4.7.0", SPAN("nobody can be asked who you are, try again later"));
}

static bool told(void *arg, struct io_message *m)
{
    struct session *s = arg;
    struct login_answer *a = mem_new(sizeof *a);
    bool fine = true;
    a->is = LOGIN_LATER;
    s->login.asked = 0;
    if (m) {
        struct rd r = RD(m->payload);
        fine = login_answer_unpack(&r, a);
        if (!fine)
            a->is = LOGIN_LATER;
    } else {
        session_login_cancel(s);
    }
    take_answer(s, a);
    free(a);
    go_on(s);
    return fine;
}

// ---- questions ----

static void ask(struct session *s, enum proc_message kind, struct buf *b)
{
    s->waiting = true;
    session_hold_input(s);
    s->login.asked =
        proc_ask(s->receiver->proc, PROC_AUTHENTICATOR, 0, kind, buf_span(b), login_us, told, s);
    explicit_bzero(b->at, b->cap);
    buf_free(b);
}

void session_login(struct session *s, const struct smtp_server_step *st)
{
    struct buf b = BUF(64 << 10);
    struct io_tls_binding binding;
    struct login_request q = {.exchange = ++s->receiver->last_exchange,
                              .mechanism = st->mechanism,
                              .tls = io_stream_binding(s->stream, &binding),
                              .offered = s->login.offered,
                              .client = {.v6 = s->peer.v6}};
    if (st->has_initial)
        q.initial = st->bytes.at ? st->bytes : SPAN("");
    q.exporter = (struct span){(const char *)binding.exporter, binding.exporter_len};
    q.end_point = (struct span){(const char *)binding.end_point, binding.end_point_len};
    span_bytes(q.client.at, sizeof q.client.at, SPAN_OF(s->peer.address));
    s->login.exchange = q.exchange;
    // Growing leaves copies behind that nobody wipes.
    if (!rc_ok(buf_reserve(&b, st->bytes.len + 1024)))
        panic("a message of %zu bytes", st->bytes.len);
    login_request_pack(&b, &q);
    ask(s, MSG_LOGIN, &b);
}

void session_login_more(struct session *s, struct span message)
{
    struct buf b = BUF(64 << 10);
    if (!rc_ok(buf_reserve(&b, message.len + 64)))
        panic("a message of %zu bytes", message.len);
    wr_u64(&b, s->login.exchange);
    wr_span(&b, message);
    ask(s, MSG_LOGIN_MORE, &b);
}

void session_login_cancel(struct session *s)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    if (!s->login.exchange)
        return;
    wr_u64(&b, s->login.exchange);
    proc_send(proc_peer(s->receiver->proc, PROC_AUTHENTICATOR, 0), MSG_LOGIN_GONE, 0, buf_span(&b),
              -1);
    s->login.exchange = 0;
}

void session_login_free(struct session *s)
{
    if (s->login.asked)
        proc_forget(s->receiver->proc, s->login.asked);
    session_login_cancel(s);
    user_free(s->login.user);
    s->login = (struct session_login){0};
}

// ---- what a user may ----

bool session_may_send(const struct session *s, const struct mail_address *from)
{
    const struct receiver_user *u = s->login.user;
    if (!u || from->kind == MAIL_NULL)
        return true;
    return from->kind == MAIL_DOMAIN &&
           sasl_may_send(u->name, u->senders, u->sender_count, from->text);
}

static void refuse(struct session *s, int64_t wait_us)
{
    CLEANUP(buf_free) struct buf text = BUF(256);
    buf_put(&text, SPAN("you have sent as much as may be sent in an hour"));
    if (wait_us < SECONDS(3600)) {
        buf_put(&text, SPAN("; try again in "));
        time_put_duration(&text, wait_us - wait_us % US_PER_S + US_PER_S);
    }
    LOG(LOG_WARN, "user-over-rate", LOG_S("user", s->login.user->name));
    session_answer(s, 450, "4.7.1", buf_span(&text));
}

static bool counted(void *arg, struct io_message *m)
{
    struct session *s = arg;
    int64_t wait = 0;
    bool fine = true;
    s->login.asked = 0;
    s->waiting = false;
    if (m) {
        struct rd r = RD(m->payload);
        wait = rd_i64(&r);
        fine = rd_end(&r);
    }
    if (!m || !fine)
        session_answer(s, 451, "4.3.0",
                       SPAN("what you may send is not known now, try again later"));
    else if (wait)
        refuse(s, wait);
    else
        s->login.then(s);
    if (!s->waiting) // else `then` asks for more
        go_on(s);
    return fine;
}

void session_count(struct session *s, uint32_t messages, uint32_t recipients,
                   void (*then)(struct session *s))
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    if (!s->login.user) {
        then(s);
        return;
    }
    wr_span(&b, s->login.user->name);
    wr_u32(&b, messages);
    wr_u32(&b, recipients);
    s->login.then = then;
    s->waiting = true;
    session_hold_input(s);
    s->login.asked = proc_ask(s->receiver->proc, PROC_AUTHENTICATOR, 0, MSG_ALLOWANCE, buf_span(&b),
                              count_us, counted, s);
}
