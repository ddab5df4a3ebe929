#include "proc_receiver_session.h"

#include "base_log.h"

#include <stdlib.h>

enum { HEAD_MAX = 256 << 10, RECEIVING_DOMAINS = 8 };

static void body_ready(void *arg)
{
    struct session *s = arg;
    if (!s->stream || s->judging)
        return;
    io_stream_pause(s->stream, false);
    session_resume(s);
}

static void body_begin(struct session *s)
{
    s->in_message = true;
    s->bytes = 0;
    s->scan = (struct mail_scan){0};
    receiver_body_start(&s->body, s->receiver, body_ready, s);
    receiver_screen_begin(&s->screen, s->receiver, s->inside, &s->body);
    if (s->login.user)
        receiver_screen_submit(&s->screen, s->receiver, s->login.user);
}

void session_body_piece(struct session *s, struct span piece)
{
    if (!s->in_message)
        body_begin(s);
    mail_scan_feed(&s->scan, piece);
    s->bytes += piece.len;
    receiver_screen_feed(&s->screen, piece);
    if (s->body.waiting) {
        s->waiting = true;
        io_stream_pause(s->stream, true);
    }
}

void session_body_abort(struct session *s)
{
    receiver_screen_drop(&s->screen);
    session_routes_drop(s);
    if (s->in_message)
        receiver_body_forget(&s->body);
    s->in_message = false;
}

// The client said that it may be so; where fields and addresses are ASCII, the message
// asks no more of the next server than any other (RFC 6531 §3.6). U-labels of domains are
// A-labels by now.
static bool needs_smtputf8(const struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    bool ascii = !s->scan.eight_bit_head && span_is_ascii(t->sender.text);
    for (size_t i = 0; ascii && i < t->count; i++)
        ascii = span_is_ascii(t->recipients[i].address.text);
    return t->smtputf8 && !ascii;
}

static struct span hostname_shown(struct span hostname, char room[static 512])
{
    struct dns_name name;
    return dns_name_parse_host(&name, hostname) ? dns_name_shown(&name, room) : hostname;
}

static void put_received(struct session *s, struct buf *head)
{
    const struct io_tls_facts *tls = io_stream_tls(s->stream);
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    char id[17], shown[512];
    CLEANUP(buf_free) struct buf client = BUF(256), peer = BUF(512);
    session_put_tls_peer(&peer, s);
    if (s->peer.v6)
        buf_put(&client, SPAN("IPv6:"));
    session_put_client(&client, s);
    receiver_id_text(id, s->id);
    struct span by = s->receiver->smtp.hostname;
    if (needs_smtputf8(s)) // RFC 6531 §3.7.3
        by = hostname_shown(by, shown);
    mail_received_put(head,
                      &(struct mail_received){
                          .helo = smtp_server_helo(s->smtp),
                          .client_address = buf_span(&client),
                          .by = by,
                          .id = span_str(id),
                          .recipient = t->count == 1 ? t->recipients[0].address.text : SPAN(""),
                          .esmtp = smtp_server_esmtp(s->smtp),
                          .tls = tls != NULL,
                          .authenticated = smtp_server_authenticated(s->smtp),
                          .utf8 = t->smtputf8,
                          .tls_version = span_str(tls ? tls->version : ""),
                          .tls_cipher = span_str(tls ? tls->cipher : ""),
                          .tls_peer = buf_span(&peer),
                          .when = io_wall(s->receiver->proc->loop)});
}

static void log_accepted(struct session *s, const struct smtp_transaction *t, const char *queued)
{
    CLEANUP(buf_free) struct buf client = BUF(256), peer = BUF(512);
    session_put_tls_peer(&peer, s);
    const struct io_tls_facts *tls = s->stream ? io_stream_tls(s->stream) : NULL;
    session_put_client(&client, s);
    LOG(LOG_INFO, "message-accepted", LOG_T("id", queued), LOG_S("client", buf_span(&client)),
        LOG_S("from", t->sender.text), LOG_I("recipients", t->count),
        LOG_T("tls", tls ? tls->version : "none"), LOG_S("peer", buf_span(&peer)),
        LOG_I("requiretls", t->requiretls), LOG_I("smtputf8", needs_smtputf8(s)),
        LOG_S("user", s->login.user ? s->login.user->name : SPAN("")));
}

static void answer_stored(struct session *s, struct rc rc, uint64_t queued)
{
    CLEANUP(buf_free) struct buf text = BUF(256);
    char id[17];
    receiver_id_text(id, rc_ok(rc) ? queued : s->id);
    if (rc_ok(rc)) {
        log_accepted(s, smtp_server_transaction(s->smtp), id);
        meter_count(METER_RECEIVED, 1);
        meter_count(METER_RECEIVED_BYTES, s->bytes);
        buf_printf(&text, "message %s is queued", id);
        session_answer(s, 250, "2.0.0", buf_span(&text));
        return;
    }
    meter_count(METER_REFUSED_STORE, 1);
    LOG(LOG_WARN, "message-not-stored", LOG_T("id", id), LOG_T("why", rc_text(rc)));
    buf_printf(&text, "not stored, try again later: %s", rc_text(rc));
    bool full = rc.code == RC_DISK_FULL || rc.code == RC_FULL;
    session_answer(s, full ? 452 : 451, full ? "4.3.1" : "4.3.0", buf_span(&text));
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
    session_resume(s);
}

// A refusal that only the whole message can show (RFC 5321 §6.3).
static bool goes_in_circles(const struct session *s)
{
    int64_t most = conf_int(s->receiver->proc->conf, CONF_smtp_max_hops);
    return s->scan.received > (uint64_t)most;
}

// That of all recipients, for DMARC reports. Who receives for many domains does not tell: each
// would multiply the records.
static struct span receiving_domain(const struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    const struct conf *c = s->receiver->proc->conf;
    size_t ours = conf_count(c, CONF_relay_domains) + conf_count(c, CONF_local_domains) +
                  conf_count(c, CONF_alias_domains);
    if (ours > RECEIVING_DOMAINS || t->count == 0)
        return SPAN("");
    const struct mail_address *first = &t->recipients[0].address;
    for (size_t i = 0; i < t->count; i++) {
        const struct mail_address *one = &t->recipients[i].address;
        if (one->kind != MAIL_DOMAIN || !dns_name_eq(&one->domain, &first->domain))
            return SPAN("");
    }
    return dns_name_span(&first->domain);
}

static void send_to_store(struct session *s, struct store_envelope *e)
{
    CLEANUP(buf_free) struct buf head = BUF(HEAD_MAX), client = BUF(256);
    CLEANUP(buf_free) struct buf hold = BUF(1000);
    struct store_recipient *recipients = mem_new(session_routes_count(s) * sizeof *recipients);
    session_put_client(&client, s);
    e->client = buf_span(&client);
    receiver_screen_put(&s->screen, &head);
    put_received(s, &head);
    if (s->screen.submit)
        buf_put(&head, receiver_submit_fields(s->screen.submit));
    e->head = buf_span(&head);
    e->eight_bit |= !span_is_ascii(e->head);
    e->smtputf8 |= smtp_server_transaction(s->smtp)->smtputf8 && !span_is_ascii(e->head);
    e->recipients = recipients;
    e->count = session_routes_put(s, recipients, e->received);
    if (!rc_ok(buf_state(&head))) {
        answer_stored(s, RC(FULL), 0);
        free(recipients);
        return;
    }
    if (s->screen.auth) {
        // No report about mail that brings reports: two servers would report to each other for
        // ever.
        receiver_auth_record(s->screen.auth, s->id, receiving_domain(s), true,
                             !session_routes_reports(s));
        receiver_auth_hold(s->screen.auth, &hold);
        e->hold = buf_span(&hold);
    }
    s->waiting = s->committing = true;
    session_hold_input(s);
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
                               .smtputf8 = t->smtputf8 && s->scan.eight_bit_head,
                               .requiretls = t->requiretls,
                               // RFC 8689 §4.1: the parameter counts, not the field
                               .tls_required_no = s->scan.tls_required_no && !t->requiretls,
                               .authenticated_tls = io_stream_tls(s->stream) != NULL,
                               .envid = t->envid,
                               .ret = (uint8_t)t->ret}; // both number RFC 3461 §4.3 alike
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
    struct span own = s->screen.submit ? receiver_submit_refusal(s->screen.submit) : SPAN("");
    bool report = s->screen.auth && session_routes_reports(s) &&
                  receiver_auth_tlsrpt(s->screen.auth); // DMARC does not see who signed it
    if (s->screen.auth && !report)
        receiver_auth_refusal(s->screen.auth, &no);
    if (own.len) {
        session_answer(s, 550, "5.7.1", own);
    } else if (no.code) {
        receiver_auth_record(s->screen.auth, s->id, receiving_domain(s), false,
                             !session_routes_reports(s));
        session_answer(s, no.code, no.status, buf_span(&no.text));
    } else {
        store_message(s);
    }
    buf_free(&no.text);
    session_body_abort(s); // its bytes are where they stay
}

static void judged(void *arg)
{
    struct session *s = arg;
    s->judging = false;
    conclude(s);
    if (s->committing)
        return;
    io_stream_pause(s->stream, false);
    session_resume(s);
}

void session_commit(struct session *s)
{
    if (!s->in_message)
        body_begin(s); // an empty message
    s->id = receiver_new_id(s->receiver);
    if (goes_in_circles(s)) {
        meter_count(METER_REFUSED_LOOP, 1);
        session_answer(s, 554, "5.4.6",
                       SPAN("too many Received fields: this message goes in circles"));
        session_body_abort(s);
    } else if (receiver_screen_end(&s->screen, judged, s)) {
        conclude(s);
    } else {
        s->waiting = s->judging = true;
        session_hold_input(s);
    }
}
