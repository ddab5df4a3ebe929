// One outbound connection: a slot at the host, the socket, TLS, the client
// machine; kept open for a while for the next message that may use it.
#include "proc_link_inner.h"

#include <stdlib.h>

#define SLOT_PATIENCE  SECONDS(30)
#define LEAVE_PATIENCE SECONDS(10)

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

void link_free(struct link *l)
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
void link_bury(struct link *l)
{
    l->user = NULL;
    l->dead = true;
    if (!l->pumping)
        link_free(l);
}

void link_arm(struct link *l, struct mono when)
{
    if (l->end.us && when.us > l->end.us)
        when = l->end;
    io_timer_set(l->links->out->proc->loop, &l->timer, when);
}

void link_arm_in(struct link *l, int64_t us)
{
    link_arm(l, (struct mono){io_now(l->links->out->proc->loop).us + us});
}

static void on_time(void *arg)
{
    struct link *l = arg;
    bool over = l->end.us && io_now(l->links->out->proc->loop).us >= l->end.us;
    switch (l->state) {
    case LINK_IDLE:
        link_leave(l);
        return;
    case LINK_LEAVES:
        link_bury(l);
        return;
    case LINK_OPENS:
    case LINK_TALKS:
        if (over)
            break;
        smtp_client_tick(l->smtp, io_now(l->links->out->proc->loop));
        link_move(l);
        return;
    default:
        break;
    }
    link_lost(l, RC(TIMEOUT));
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
    l->stream = io_stream_connect(l->links->out->proc->loop, &to, NULL, &link_stream, l);
    link_arm_in(l, conf_int(c, CONF_send_connect_timeout));
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
        link_lost(l, RC(TIMEOUT));
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
    link_move(l);
}

void link_secured(struct link *l)
{
    l->state = LINK_OPENS;
    smtp_client_secured(l->smtp);
    link_move(l);
}

void link_begin(struct link *l, struct smtp_client_transaction *t)
{
    l->state = LINK_TALKS;
    smtp_client_tick(l->smtp, io_now(l->links->out->proc->loop));
    smtp_client_begin(l->smtp, t);
    link_move(l);
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
    link_arm(l, smtp_client_deadline(l->smtp));
}

void link_leave(struct link *l)
{
    bool talks = l->stream && l->smtp &&
                 (l->state == LINK_IDLE || (l->state == LINK_RULED && l->session.connected &&
                                            l->seen.stage != TRUST_AT_HANDSHAKE));
    l->user = NULL;
    if (!talks || l->seen.stage == TRUST_AT_REFUSAL || l->seen.stage == TRUST_AT_CONNECT) {
        link_bury(l);
        return;
    }
    l->state = LINK_LEAVES;
    link_arm_in(l, LEAVE_PATIENCE);
    smtp_client_quit(l->smtp);
    link_move(l);
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
