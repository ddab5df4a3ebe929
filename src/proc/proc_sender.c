// The sender role: SMTP out. Jobs come from the queue, messages and their
// outcomes go to and from the store, plans are made with resolver and fetcher.
#include "proc_sender.h"

#include "base_log.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

#define REFRESH_EVERY SECONDS(3600)
#define REFRESH_FIRST SECONDS(60)

static struct sender *sender_of(struct proc *p)
{
    if (!p->data) {
        struct sender *s = mem_new(sizeof *s);
        s->proc = p;
        s->segments = proc_segments_new();
        p->data = s;
    }
    return p->data;
}

// ---- who we are: a host of an MX list with one of these addresses is ourselves ----

static void add_self(struct sender *s, bool v6, const void *bytes)
{
    size_t size = v6 ? 16 : 4;
    s->self_addresses =
        mem_resize(s->self_addresses, (s->self_address_count + 1) * sizeof *s->self_addresses);
    struct dns_address *a = &s->self_addresses[s->self_address_count++];
    *a = (struct dns_address){.v6 = v6};
    span_bytes(a->at, size, (struct span){bytes, size});
}

static void add_interfaces(struct sender *s)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            add_self(s, false, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr);
        else if (i->ifa_addr->sa_family == AF_INET6)
            add_self(s, true, &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr);
    }
    freeifaddrs(all);
}

static void add_endpoint(struct sender *s, struct span text, uint16_t port)
{
    static const unsigned char any[16];
    struct io_endpoint e;
    if (!io_endpoint_parse(&e, text, port) || e.local || e.port != port)
        return; // another port is another server
    size_t size = e.v6 ? 16 : 4;
    if (span_eq((struct span){(const char *)e.address, size},
                (struct span){(const char *)any, size}))
        add_interfaces(s);
    else
        add_self(s, e.v6, e.address);
}

static void learn_self(struct sender *s)
{
    const struct conf *c = s->proc->conf;
    uint16_t port = (uint16_t)conf_int(c, CONF_send_port);
    free(s->self_addresses);
    s->self_addresses = NULL;
    s->self_address_count = 0;
    if (!dns_name_parse_host(&s->self, conf_span(c, CONF_hostname)))
        s->self = (struct dns_name){0};
    for (size_t i = 0; i < conf_count(c, CONF_smtp_listen); i++)
        add_endpoint(s, conf_item(c, CONF_smtp_listen, i), port);
    for (size_t i = 0; i < conf_count(c, CONF_send_addresses); i++)
        add_endpoint(s, conf_item(c, CONF_send_addresses, i), port);
}

// ---- the role ----

static void configure(struct sender *s)
{
    const char *why = "";
    struct io_tls_client *tls = NULL;
    struct rc rc = io_tls_client_new(&tls, conf_span(s->proc->conf, CONF_tls_ca_file), &why);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "no-trust-anchors", LOG_T("why", why));
        if (!s->tls)
            proc_fail(s->proc); // nothing could be verified
        return;
    }
    io_tls_client_free(s->tls);
    s->tls = tls;
    learn_self(s);
}

static void refresh(void *arg)
{
    struct sender *s = arg;
    plans_refresh(s->plans);
    io_timer_set(s->proc->loop, &s->refresh,
                 (struct mono){io_now(s->proc->loop).us + REFRESH_EVERY});
}

static void start(struct proc *p)
{
    struct sender *s = sender_of(p);
    configure(s);
    s->plans = plans_new(s);
    if (p->index == 0) { // one of us keeps the policies fresh
        s->refresh = (struct io_timer){.fire = refresh, .arg = s};
        io_timer_set(p->loop, &s->refresh, (struct mono){io_now(p->loop).us + REFRESH_FIRST});
    }
}

static void reload(struct proc *p)
{
    struct sender *s = p->data;
    configure(s);
    plans_forget(s->plans);
    links_close_idle(s); // opened under the old rules
}

void sender_idle(struct sender *s)
{
    if (s->proc->draining && !s->deliveries)
        proc_drained(s->proc);
}

static void drain(struct proc *p)
{
    struct sender *s = p->data;
    links_close_idle(s);
    sender_idle(s);
}

static void peer_up(struct proc_peer *peer)
{
    struct sender *s = sender_of(peer->proc);
    if (peer->kind == PROC_QUEUE) {
        CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
        deliveries_busy(s, &b);
        proc_send(peer, MSG_BUSY, 0, buf_span(&b), -1);
    }
    if (peer->kind == PROC_STORE)
        proc_segments_clear(s->segments);
}

static bool got_job(struct sender *s, struct io_message *m)
{
    struct rd r = RD(m->payload);
    uint64_t job = rd_u64(&r), message = rd_u64(&r);
    struct span domain = rd_span(&r);
    rd_u64(&r);
    if (!rd_end(&r) || domain.len == 0)
        return false;
    if (s->proc->draining)
        return true; // the queue learns from our end that nothing came of it
    delivery_start(s, job, message, domain);
    return true;
}

static bool got(struct proc_peer *peer, struct io_message *m)
{
    struct sender *s = peer->proc->data;
    if (m->kind == MSG_JOB && peer->kind == PROC_QUEUE)
        return got_job(s, m);
    if (m->kind == MSG_SEGMENT_GONE && peer->kind == PROC_STORE) {
        struct rd r = RD(m->payload);
        proc_segments_drop(s->segments, rd_u32(&r));
        return rd_end(&r);
    }
    return false;
}

const struct proc_role proc_sender = {.kind = PROC_SENDER,
                                      .start = start,
                                      .reload = reload,
                                      .drain = drain,
                                      .peer_up = peer_up,
                                      .got = got};
