// The talk over a link: what the client machine asks for, what the stream brings, and what its
// user hears of either.
#include "proc_link_inner.h"

// ---- telling the user ----

static void tell(struct link *l, enum link_event e)
{
    if (l->user)
        l->links->user->event(l->user, l, e);
}

static void set_detail(struct link *l, struct span text)
{
    struct span cut = span_first(text, sizeof l->detail - 1);
    if (!span_copy(l->detail, sizeof l->detail, cut))
        l->detail[0] = '\0';
    l->seen.detail = span_str(l->detail);
}

static void saw(struct link *l, struct trust_seen seen, struct span detail)
{
    l->seen = seen;
    set_detail(l, detail);
    l->state = LINK_RULED;
    tell(l, LINK_SEEN);
}

static void reply_text(struct buf *b, const struct smtp_reply *r, struct rc failure)
{
    if (r->code)
        smtp_reply_put_line(b, r);
    else
        buf_put(b, span_str(rc_text(failure)));
}

// The connection ended before it was ruled fit for a transaction.
static void failed_early(struct link *l, const struct smtp_reply *reply, struct rc failure)
{
    CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + 64);
    struct trust_seen seen = {.stage = reply->code ? TRUST_AT_REFUSAL : TRUST_AT_CONNECT,
                              .reply = reply->code};
    if (l->state == LINK_HANDSHAKE) {
        seen.stage = TRUST_AT_HANDSHAKE;
        seen.failure = TRUST_VALIDATION_FAILURE;
    }
    if (l->crowded)
        buf_put(&text, SPAN("too many connections to this host at once, none was free"));
    else
        reply_text(&text, reply, failure);
    saw(l, seen, buf_span(&text));
}

// It ended, for whatever reason. In a transaction the outcomes are set.
static void over(struct link *l, const struct smtp_reply *reply, struct rc failure)
{
    bool early = l->state == LINK_CONNECTS || l->state == LINK_OPENS || l->state == LINK_HANDSHAKE;
    l->failure = failure;
    l->uncertain = l->smtp && smtp_client_uncertain(l->smtp);
    if (early && l->user) {
        failed_early(l, reply, failure);
        return; // the user leaves us
    }
    if (l->state == LINK_TALKS) {
        CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + 64);
        reply_text(&text, reply, failure);
        set_detail(l, buf_span(&text));
        tell(l, LINK_OVER);
    }
    link_bury(l);
}

void link_lost(struct link *l, struct rc why)
{
    struct smtp_reply none = {0};
    if (l->smtp)
        smtp_client_lost(l->smtp, why, &l->uncertain);
    over(l, &none, rc_ok(why) ? RC(CLOSED) : why);
}

// ---- steps of the machine ----

static void on_capable(struct link *l)
{
    const struct smtp_capabilities *c = smtp_client_capabilities(l->smtp);
    struct trust_seen seen = {.stage = l->secured ? TRUST_AT_SECURED : TRUST_AT_CAPABLE,
                              .ok = true,
                              .starttls = c->starttls,
                              .requiretls = c->requiretls,
                              .verified = l->session.verified,
                              .failure = l->secured ? l->fault : TRUST_RESULT_OK};
    l->session.connected = true;
    if (span_copy(l->helo, sizeof l->helo, smtp_client_peer_name(l->smtp)))
        l->session.helo = span_str(l->helo);
    if (l->secured)
        l->session.requiretls = c->requiretls;
    else
        l->session.starttls = c->starttls;
    saw(l, seen, SPAN(""));
}

static void idle(struct link *l)
{
    const struct conf *c = l->links->out->proc->conf;
    int64_t patience = conf_int(c, CONF_send_idle);
    l->messages++;
    l->state = LINK_IDLE;
    link_arm_in(l, patience);
    tell(l, LINK_DONE);
    if (l->dead || l->state != LINK_IDLE || l->user)
        return;
    if (patience == 0 || l->messages >= (unsigned)conf_int(c, CONF_send_max_messages) ||
        l->links->out->proc->draining || l->rules != l->links->rules) {
        link_leave(l);
        return;
    }
    // Somebody waits for a slot at this very host: this connection serves him, or,
    // if he asks for another proof of it, at least its slot does.
    bool wanted = false;
    for (struct link *w = l->links->first; w; w = w->next) {
        if (w->state != LINK_WAITS_SLOT || !w->user)
            continue;
        if (l->links->user->wants(w->user, l)) {
            void *user = w->user;
            link_bury(w);
            l->links->user->take_over(user, l);
            return;
        }
        wanted = wanted || (w->port == l->port && l->host.len && dns_name_eq(&w->host, &l->host));
    }
    if (wanted)
        link_leave(l);
}

static void step(struct link *l, const struct smtp_client_step *st)
{
    switch (st->kind) {
    case SMTP_CLIENT_SEND:
        if (!rc_ok(io_stream_write(l->stream, st->bytes)))
            link_lost(l, RC(FULL));
        break;
    case SMTP_CLIENT_CAPABLE:
        on_capable(l);
        break;
    case SMTP_CLIENT_HANDSHAKE:
        l->state = LINK_HANDSHAKE;
        l->links->user->handshake(l->user, l);
        break;
    case SMTP_CLIENT_NO_TLS: {
        CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + 64);
        reply_text(&text, &st->reply, RC(OK));
        saw(l, (struct trust_seen){.stage = TRUST_AT_NO_TLS, .starttls = true}, buf_span(&text));
        break;
    }
    case SMTP_CLIENT_BODY:
        tell(l, LINK_BODY);
        break;
    case SMTP_CLIENT_DONE:
        idle(l);
        break;
    case SMTP_CLIENT_CLOSE:
        over(l, &st->reply, st->failure);
        break;
    case SMTP_CLIENT_READ:
        break;
    }
}

static bool may_move(const struct link *l)
{
    return !l->dead && l->stream && l->state != LINK_RULED && l->state != LINK_HANDSHAKE;
}

static void pump(struct link *l, struct span *in)
{
    struct smtp_client_step st = {.kind = SMTP_CLIENT_SEND};
    if (l->pumping)
        return; // a decision taken inside a step: the loop below goes on with it
    l->pumping = true;
    while (may_move(l)) {
        st = smtp_client_next(l->smtp, in);
        if (st.kind == SMTP_CLIENT_READ)
            break;
        step(l, &st);
        if (st.kind == SMTP_CLIENT_BODY || (st.kind == SMTP_CLIENT_DONE && l->state == LINK_IDLE))
            break;
    }
    l->pumping = false;
    if (l->dead)
        link_free(l);
    else if (l->state == LINK_OPENS || l->state == LINK_TALKS)
        link_arm(l, smtp_client_deadline(l->smtp));
}

void link_move(struct link *l)
{
    struct span none = {NULL, 0};
    io_stream_again(l->stream);
    pump(l, &none);
}

// ---- stream events ----

static size_t on_input(void *arg, struct span bytes)
{
    struct link *l = arg;
    struct span in = bytes;
    if (!may_move(l))
        return 0;
    smtp_client_tick(l->smtp, io_now(l->links->out->proc->loop));
    pump(l, &in);
    return bytes.len - in.len;
}

static void take_source(struct link *l)
{
    struct io_endpoint own;
    l->session.source_given = io_stream_own(l->stream, &own) && !own.local;
    if (!l->session.source_given)
        return;
    l->session.source.v6 = own.v6;
    span_bytes(l->session.source.at, sizeof l->session.source.at, SPAN_OF(own.address));
}

static void on_connected(void *arg, struct rc how)
{
    struct link *l = arg;
    if (!rc_ok(how)) {
        link_lost(l, how);
        return;
    }
    l->state = LINK_OPENS;
    l->session.connected = true;
    take_source(l);
    l->smtp = smtp_client_new(&l->smtp_conf, io_now(l->links->out->proc->loop));
    link_move(l);
}

static void on_secured(void *arg, struct rc how)
{
    struct link *l = arg;
    const struct io_tls_facts *f = io_stream_tls(l->stream);
    struct trust_seen seen = {.stage = TRUST_AT_HANDSHAKE, .ok = rc_ok(how), .starttls = true};
    if (f) {
        link_take_facts(l, f);
        seen.verified = l->session.verified;
        seen.failure = link_result_of(f->fault);
    }
    if (!seen.ok && seen.failure == TRUST_RESULT_OK)
        seen.failure = TRUST_VALIDATION_FAILURE;
    l->secured = seen.ok;
    l->fault = seen.failure;
    saw(l, seen, span_str(f && f->error[0] ? f->error : rc_ok(how) ? "" : rc_text(how)));
}

static void on_closed(void *arg, struct rc why)
{
    struct link *l = arg;
    if (l->state == LINK_RULED && l->user)
        l->state = LINK_OPENS; // closed under the user's decision: it is told
    link_lost(l, why);         // with the stream still there: the session's facts lie in it
}

static void on_drained(void *arg)
{
    struct link *l = arg;
    if (l->state == LINK_TALKS && l->user)
        l->links->user->drained(l->user, l);
}

const struct io_stream_owner link_stream = {.input = on_input,
                                            .drained = on_drained,
                                            .connected = on_connected,
                                            .secured = on_secured,
                                            .closed = on_closed};
