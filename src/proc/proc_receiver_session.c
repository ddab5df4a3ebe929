// One SMTP session of a receiver: the pump between stream and machine, and the
// answers to what the machine asks.
#include "proc_receiver_screen.h"

#include "base_log.h"
#include "dns_answer.h"
#include "mail_header.h"
#include "proc_networks.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 256 << 10 };

struct session {
    struct session *next, *previous;
    struct receiver *receiver;
    struct io_stream *stream; // NULL: the client is gone
    struct smtp_server *smtp;
    struct smtp_server_conf conf; // a reload changes the receiver's
    struct io_endpoint peer;
    struct io_timer timer;
    bool waiting; // for an answer: the machine must not be moved
    bool pumping, committing, judging, in_message;
    bool inside; // a client of relay.networks
    struct receiver_body body;
    struct receiver_screen screen;
    struct mail_scan scan;
    uint64_t id; // of the message being committed
};

static void pump(struct session *s, struct span *in);

static void session_free(struct session *s)
{
    struct receiver *r = s->receiver;
    io_timer_cancel(r->proc->loop, &s->timer);
    receiver_screen_drop(&s->screen);
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
    receiver_idle(r);
}

// The client is gone. A commit that is under way goes on: its answer frees us.
static void gone(struct session *s)
{
    if (s->stream)
        io_stream_free(s->stream);
    s->stream = NULL;
    io_timer_cancel(s->receiver->proc->loop, &s->timer);
    if (!s->committing && !s->pumping)
        session_free(s);
}

// Who has said all and closed his half still waits for the answer.
static void hold_input(struct session *s)
{
    io_stream_pause(s->stream, true);
}

// The machine may move again: first what it has to say, then, at the end of the
// turn, the input that was held back.
static void resume(struct session *s)
{
    struct span none = {NULL, 0};
    s->waiting = false;
    io_stream_again(s->stream);
    pump(s, &none);
}

static void answer(struct session *s, unsigned code, const char *status, struct span text)
{
    struct smtp_reply r = {.code = code, .text = text};
    if (!span_copy(r.status, sizeof r.status, span_str(status)))
        panic("status %s", status);
    smtp_server_answer(s->smtp, &r);
}

// ---- answers ----

static bool may_relay_to(struct session *s, const struct mail_address *to)
{
    const struct receiver *r = s->receiver;
    struct dns_name self;
    if (s->inside)
        return true;
    if (to->kind == MAIL_DOMAIN)
        return domain_listed(r->proc->conf, CONF_relay_domains, &to->domain);
    return to->kind == MAIL_BARE && dns_name_parse_host(&self, r->smtp.hostname) &&
           domain_listed(r->proc->conf, CONF_relay_domains, &self);
}

static void answer_mail(struct session *s, const struct mail_address *from)
{
    receiver_screen_drop(&s->screen); // of a transaction that came to nothing
    s->inside = networks_hold(s->receiver->networks, &s->peer);
    if (from->kind == MAIL_LITERAL) // it could not be told of a failure
        answer(s, 550, "5.1.7", SPAN("address literals cannot be answered"));
    else
        answer(s, 250, "2.1.0", SPAN("sender ok"));
}

// SPF is asked as soon as somebody is there who would get the message.
static void accept_rcpt(struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    receiver_screen_sender(&s->screen, s->receiver, s->inside,
                           &(struct receiver_auth_request){.client = &s->peer,
                                                           .helo = smtp_server_helo(s->smtp),
                                                           .sender = t->sender.text});
    answer(s, 250, "2.1.5", SPAN("recipient ok"));
}

static void answer_rcpt(struct session *s, const struct mail_address *to)
{
    if (to->kind == MAIL_LITERAL)
        answer(s, 550, "5.1.2", SPAN("address literals are not relayed"));
    else if (!may_relay_to(s, to))
        answer(s, 550, "5.7.1", SPAN("relaying denied"));
    else
        accept_rcpt(s);
}

static void answer_data(struct session *s)
{
    if (receiver_can_store(s->receiver))
        answer(s, 354, "", SPAN("end with <CR><LF>.<CR><LF>"));
    else
        answer(s, 451, "4.3.0", SPAN("the mail store is not available, try again later"));
}

// ---- the message ----

static void body_ready(void *arg)
{
    struct session *s = arg;
    if (!s->stream || s->judging)
        return;
    io_stream_pause(s->stream, false);
    resume(s);
}

static void body_begin(struct session *s)
{
    s->in_message = true;
    s->scan = (struct mail_scan){0};
    receiver_body_start(&s->body, s->receiver, body_ready, s);
    receiver_screen_begin(&s->screen, s->receiver, s->inside, &s->body);
}

static void body_piece(struct session *s, struct span piece)
{
    if (!s->in_message)
        body_begin(s);
    mail_scan_feed(&s->scan, piece);
    receiver_screen_feed(&s->screen, piece);
    if (s->body.waiting) {
        s->waiting = true;
        io_stream_pause(s->stream, true);
    }
}

static void body_abort(struct session *s)
{
    receiver_screen_drop(&s->screen);
    if (s->in_message)
        receiver_body_forget(&s->body);
    s->in_message = false;
}

static void put_client(struct buf *b, const struct session *s)
{
    struct dns_address a = {.v6 = s->peer.v6};
    span_bytes(a.at, sizeof a.at, SPAN_OF(s->peer.address));
    dns_address_put(b, &a);
}

static void put_received(struct session *s, struct buf *head)
{
    const struct io_tls_facts *tls = io_stream_tls(s->stream);
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    char id[17];
    CLEANUP(buf_free) struct buf client = BUF(256);
    if (s->peer.v6)
        buf_put(&client, SPAN("IPv6:"));
    put_client(&client, s);
    receiver_id_text(id, s->id);
    mail_received_put(head,
                      &(struct mail_received){
                          .helo = smtp_server_helo(s->smtp),
                          .client_address = buf_span(&client),
                          .by = s->receiver->smtp.hostname,
                          .id = span_str(id),
                          .recipient = t->count == 1 ? t->recipients[0].address.text : SPAN(""),
                          .esmtp = smtp_server_esmtp(s->smtp),
                          .tls = tls != NULL,
                          .tls_version = span_str(tls ? tls->version : ""),
                          .tls_cipher = span_str(tls ? tls->cipher : ""),
                          .when = io_wall(s->receiver->proc->loop)});
}

static void log_accepted(struct session *s, const struct smtp_transaction *t, const char *queued)
{
    CLEANUP(buf_free) struct buf client = BUF(256);
    const struct io_tls_facts *tls = s->stream ? io_stream_tls(s->stream) : NULL;
    put_client(&client, s);
    LOG(LOG_INFO, "message-accepted", LOG_T("id", queued), LOG_S("client", buf_span(&client)),
        LOG_S("from", t->sender.text), LOG_I("recipients", t->count),
        LOG_T("tls", tls ? tls->version : "none"));
}

static void answer_stored(struct session *s, struct rc rc, uint64_t queued)
{
    CLEANUP(buf_free) struct buf text = BUF(256);
    char id[17];
    receiver_id_text(id, rc_ok(rc) ? queued : s->id);
    if (rc_ok(rc)) {
        log_accepted(s, smtp_server_transaction(s->smtp), id);
        buf_printf(&text, "message %s is queued", id);
        answer(s, 250, "2.0.0", buf_span(&text));
        return;
    }
    LOG(LOG_WARN, "message-not-stored", LOG_T("id", id), LOG_T("why", rc_text(rc)));
    buf_printf(&text, "not stored, try again later: %s", rc_text(rc));
    bool full = rc.code == RC_DISK_FULL || rc.code == RC_FULL;
    answer(s, full ? 452 : 451, full ? "4.3.1" : "4.3.0", buf_span(&text));
}

static void committed(void *arg, struct rc rc, uint64_t queued)
{
    struct session *s = arg;
    s->committing = false;
    answer_stored(s, rc, queued);
    if (!s->stream) {
        session_free(s);
        return;
    }
    io_stream_pause(s->stream, false);
    resume(s);
}

// A refusal that only the whole message can show (RFC 5321 §6.3).
static bool goes_in_circles(const struct session *s)
{
    int64_t most = conf_int(s->receiver->proc->conf, CONF_smtp_max_hops);
    return s->scan.received > (uint64_t)most;
}

static void fill_recipients(struct session *s, struct store_envelope *e, struct buf *bare)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    buf_printf(bare, "postmaster@%.*s", SPAN_FMT(s->receiver->smtp.hostname));
    for (size_t i = 0; i < t->count; i++) {
        const struct mail_address *to = &t->recipients[i].address;
        bool named = to->kind == MAIL_DOMAIN;
        e->recipients[i].address = named ? to->text : buf_span(bare);
        e->recipients[i].domain = named ? dns_name_span(&to->domain) : s->receiver->smtp.hostname;
        e->recipients[i].due = e->received;
    }
}

static void send_to_store(struct session *s, struct store_envelope *e)
{
    CLEANUP(buf_free) struct buf head = BUF(HEAD_MAX), client = BUF(256), bare = BUF(512);
    struct store_recipient *recipients = mem_new(e->count * sizeof *recipients);
    put_client(&client, s);
    e->client = buf_span(&client);
    receiver_screen_put(&s->screen, &head);
    put_received(s, &head);
    e->head = buf_span(&head);
    e->recipients = recipients;
    fill_recipients(s, e, &bare);
    if (!rc_ok(buf_state(&head))) {
        answer_stored(s, RC(FULL), 0);
        free(recipients);
        return;
    }
    if (s->screen.auth)
        receiver_auth_record(s->screen.auth, s->id, true);
    s->waiting = s->committing = true;
    hold_input(s);
    receiver_commit(s->receiver, e, NULL, 0, committed, s);
    free(recipients);
}

static void store_message(struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    struct store_envelope e = {.id = s->id,
                               .received = io_wall(s->receiver->proc->loop),
                               .sender = t->sender.text,
                               .eight_bit = s->scan.eight_bit,
                               .tls_required_no = s->scan.tls_required_no,
                               .authenticated_tls = io_stream_tls(s->stream) != NULL,
                               .count = t->count};
    struct rc rc = s->id ? receiver_body_end(&s->body, &e.body) : RC(UNAVAILABLE);
    if (rc_ok(rc))
        send_to_store(s, &e);
    else
        answer_stored(s, rc, 0);
}

// The verdict is there, if one was wanted.
static void conclude(struct session *s)
{
    struct receiver_refusal no = {.code = 0};
    if (s->screen.auth)
        receiver_auth_refusal(s->screen.auth, &no);
    if (no.code) {
        receiver_auth_record(s->screen.auth, s->id, false);
        answer(s, no.code, no.status, buf_span(&no.text));
    } else {
        store_message(s);
    }
    buf_free(&no.text);
    body_abort(s); // its bytes are where they stay
}

static void judged(void *arg)
{
    struct session *s = arg;
    s->judging = false;
    conclude(s);
    if (s->committing)
        return;
    io_stream_pause(s->stream, false);
    resume(s);
}

static void commit(struct session *s)
{
    if (!s->in_message)
        body_begin(s); // an empty message
    s->id = receiver_new_id(s->receiver);
    if (goes_in_circles(s)) {
        answer(s, 554, "5.4.6", SPAN("too many Received fields: this message goes in circles"));
        body_abort(s);
    } else if (receiver_screen_end(&s->screen, judged, s)) {
        conclude(s);
    } else {
        s->waiting = s->judging = true;
        hold_input(s);
    }
}

// ---- the pump ----

static void starttls(struct session *s)
{
    if (!s->receiver->tls) { // since a reload
        gone(s);
        return;
    }
    s->waiting = true;
    io_stream_accept_tls(s->stream, s->receiver->tls);
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
            gone(s); // it sends commands and reads no replies
        break;
    case SMTP_SERVER_ASK_MAIL:
        answer_mail(s, st->address);
        break;
    case SMTP_SERVER_ASK_RCPT:
        answer_rcpt(s, st->address);
        break;
    case SMTP_SERVER_ASK_DATA:
        answer_data(s);
        break;
    case SMTP_SERVER_BODY:
        body_piece(s, st->bytes);
        break;
    case SMTP_SERVER_COMMIT:
        commit(s);
        break;
    case SMTP_SERVER_ABORT:
        body_abort(s);
        break;
    case SMTP_SERVER_STARTTLS:
        starttls(s);
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

static size_t on_input(void *arg, struct span bytes)
{
    struct session *s = arg;
    struct span in = bytes;
    if (s->waiting)
        return 0;
    pump(s, &in);
    return bytes.len - in.len;
}

static void on_secured(void *arg, struct rc how)
{
    struct session *s = arg;
    if (!rc_ok(how)) {
        CLEANUP(buf_free) struct buf client = BUF(256);
        const struct io_tls_facts *tls = io_stream_tls(s->stream);
        put_client(&client, s);
        LOG(LOG_INFO, "tls-failed", LOG_S("client", buf_span(&client)),
            LOG_T("why", tls && tls->error[0] ? tls->error : rc_text(how)));
        gone(s);
        return;
    }
    smtp_server_secured(s->smtp);
    resume(s);
}

static void on_closed(void *arg, struct rc why)
{
    (void)why;
    gone(arg);
}

static void on_time(void *arg)
{
    struct session *s = arg;
    if (s->waiting)
        gone(s); // in a handshake, or closing: nobody to talk to
    else
        resume(s);
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
    struct receiver *r = arg;
    if (r->session_count >= (size_t)conf_int(r->proc->conf, CONF_smtp_max_sessions)) {
        refuse(fd);
        return;
    }
    struct session *s = mem_new(sizeof *s);
    s->receiver = r;
    s->peer = *peer;
    s->timer = (struct io_timer){.fire = on_time, .arg = s};
    s->conf = r->smtp;
    s->smtp = smtp_server_new(&s->conf, io_now(r->proc->loop));
    s->stream = io_stream_new(r->proc->loop, fd, &owner, s);
    s->next = r->sessions;
    if (s->next)
        s->next->previous = s;
    r->sessions = s;
    r->session_count++;
    resume(s);
}

void receiver_drain_sessions(struct receiver *r)
{
    for (struct session *s = r->sessions, *next; s; s = next) {
        next = s->next;
        smtp_server_drain(s->smtp);
        if (s->stream && !s->waiting)
            resume(s);
    }
}
