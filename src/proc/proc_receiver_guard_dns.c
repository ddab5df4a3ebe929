// What the DNS says about clients: asked when they come, awaited at RCPT.
#include "proc_receiver_guard_inner.h"

#include "base_log.h"
#include "dns_answer.h"

#include <stdlib.h>

enum { ANSWER_ROOM = 1 << 20 };

struct guard_question {
    struct guard_question *next;
    struct guard_lookup *lookup;
    unsigned ticket;
    uint32_t asked;
};
struct guard_lookup {
    struct session *session;
    struct guard_zones *zones;
    struct abuse_client *machine;
    struct guard_question *open;
    struct io_timer timer;
    bool late;
};

void guard_zones_release(struct guard_zones *z)
{
    if (z && --z->users == 0)
        free(z);
}

static void drop_question(struct guard_question *q)
{
    struct guard_question **at = &q->lookup->open;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    free(q);
}

static void settled(struct guard_lookup *l)
{
    struct session *s = l->session;
    void (*then)(struct session *) = s->guard.then;
    io_timer_cancel(s->receiver->proc->loop, &l->timer);
    if (!then)
        return;
    s->guard.then = NULL;
    s->waiting = false;
    then(s);
    if (!s->waiting) {
        io_stream_pause(s->stream, false);
        session_resume(s);
    }
}

static void ask_all(struct guard_lookup *l);

// Nothing that is still open could change it, or nobody waits for that any more.
static bool decided(const struct guard_lookup *l)
{
    const struct abuse_list *listed = abuse_client_finding(l->machine).listed;
    return l->late || abuse_client_done(l->machine) || (listed && listed->refuse);
}

static bool told(void *arg, struct io_message *m)
{
    static const struct dns_answer nothing = {.standing = DNS_INDETERMINATE,
                                              .presence = DNS_NO_ANSWER};
    struct guard_question *q = arg;
    struct guard_lookup *l = q->lookup;
    CLEANUP(arena_free) struct arena room = ARENA(ANSWER_ROOM);
    struct dns_answer answer = nothing;
    struct rd r = RD(m ? m->payload : SPAN(""));
    bool wellformed = !m || (dns_answer_unpack(&r, &answer, &room) && rd_end(&r));
    unsigned ticket = q->ticket;
    drop_question(q);
    abuse_client_answer(l->machine, ticket, wellformed ? &answer : &nothing);
    ask_all(l);
    if (decided(l))
        settled(l);
    return wellformed;
}

static void ask_all(struct guard_lookup *l)
{
    struct dns_question ask;
    unsigned ticket;
    while (abuse_client_asks(l->machine, &ticket, &ask)) {
        CLEANUP(buf_free) struct buf b = BUF(1024);
        struct guard_question *q = mem_new(sizeof *q);
        *q = (struct guard_question){.next = l->open, .lookup = l, .ticket = ticket};
        l->open = q;
        dns_question_pack(&b, &ask);
        q->asked = proc_ask(l->session->receiver->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b),
                            l->session->guard.guard->dns_us, told, q);
    }
}

static void over(void *arg)
{
    struct guard_lookup *l = arg;
    l->late = true;
    settled(l);
}

void guard_lookup_begin(struct session *s)
{
    struct guard *g = s->guard.guard;
    if (!g->zones->conf.names && g->zones->conf.list_count == 0)
        return;
    struct guard_lookup *l = mem_new(sizeof *l);
    struct dns_address a = {.v6 = s->peer.v6};
    span_bytes(a.at, sizeof a.at, SPAN_OF(s->peer.address));
    *l = (struct guard_lookup){.session = s, .zones = g->zones};
    g->zones->users++;
    l->machine = abuse_client_new(&l->zones->conf, &a);
    l->timer = (struct io_timer){.fire = over, .arg = l};
    s->guard.lookup = l;
    io_timer_set(s->receiver->proc->loop, &l->timer,
                 (struct mono){io_now(s->receiver->proc->loop).us + g->dns_us});
    ask_all(l);
}

void guard_lookup_end(struct session *s)
{
    struct guard_lookup *l = s->guard.lookup;
    if (!l)
        return;
    io_timer_cancel(s->receiver->proc->loop, &l->timer);
    while (l->open) {
        proc_forget(s->receiver->proc, l->open->asked);
        drop_question(l->open);
    }
    abuse_client_free(l->machine);
    guard_zones_release(l->zones);
    free(l);
    s->guard.lookup = NULL;
}

void guard_await(struct session *s, void (*then)(struct session *s))
{
    struct guard_lookup *l = s->guard.lookup;
    if (!l || s->login.user || decided(l)) {
        then(s);
        return;
    }
    s->guard.then = then;
    s->waiting = true;
    session_hold_input(s);
}

static void note(struct session *s, const char *what, struct span name)
{
    CLEANUP(buf_free) struct buf client = BUF(256);
    session_put_client(&client, s);
    LOG(LOG_INFO, "client-noted", LOG_S("client", buf_span(&client)), LOG_T("is", what),
        LOG_S("name", name));
}

struct guard_refusal guard_verdict(struct session *s)
{
    struct guard_lookup *l = s->guard.lookup;
    if (!l || s->login.user)
        return (struct guard_refusal){0};
    struct abuse_finding f = abuse_client_finding(l->machine);
    CLEANUP(buf_free) struct buf client = BUF(256);
    session_put_client(&client, s);
    if (f.listed && f.listed->refuse)
        return guard_refusal_of(
            METER_REFUSED_DNSBL, 550, "5.7.1", "%s is listed at %s (%u.%u.%u.%u)", buf_str(&client),
            f.listed->zone.text, f.code.at[0], f.code.at[1], f.code.at[2], f.code.at[3]);
    if (f.name_is == ABUSE_NAME_NONE && s->guard.guard->fcrdns_refuses)
        return guard_refusal_of(METER_REFUSED_FCRDNS, 550, "5.7.25",
                                "%s has no host name in the DNS that leads back to it",
                                buf_str(&client));
    if (f.listed)
        note(s, "listed", dns_name_span(&f.listed->zone));
    if (f.name_is == ABUSE_NAME_NONE)
        note(s, "nameless", SPAN(""));
    if (l->late || abuse_client_done(l->machine)) // said once a session
        guard_lookup_end(s);
    return (struct guard_refusal){0};
}
