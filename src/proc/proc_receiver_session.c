// The pump between stream and machine.
#include "proc_receiver_session.h"

#include "base_log.h"
#include "dns_answer.h"
#include "io_proxy.h"
#include "proc_serve.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const int64_t proxy_us = SECONDS(10); // for the header of a balancer

static void pump(struct session *s, struct span *in);

// What thousands of sessions took goes back to the system when they are gone.
static void memory_back(struct receiver *r)
{
    enum { MANY = 1000 };
    if (r->session_peak < MANY || r->session_count > r->session_peak / 4)
        return;
    r->session_peak = r->session_count;
    malloc_trim(0);
}

// Those who are talked to already must still be able to bring a message.
void receiver_limit_sessions(struct receiver *r)
{
    struct rlimit l;
    r->session_max = (size_t)conf_int(r->proc->conf, CONF_smtp_max_sessions);
    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= r->session_max + PROC_DESCRIPTORS_KEPT)
        return;
    rlim_t half = l.rlim_cur / 2, rest = l.rlim_cur - half;
    r->session_max =
        (size_t)(half + (rest > PROC_DESCRIPTORS_KEPT ? rest - PROC_DESCRIPTORS_KEPT : 0));
}

void session_free(struct session *s)
{
    struct receiver *r = s->receiver;
    io_timer_cancel(r->proc->loop, &s->timer);
    receiver_screen_drop(&s->screen);
    session_routes_drop(s);
    guard_leave(s);
    session_login_free(s);
    session_foresight_free(s);
    if (s->in_message)
        receiver_body_forget(&s->body);
    if (s->stream)
        io_stream_free(s->stream);
    smtp_server_free(s->smtp);
    if (s->previous)
        s->previous->next = s->next;
    else
        r->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    r->session_count--;
    free(s);
    memory_back(r);
    receiver_idle(r);
}

// The client is gone. A commit that is under way goes on: its answer frees us.
void session_gone(struct session *s)
{
    if (s->stream)
        io_stream_free(s->stream);
    s->stream = NULL;
    io_timer_cancel(s->receiver->proc->loop, &s->timer);
    if (!s->committing && !s->pumping)
        session_free(s);
}

// Who has said all and closed his half still waits for the answer.
void session_hold_input(struct session *s)
{
    io_stream_pause(s->stream, true);
}

// The machine may move again: first what it has to say, then, at the end of the
// turn, the input that was held back.
void session_resume(struct session *s)
{
    struct span none = {NULL, 0};
    s->waiting = false;
    io_stream_again(s->stream);
    pump(s, &none);
}

void session_answer(struct session *s, unsigned code, const char *status, struct span text)
{
    struct smtp_reply r = {.code = code, .text = text};
    if (!span_copy(r.status, sizeof r.status, span_str(status)))
        panic("status %s", status);
    smtp_server_answer(s->smtp, &r);
}

void session_put_client(struct buf *b, const struct session *s)
{
    struct dns_address a = {.v6 = s->peer.v6};
    span_bytes(a.at, sizeof a.at, SPAN_OF(s->peer.address));
    dns_address_put(b, &a);
}

static void log_refused(const struct session *s, const char *why)
{
    CLEANUP(buf_free) struct buf client = BUF(256);
    session_put_client(&client, s);
    LOG(LOG_INFO, "client-refused", LOG_S("client", buf_span(&client)), LOG_T("why", why));
}

bool session_refuse(struct session *s, const struct guard_refusal *r)
{
    if (!r->code)
        return false;
    meter_count(r->meter, 1);
    if (!s->guard.said) // a client can be refused a thousand times a second
        log_refused(s, r->text);
    s->guard.said = true;
    session_answer(s, r->code, r->status, span_str(r->text));
    return true;
}

static void arm(struct session *s)
{
    struct mono deadline = smtp_server_deadline(s->smtp);
    if (s->timer.node.key != deadline.us || !s->timer.node.place)
        io_timer_set(s->receiver->proc->loop, &s->timer, deadline);
}

static void step(struct session *s, const struct smtp_server_step *st)
{
    switch (st->kind) {
    case SMTP_SERVER_SEND:
        if (!rc_ok(io_stream_write(s->stream, st->bytes)))
            session_gone(s); // it sends commands and reads no replies
        break;
    case SMTP_SERVER_ASK_MAIL:
        session_answer_mail(s, st->address);
        break;
    case SMTP_SERVER_ASK_RCPT:
        session_answer_rcpt(s, st->address);
        break;
    case SMTP_SERVER_ASK_DATA:
        session_answer_data(s);
        break;
    case SMTP_SERVER_ASK_AUTH:
        session_login(s, st);
        break;
    case SMTP_SERVER_ASK_AUTH_MORE:
        session_login_more(s, st->bytes);
        break;
    case SMTP_SERVER_AUTH_CANCEL:
        session_login_cancel(s);
        break;
    case SMTP_SERVER_BODY:
        session_body_piece(s, st->bytes);
        break;
    case SMTP_SERVER_COMMIT:
        session_commit(s);
        break;
    case SMTP_SERVER_ABORT:
        session_body_abort(s);
        break;
    case SMTP_SERVER_STARTTLS:
        session_starttls(s);
        break;
    case SMTP_SERVER_CLOSE:
        s->waiting = true;
        io_stream_close(s->stream);
        break;
    case SMTP_SERVER_READ:
        break;
    }
}

static void pump(struct session *s, struct span *in)
{
    struct smtp_server_step st;
    s->pumping = true;
    smtp_server_tick(s->smtp, io_now(s->receiver->proc->loop));
    while (s->stream && !s->waiting) {
        st = smtp_server_next(s->smtp, in);
        if (st.kind == SMTP_SERVER_READ)
            break;
        step(s, &st);
    }
    s->pumping = false;
    if (s->stream)
        arm(s);
    else if (!s->committing)
        session_free(s);
}

// ---- stream events ----

// No session has begun: the answer is written by hand.
static void turn_away(struct session *s, const struct guard_refusal *r)
{
    CLEANUP(buf_free) struct buf text = BUF(1024);
    meter_count(r->meter, 1);
    log_refused(s, r->text);
    buf_printf(&text, "%u %s %s\r\n", r->code, r->status, r->text);
    if (s->conf.service == SMTP_SERVICE_SUBMISSIONS || // text would be no TLS
        !rc_ok(io_stream_write(s->stream, buf_span(&text)))) {
        session_gone(s);
        return;
    }
    s->waiting = true;
    io_stream_pause(s->stream, true);
    io_stream_close(s->stream);
}

static const enum meter services[SMTP_SERVICES] = {
    [SMTP_SERVICE_MX] = METER_SESSIONS_MX,
    [SMTP_SERVICE_SUBMISSION] = METER_SESSIONS_SUBMISSION,
    [SMTP_SERVICE_SUBMISSIONS] = METER_SESSIONS_SUBMISSIONS,
};

// Who the client is, is known.
static void welcome(struct session *s)
{
    struct guard *g = s->receiver->guard;
    struct guard_refusal no = guard_enter(g, s);
    int64_t pause = s->conf.service == SMTP_SERVICE_MX && !s->inside ? guard_greet_pause(g) : 0;
    if (no.code) {
        turn_away(s, &no);
        return;
    }
    meter_count(services[s->conf.service], 1);
    s->conf.command_us = guard_patience(g, s->receiver);
    s->guard.pausing = pause > 0;
    if (!s->guard.pausing) {
        session_resume(s);
        return;
    }
    s->waiting = true;
    io_timer_set(s->receiver->proc->loop, &s->timer,
                 (struct mono){io_now(s->receiver->proc->loop).us + pause});
}

static size_t proxy_input(struct session *s, struct span bytes)
{
    struct span in = bytes;
    enum io_proxy p = io_proxy_read(&in, &s->peer);
    if (p == IO_PROXY_MORE) {
        io_stream_sip(s->stream, io_proxy_size(bytes));
        return 0;
    }
    io_stream_sip(s->stream, 0);
    s->proxied = s->waiting = false;
    if (p == IO_PROXY_BAD)
        turn_away(s, &(struct guard_refusal){421, "4.3.5", "no PROXY header, version 2",
                                             METER_REFUSED_PROXY});
    else
        welcome(s);
    return bytes.len - in.len;
}

static void too_early(struct session *s)
{
    s->guard.pausing = false;
    turn_away(s, &(struct guard_refusal){554, "5.5.1", "you talked before you were greeted",
                                         METER_REFUSED_EARLY});
}

static size_t on_input(void *arg, struct span bytes)
{
    struct session *s = arg;
    struct span in = bytes;
    if (s->proxied)
        return proxy_input(s, bytes);
    if (s->guard.pausing) {
        too_early(s);
        return bytes.len;
    }
    if (s->waiting)
        return 0;
    session_tls_talker(s, bytes);
    pump(s, &in);
    return bytes.len - in.len;
}

static void on_secured(void *arg, struct rc how)
{
    struct session *s = arg;
    if (!rc_ok(how)) {
        const struct io_tls_facts *tls = io_stream_tls(s->stream);
        session_tls_failed(s, tls && tls->error[0] ? tls->error : rc_text(how));
        session_gone(s);
        return;
    }
    session_tls_count(s);
    smtp_server_secured(s->smtp);
    session_resume(s);
}

static void on_closed(void *arg, struct rc why)
{
    struct session *s = arg;
    const struct io_tls_facts *tls = io_stream_tls(s->stream);
    (void)why;
    if (tls && tls->fault == IO_TLS_HANDSHAKE)
        session_tls_failed(s, tls->error);
    session_gone(s);
}

static void on_time(void *arg)
{
    struct session *s = arg;
    bool greet = s->guard.pausing;
    s->guard.pausing = false;
    if (s->in_message && !s->waiting)
        meter_count(METER_REFUSED_SLOW, 1);
    if (s->waiting && !greet)
        session_gone(s); // in a handshake, or closing: nobody to talk to
    else
        session_resume(s);
}

static const struct io_stream_owner owner = {
    .input = on_input, .secured = on_secured, .closed = on_closed};

static void refuse(int fd)
{
    static const char text[] = "421 4.3.2 too many connections, try again later\r\n";
    if (send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        LOG(LOG_DEBUG, "refusal-not-sent");
    close(fd);
}

void receiver_accept(void *arg, int fd, const struct io_endpoint *peer)
{
    const struct receiver_door *door = arg;
    struct receiver *r = door->receiver;
    if (r->session_count >= r->session_max) {
        meter_count(METER_REFUSED_FULL, 1);
        refuse(fd);
        return;
    }
    struct session *s = mem_new(sizeof *s);
    s->receiver = r;
    s->peer = *peer;
    s->timer = (struct io_timer){.fire = on_time, .arg = s};
    s->conf = r->smtp;
    s->conf.service = door->service;
    s->login.offered = r->mechanisms;
    s->conf.mechanisms = receiver_mechanisms(r->mechanisms);
    s->smtp = smtp_server_new(&s->conf, io_now(r->proc->loop));
    s->stream = io_stream_new(r->proc->loop, fd, &owner, s);
    if (door->service != SMTP_SERVICE_MX)
        io_stream_secret(s->stream);
    s->next = r->sessions;
    if (s->next)
        s->next->previous = s;
    r->sessions = s;
    r->session_count++;
    if (r->session_count > r->session_peak)
        r->session_peak = r->session_count;
    s->proxied = guard_is_balancer(r->guard, peer);
    if (!s->proxied) {
        welcome(s);
        return;
    }
    s->waiting = true;
    io_stream_sip(s->stream, io_proxy_size(SPAN("")));
    io_timer_set(r->proc->loop, &s->timer, (struct mono){io_now(r->proc->loop).us + proxy_us});
}

void receiver_drain_sessions(struct receiver *r)
{
    for (struct session *s = r->sessions, *next; s; s = next) {
        next = s->next;
        smtp_server_drain(s->smtp);
        if (s->stream && !s->waiting)
            session_resume(s);
    }
}
