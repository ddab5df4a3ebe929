// One outbound connection: a slot at the host, the socket, TLS, the client
// machine; kept open for a while for the next message that may use it.
#include "proc_link.h"

#include "base_code.h"

#include <stdlib.h>

enum { TLSA_MAX = 64 };
#define SLOT_PATIENCE  SECONDS(30)
#define LEAVE_PATIENCE SECONDS(10)

static void pump(struct link *l, struct span *in);

// ---- the key of reuse ----

struct crypto_digest link_key(const struct trust_host *host, const struct trust_need *need)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    wr_span(&b, dns_name_span(&host->name));
    wr_u16(&b, host->port);
    wr_u8(&b, (uint8_t)host->requirement);
    wr_bool(&b, host->sts_testing);
    wr_bool(&b, host->sts_mismatch);
    wr_bool(&b, host->name_protected);
    wr_bool(&b, host->lmtp);
    wr_bool(&b, need->requiretls);
    wr_bool(&b, need->tls_required_no);
    wr_span(&b, host->pin);
    wr_span(&b, dns_name_span(&host->tlsa_base));
    for (size_t i = 0; i < host->name_count; i++)
        wr_span(&b, dns_name_span(&host->names[i]));
    for (size_t i = 0; i < host->tlsa_count; i++) {
        wr_u8(&b, host->tlsa[i].usage);
        wr_u8(&b, host->tlsa[i].selector);
        wr_u8(&b, host->tlsa[i].matching);
        wr_span(&b, host->tlsa[i].data);
    }
    // A route to an address has no host name: then the address is the host.
    if (host->name.len == 0 && host->address_count)
        wr_span(&b, SPAN_OF(host->addresses[0].at));
    return crypto_sha256(buf_span(&b));
}

// ---- life and death ----

static void slot_back(struct link *l)
{
    struct proc_peer *queue = proc_peer(l->links->out->proc, PROC_QUEUE, 0);
    if (l->slot && !l->slot_held)
        proc_forget(l->links->out->proc, l->slot);
    // A question still open, or that timed out, is with the queue that is there now.
    if (l->slot && queue && (!l->slot_held || queue->generation == l->slot_generation))
        proc_send(queue, MSG_SLOT_BACK, l->slot, (struct span){NULL, 0}, -1);
    l->slot = 0;
    l->slot_held = false;
}

static void link_free(struct link *l)
{
    io_timer_cancel(l->links->out->proc->loop, &l->timer);
    slot_back(l);
    if (l->stream)
        io_stream_free(l->stream);
    smtp_client_free(l->smtp);
    if (l->previous)
        l->previous->next = l->next;
    else
        l->links->first = l->next;
    if (l->next)
        l->next->previous = l->previous;
    free(l);
}

// Whoever is inside pump() frees it there.
static void bury(struct link *l)
{
    l->user = NULL;
    l->dead = true;
    if (!l->pumping)
        link_free(l);
}

static void arm(struct link *l, struct mono when)
{
    if (l->end.us && when.us > l->end.us)
        when = l->end;
    io_timer_set(l->links->out->proc->loop, &l->timer, when);
}

static void arm_in(struct link *l, int64_t us)
{
    arm(l, (struct mono){io_now(l->links->out->proc->loop).us + us});
}

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
    bury(l);
}

static void lost(struct link *l, struct rc why)
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
    arm_in(l, patience);
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
            bury(w);
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
            lost(l, RC(FULL));
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
        arm(l, smtp_client_deadline(l->smtp));
}

static void move(struct link *l)
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
        lost(l, how);
        return;
    }
    l->state = LINK_OPENS;
    l->session.connected = true;
    take_source(l);
    l->smtp = smtp_client_new(&l->smtp_conf, io_now(l->links->out->proc->loop));
    move(l);
}

static void take_facts(struct link *l, const struct io_tls_facts *f)
{
    struct trust_session *s = &l->session;
    s->tls_version = span_str(f->version);
    s->cipher = span_str(f->cipher);
    s->group = span_str(f->group);
    s->matched = span_str(f->matched);
    s->certificate = span_str(f->certificate);
    s->certificate_until = f->until;
    s->verified = f->dane     ? TRUST_VERIFIED_DANE
                  : f->pinned ? TRUST_VERIFIED_PINNED
                  : f->pkix   ? TRUST_VERIFIED_PKIX
                              : TRUST_VERIFIED_NONE;
}

static enum trust_result_type result_of(enum io_tls_fault fault)
{
    static const enum trust_result_type results[] = {
        [IO_TLS_FINE] = TRUST_RESULT_OK,
        [IO_TLS_HANDSHAKE] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_NAME] = TRUST_CERTIFICATE_HOST_MISMATCH,
        [IO_TLS_EXPIRED] = TRUST_CERTIFICATE_EXPIRED,
        [IO_TLS_UNTRUSTED] = TRUST_CERTIFICATE_NOT_TRUSTED,
        [IO_TLS_TLSA] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_PIN] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_OTHER] = TRUST_VALIDATION_FAILURE,
    };
    return results[fault];
}

static void on_secured(void *arg, struct rc how)
{
    struct link *l = arg;
    const struct io_tls_facts *f = io_stream_tls(l->stream);
    struct trust_seen seen = {.stage = TRUST_AT_HANDSHAKE, .ok = rc_ok(how), .starttls = true};
    if (f) {
        take_facts(l, f);
        seen.verified = l->session.verified;
        seen.failure = result_of(f->fault);
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
    lost(l, why);              // with the stream still there: the session's facts lie in it
}

static void on_drained(void *arg)
{
    struct link *l = arg;
    if (l->state == LINK_TALKS && l->user)
        l->links->user->drained(l->user, l);
}

static const struct io_stream_owner owner = {.input = on_input,
                                             .drained = on_drained,
                                             .connected = on_connected,
                                             .secured = on_secured,
                                             .closed = on_closed};

static void on_time(void *arg)
{
    struct link *l = arg;
    bool over = l->end.us && io_now(l->links->out->proc->loop).us >= l->end.us;
    switch (l->state) {
    case LINK_IDLE:
        link_leave(l);
        return;
    case LINK_LEAVES:
        bury(l);
        return;
    case LINK_OPENS:
    case LINK_TALKS:
        if (over)
            break;
        smtp_client_tick(l->smtp, io_now(l->links->out->proc->loop));
        move(l);
        return;
    default:
        break;
    }
    lost(l, RC(TIMEOUT));
}

// ---- opening ----

static void connect_now(struct link *l)
{
    const struct conf *c = l->links->out->proc->conf;
    struct io_endpoint to = {.v6 = l->address.v6, .port = l->port};
    span_bytes(to.address, sizeof to.address, SPAN_OF(l->address.at));
    if (l->session.local && !io_endpoint_parse(&to, dns_name_span(&l->host), 0))
        panic("no socket at %s", l->host.text);
    l->state = LINK_CONNECTS;
    if (l->links->most_us)
        l->end.us = io_now(l->links->out->proc->loop).us + l->links->most_us;
    l->smtp_conf = (struct smtp_client_conf){
        .hostname = conf_span(c, CONF_hostname),
        .lmtp = l->lmtp,
        .connect_us = conf_int(c, CONF_send_command_timeout),
        .command_us = conf_int(c, CONF_send_command_timeout),
        .data_us = conf_int(c, CONF_send_command_timeout),
        .end_us = conf_int(c, CONF_send_end_timeout),
    };
    l->stream = io_stream_connect(l->links->out->proc->loop, &to, NULL, &owner, l);
    arm_in(l, conf_int(c, CONF_send_connect_timeout));
}

// A queue that is gone gives none: the limit is a courtesy, mail goes on. One that
// is there and has none for so long is a host with more work than it takes.
static bool slot_came(void *arg, struct io_message *m)
{
    struct link *l = arg;
    struct proc_peer *queue = proc_peer(l->links->out->proc, PROC_QUEUE, 0);
    if (m) {
        l->slot_held = true;
        l->slot_generation = queue->generation;
    } else if (queue->channel) {
        slot_back(l);
        l->state = LINK_CONNECTS;
        l->crowded = true;
        lost(l, RC(TIMEOUT));
        return true;
    } else {
        l->slot = 0;
    }
    connect_now(l);
    return !m || m->kind == MSG_SLOT_YOURS;
}

struct link *link_open(struct links *s, void *user, const struct link_wish *wish,
                       const struct crypto_digest *key)
{
    struct link *l = mem_new(sizeof *l);
    struct proc *p = s->out->proc;
    struct proc_peer *queue = proc_peer(p, PROC_QUEUE, 0);
    *l = (struct link){.links = s,
                       .user = user,
                       .next = s->first,
                       .rules = s->rules,
                       .key = *key,
                       .host = wish->host->name,
                       .port = wish->host->port,
                       .address = *wish->address,
                       .lmtp = wish->host->lmtp,
                       .clear = wish->clear};
    l->timer = (struct io_timer){.fire = on_time, .arg = l};
    l->session = (struct trust_session){.host = wish->host->name,
                                        .address = *wish->address,
                                        .local = wish->host->local,
                                        .requirement = wish->host->requirement};
    if (s->first)
        s->first->previous = l;
    s->first = l;
    if (!queue) { // there are no limits to keep to
        connect_now(l);
        return l;
    }
    CLEANUP(buf_free) struct buf b = BUF(512), host = BUF(300);
    if (l->host.len)
        buf_put(&host, dns_name_span(&l->host));
    else
        dns_address_put(&host, &l->address);
    buf_printf(&host, ":%u", l->port);
    wr_span(&b, buf_span(&host));
    l->slot = proc_ask(p, PROC_QUEUE, 0, MSG_SLOT, buf_span(&b), SLOT_PATIENCE, slot_came, l);
    return l;
}

struct link *link_reuse(struct links *s, const struct crypto_digest *key, void *user)
{
    for (struct link *l = s->first; l; l = l->next) {
        if (l->state != LINK_IDLE || l->clear || l->rules != s->rules ||
            !span_eq(SPAN_OF(l->key.at), SPAN_OF(key->at)))
            continue;
        l->user = user;
        l->state = LINK_RULED;
        l->session.reused = true;
        io_timer_cancel(s->out->proc->loop, &l->timer);
        return l;
    }
    return NULL;
}

// ---- what the user decides ----

void link_starttls(struct link *l)
{
    l->state = LINK_OPENS;
    smtp_client_starttls(l->smtp);
    move(l);
}

static size_t usable_tlsa(const struct trust_host *h, struct io_tlsa out[TLSA_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < h->tlsa_count && n < TLSA_MAX; i++) {
        const struct trust_tlsa *t = &h->tlsa[i];
        if (t->usable)
            out[n++] = (struct io_tlsa){t->usage, t->selector, t->matching, t->data};
    }
    return n;
}

void link_handshake(struct link *l, const struct trust_host *h)
{
    struct io_tlsa tlsa[TLSA_MAX];
    struct span names[TRUST_NAMES_MAX];
    struct io_tls_want want = {.strength = IO_TLS_ANY, .names = names, .tlsa = tlsa};
    bool dane = h->requirement == TRUST_REQ_DANE || h->requirement == TRUST_REQ_LOCAL_DANE_ONLY;
    if (dane)
        want.tlsa_count = usable_tlsa(h, tlsa);
    for (; want.name_count < h->name_count; want.name_count++)
        names[want.name_count] = dns_name_span(&h->names[want.name_count]);
    want.pkix = h->requirement == TRUST_REQ_STS || h->requirement == TRUST_REQ_PKIX ||
                h->requirement == TRUST_REQ_LOCAL_VERIFY || h->sts_testing;
    want.pin = h->requirement == TRUST_REQ_LOCAL_PINNED ? h->pin : SPAN("");
    want.sni = dns_name_span(h->tlsa_base.len ? &h->tlsa_base : &h->name);
    if (dane)
        want.strength = IO_TLS_DANE;
    else if (want.pkix && !h->sts_testing)
        want.strength = IO_TLS_MODERN;
    arm_in(l, conf_int(l->links->out->proc->conf, CONF_send_command_timeout));
    io_stream_connect_tls(l->stream, l->links->out->tls, &want);
}

void link_secured(struct link *l)
{
    l->state = LINK_OPENS;
    smtp_client_secured(l->smtp);
    move(l);
}

void link_begin(struct link *l, struct smtp_client_transaction *t)
{
    l->state = LINK_TALKS;
    smtp_client_tick(l->smtp, io_now(l->links->out->proc->loop));
    smtp_client_begin(l->smtp, t);
    move(l);
}

struct buf *link_out(struct link *l)
{
    return io_stream_out(l->stream);
}

void link_body_piece(struct link *l, struct span piece)
{
    smtp_client_body(l->smtp, piece, io_stream_out(l->stream));
    io_stream_wake(l->stream);
}

void link_body_end(struct link *l)
{
    smtp_client_body_end(l->smtp, io_stream_out(l->stream));
    io_stream_wake(l->stream);
    arm(l, smtp_client_deadline(l->smtp));
}

void link_leave(struct link *l)
{
    bool talks = l->stream && l->smtp &&
                 (l->state == LINK_IDLE || (l->state == LINK_RULED && l->session.connected &&
                                            l->seen.stage != TRUST_AT_HANDSHAKE));
    l->user = NULL;
    if (!talks || l->seen.stage == TRUST_AT_REFUSAL || l->seen.stage == TRUST_AT_CONNECT) {
        bury(l);
        return;
    }
    l->state = LINK_LEAVES;
    arm_in(l, LEAVE_PATIENCE);
    smtp_client_quit(l->smtp);
    move(l);
}

void links_close_idle(struct links *s)
{
    s->rules++;
    for (struct link *l = s->first, *next; l; l = next) {
        next = l->next;
        if (l->state == LINK_IDLE)
            link_leave(l);
    }
}
