// The receiver role: SMTP in. It accepts connections, runs a machine for each,
// puts bodies into segments, has messages made durable, writes bounces.
#include "proc_receiver.h"

#include "base_log.h"
#include "proc_aliases.h"
#include "proc_networks.h"
#include "proc_receiver_auth.h"
#include "proc_receiver_guard.h"
#include "proc_receiver_sign.h"

#include <stdlib.h>
#include <unistd.h>

// So many with the longest addresses there can be still fit into one COMMIT.
enum { RECIPIENTS_MOST = 7000 };

static void configure(struct receiver *r)
{
    const struct conf *c = r->proc->conf;
    int64_t recipients = conf_int(c, CONF_smtp_max_recipients);
    receiver_limit_sessions(r);
    receiver_tls_configure(r);
    networks_free(r->networks);
    r->networks = networks_new(c, CONF_relay_networks);
    struct conf_fault fault;
    struct aliases *aliases = aliases_new(c, r->proc->aliases, r->proc->aliases_fd, &fault);
    if (!aliases) // the master has tried them
        LOG(LOG_ERROR, "no-aliases", LOG_T("why", fault.text));
    else
        aliases_release(r->aliases);
    r->aliases = aliases ? aliases : r->aliases;
    guard_configure(r->guard, c);
    receiver_rules_release(r->rules);
    r->rules = receiver_rules_new(c);
    receiver_keys_release(r->keys);
    r->keys = receiver_keys_new(r->proc);
    r->smtp = (struct smtp_server_conf){
        .hostname = conf_span(c, CONF_hostname),
        .max_size = (uint64_t)conf_int(c, CONF_smtp_max_size),
        .max_recipients = (unsigned)(recipients < RECIPIENTS_MOST ? recipients : RECIPIENTS_MOST),
        .max_errors = (unsigned)conf_int(c, CONF_smtp_max_errors),
        .max_messages = (unsigned)conf_int(c, CONF_smtp_max_messages),
        .command_us = conf_int(c, CONF_smtp_command_timeout),
        .data_us = conf_int(c, CONF_smtp_data_timeout),
        .data_rate = (uint64_t)conf_int(c, CONF_limits_data_rate),
        .session_us = conf_int(c, CONF_smtp_session_timeout),
        .starttls = r->tls != NULL,
    };
}

static void stop_listening(struct receiver *r)
{
    for (size_t i = 0; i < r->door_count; i++)
        if (r->doors[i].listener)
            io_listener_free(r->doors[i].listener);
        else
            close(r->doors[i].fd);
    free(r->doors);
    r->doors = NULL;
    r->door_count = 0;
}

// Users are told how they can log in: not before the authenticator has said it.
static void open_known(struct receiver *r)
{
    for (size_t i = 0; i < r->door_count; i++) {
        struct receiver_door *d = &r->doors[i];
        if (!d->listener && (d->service == SMTP_SERVICE_MX || r->mechanisms))
            d->listener = io_listener_new(r->proc->loop, d->fd, receiver_accept, d);
    }
}

static void listen_all(struct receiver *r)
{
    struct proc *p = r->proc;
    stop_listening(r);
    r->doors = mem_new((p->listener_count + 1) * sizeof *r->doors);
    for (size_t i = 0; i < p->listener_count; i++) {
        struct receiver_door *d = &r->doors[r->door_count++];
        *d = (struct receiver_door){.receiver = r,
                                    .service = (enum smtp_service)p->listeners[i].kind,
                                    .fd = p->listeners[i].fd};
    }
    open_known(r);
}

// Nobody is greeted before the store has said how it is, so that the first
// client at start is not turned away for nothing.
void receiver_open_doors(struct receiver *r)
{
    if (r->door_count == 0 && !r->proc->draining)
        listen_all(r);
}

static struct receiver *receiver_of(struct proc *p)
{
    if (!p->data) {
        struct receiver *r = mem_new(sizeof *r);
        r->proc = p;
        r->guard = guard_new();
        r->current.fd = r->spare.fd = -1;
        r->segments = proc_segments_new();
        p->data = r;
    }
    return p->data;
}

static void start(struct proc *p)
{
    struct receiver *r = receiver_of(p);
    configure(r);
    receiver_segments_renew(r);
}

static void reload(struct proc *p)
{
    struct receiver *r = p->data;
    configure(r);
    receiver_foresight_renew(r);
    listen_all(r);
}

// The reporter ends as soon as what it has in hand is in the queue: before that it has an answer.
void receiver_idle(struct receiver *r)
{
    const struct proc_peer *reporter = proc_peer(r->proc, PROC_REPORTER, 0);
    if (r->proc->draining && r->session_count == 0 && !r->bounces && r->reports == 0 &&
        !(reporter && reporter->channel))
        proc_drained(r->proc);
}

static void drain(struct proc *p)
{
    struct receiver *r = p->data;
    stop_listening(r);
    receiver_drain_sessions(r);
    receiver_idle(r);
}

static void measure(struct proc *p)
{
    const struct receiver *r = p->data;
    meter_set(METER_SESSIONS_OPEN, (int64_t)r->session_count);
}

static void peer_up(struct proc_peer *peer)
{
    struct receiver *r = receiver_of(peer->proc);
    if (peer->kind == PROC_QUEUE) {
        CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
        receiver_bounces_busy(r, &b);
        proc_send(peer, MSG_BUSY, 0, buf_span(&b), -1);
    }
    if (peer->kind == PROC_STORE && peer->generation > 1) { // the first: start() asks
        proc_segments_clear(r->segments);
        receiver_segments_renew(r);
    }
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    struct receiver *r = peer->proc->data;
    if (m->kind == MSG_JOB && peer->kind == PROC_QUEUE)
        return receiver_bounce(r, m);
    if (m->kind == MSG_REPORT_MAIL && peer->kind == PROC_REPORTER)
        return receiver_report(r, peer, m);
    if (m->kind == MSG_MECHANISMS && peer->kind == PROC_AUTHENTICATOR) {
        struct rd rd = RD(m->payload);
        r->mechanisms = rd_u8(&rd);
        open_known(r);
        return rd_end(&rd);
    }
    if (m->kind == MSG_SEGMENT_GONE && peer->kind == PROC_STORE) {
        struct rd rd = RD(m->payload);
        proc_segments_drop(r->segments, rd_u32(&rd));
        return rd_end(&rd);
    }
    return false;
}

static void peer_down(struct proc_peer *peer)
{
    if (peer->kind == PROC_REPORTER)
        receiver_idle(peer->proc->data);
}

const struct proc_role proc_receiver = {.kind = PROC_RECEIVER,
                                        .start = start,
                                        .reload = reload,
                                        .drain = drain,
                                        .peer_up = peer_up,
                                        .peer_down = peer_down,
                                        .got = got,
                                        .measure = measure};
