#include "proc_receiver_guard.h"

#include "abuse_bucket.h"
#include "base_log.h"
#include "dns_answer.h"
#include "proc_networks.h"
#include "proc_receiver_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 16384, PLACES = 4096, ANSWER_ROOM = 1 << 20 };

struct guard_count { // sessions at once of a client or a network
    struct guard_count *next;
    struct guard_key key;
    unsigned count;
};
struct rule { // so often in an hour
    struct abuse_rate client, network;
    bool on;
};
struct guard {
    struct guard_count *counts[PLACES];
    struct abuse_buckets *buckets[3];
    struct rule rules[3];
    unsigned per_client, per_network;
    int64_t greet_pause_us, stress_us, dns_us;
    bool fcrdns_refuses;
    struct abuse_conf dns;
    struct networks *proxies, *inside;
    uint64_t seed;
};
enum { CONNECTS, MESSAGES, RECIPIENTS };

struct guard_question {
    struct guard_question *next;
    struct guard_lookup *lookup;
    unsigned ticket;
    uint32_t asked;
};
struct guard_lookup {
    struct session *session;
    struct abuse_conf conf; // a reload changes the guard's
    struct abuse_client *machine;
    struct guard_question *open;
    struct io_timer timer;
    bool late;
};

// ---- configuration ----

struct guard *guard_new(void)
{
    struct guard *g = mem_new(sizeof *g);
    g->seed = io_random();
    for (size_t i = 0; i < sizeof g->buckets / sizeof *g->buckets; i++)
        g->buckets[i] = abuse_buckets_new(KEYS, io_random());
    return g;
}

static void rule_set(struct rule *r, int64_t hourly, int64_t network)
{
    r->on = hourly > 0;
    if (!r->on)
        return;
    r->client = abuse_hourly((uint64_t)hourly);
    r->network = abuse_hourly((uint64_t)hourly * (uint64_t)network);
}

static void add_list(struct abuse_conf *d, struct span entry)
{
    struct span zone = span_cut(&entry, ' ');
    if (d->list_count == ABUSE_LISTS_MAX || !dns_name_parse(&d->lists[d->list_count].zone, zone))
        return;
    d->lists[d->list_count++].refuse = span_eq(span_trim(entry), SPAN("refuse"));
}

void guard_configure(struct guard *g, const struct conf *c)
{
    int64_t network = conf_int(c, CONF_limits_network);
    uint64_t all = (uint64_t)conf_int(c, CONF_limits_per_client) * (uint64_t)network;
    g->per_client = (unsigned)conf_int(c, CONF_limits_per_client);
    g->per_network = all < UINT32_MAX ? (unsigned)all : UINT32_MAX;
    rule_set(&g->rules[CONNECTS], conf_int(c, CONF_limits_connects), network);
    rule_set(&g->rules[MESSAGES], conf_int(c, CONF_limits_messages), network);
    rule_set(&g->rules[RECIPIENTS], conf_int(c, CONF_limits_recipients), network);
    g->greet_pause_us = conf_int(c, CONF_limits_greet_pause);
    g->stress_us = conf_int(c, CONF_limits_stress_timeout);
    g->dns_us = conf_int(c, CONF_limits_timeout);
    unsigned fcrdns = conf_choice(c, CONF_limits_fcrdns); // ignore, note, refuse
    g->fcrdns_refuses = fcrdns == 2;
    g->dns = (struct abuse_conf){.names = fcrdns > 0};
    for (size_t i = 0; i < conf_count(c, CONF_limits_dnsbl); i++)
        add_list(&g->dns, conf_item(c, CONF_limits_dnsbl, i));
    networks_free(g->proxies);
    g->proxies = networks_new(c, CONF_limits_proxies);
    networks_free(g->inside);
    g->inside = networks_new(c, CONF_relay_networks);
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < sizeof g->buckets / sizeof *g->buckets; i++)
        abuse_buckets_free(g->buckets[i]);
    networks_free(g->proxies);
    networks_free(g->inside);
    free(g);
}

bool guard_is_balancer(const struct guard *g, const struct io_endpoint *peer)
{
    return networks_hold(g->proxies, peer);
}

int64_t guard_greet_pause(const struct guard *g)
{
    return g->greet_pause_us;
}

int64_t guard_patience(const struct guard *g, const struct receiver *r)
{
    bool stress = r->session_count >= r->session_max - r->session_max / 4;
    return stress && g->stress_us < r->smtp.command_us ? g->stress_us : r->smtp.command_us;
}

// ---- keys and counts ----

// The first `bits` of the address; who owns an IPv6 /64 has all addresses in it.
static struct guard_key key_of(const struct io_endpoint *peer, bool network)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = !peer->v6 || memcmp(peer->address, mapped, sizeof mapped) == 0;
    size_t from = v4 && peer->v6 ? 12 : 0;
    size_t bytes = v4 ? (network ? 3 : 4) : (network ? 6 : 8);
    struct guard_key k = {.len = bytes + 1};
    k.at[0] = (unsigned char)(v4 ? (network ? 'n' : 'c') : (network ? 'N' : 'C'));
    for (size_t i = 0; i < bytes; i++)
        k.at[i + 1] = peer->address[from + i];
    return k;
}

static struct span key_span(const struct guard_key *k)
{
    return (struct span){(const char *)k->at, k->len};
}

static size_t place_of(const struct guard *g, const struct guard_key *k)
{
    uint64_t h = g->seed;
    for (size_t i = 0; i < k->len; i++)
        h = (h ^ k->at[i]) * UINT64_C(0x100000001b3);
    return (size_t)((h ^ h >> 29) % PLACES);
}

static struct guard_count *count_in(struct guard *g, const struct guard_key *k)
{
    struct guard_count **head = &g->counts[place_of(g, k)], *c = *head;
    while (c && !span_eq(key_span(&c->key), key_span(k)))
        c = c->next;
    if (!c) {
        c = mem_new(sizeof *c);
        *c = (struct guard_count){.next = *head, .key = *k};
        *head = c;
    }
    c->count++;
    return c;
}

static void count_out(struct guard *g, struct guard_count *c)
{
    if (!c || --c->count)
        return;
    struct guard_count **at = &g->counts[place_of(g, &c->key)];
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

// ---- refusals ----

static struct guard_refusal refusal(enum meter meter, unsigned code, const char *status,
                                    const char *format, ...) __attribute__((format(printf, 4, 5)));

static struct guard_refusal refusal(enum meter meter, unsigned code, const char *status,
                                    const char *format, ...)
{
    struct guard_refusal r = {.code = code, .status = status, .meter = meter};
    va_list ap;
    va_start(ap, format);
    vsnprintf(r.text, sizeof r.text, format, ap);
    va_end(ap);
    return r;
}

static const struct guard_refusal fine = {.code = 0};

static int64_t take(struct session *s, size_t rule)
{
    struct guard *g = s->guard.guard;
    struct mono now = io_now(s->receiver->proc->loop);
    if (!g || s->inside || s->login.user || !g->rules[rule].on)
        return 0;
    int64_t client = abuse_bucket_take(g->buckets[rule], key_span(&s->guard.client_key),
                                       &g->rules[rule].client, 1, now);
    int64_t network = abuse_bucket_take(g->buckets[rule], key_span(&s->guard.network_key),
                                        &g->rules[rule].network, 1, now);
    return client > network ? client : network;
}

struct guard_refusal guard_message(struct session *s)
{
    int64_t wait = take(s, MESSAGES);
    return wait ? refusal(METER_REFUSED_MESSAGE_RATE, 450, "4.7.1",
                          "too many messages from your address, try again in %lld seconds",
                          (long long)(wait / US_PER_S + 1))
                : fine;
}

struct guard_refusal guard_recipient(struct session *s)
{
    int64_t wait = take(s, RECIPIENTS);
    return wait ? refusal(METER_REFUSED_RECIPIENT_RATE, 450, "4.7.1",
                          "too many recipients from your address, try again in %lld seconds",
                          (long long)(wait / US_PER_S + 1))
                : fine;
}

// ---- what the DNS says ----

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
    if (abuse_client_done(l->machine))
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

static void lookup_begin(struct session *s)
{
    struct guard *g = s->guard.guard;
    if (s->inside || (!g->dns.names && g->dns.list_count == 0))
        return;
    struct guard_lookup *l = mem_new(sizeof *l);
    struct dns_address a = {.v6 = s->peer.v6};
    span_bytes(a.at, sizeof a.at, SPAN_OF(s->peer.address));
    *l = (struct guard_lookup){.session = s, .conf = g->dns};
    l->machine = abuse_client_new(&l->conf, &a);
    l->timer = (struct io_timer){.fire = over, .arg = l};
    s->guard.lookup = l;
    io_timer_set(s->receiver->proc->loop, &l->timer,
                 (struct mono){io_now(s->receiver->proc->loop).us + g->dns_us});
    ask_all(l);
}

static void lookup_end(struct session *s)
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
    free(l);
    s->guard.lookup = NULL;
}

void guard_await(struct session *s, void (*then)(struct session *s))
{
    struct guard_lookup *l = s->guard.lookup;
    if (!l || l->late || s->login.user || abuse_client_done(l->machine)) {
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
        return fine;
    struct abuse_finding f = abuse_client_finding(l->machine);
    CLEANUP(buf_free) struct buf client = BUF(256);
    session_put_client(&client, s);
    if (f.listed && f.listed->refuse)
        return refusal(METER_REFUSED_DNSBL, 550, "5.7.1", "%s is listed at %s (%u.%u.%u.%u)",
                       buf_str(&client), f.listed->zone.text, f.code.at[0], f.code.at[1],
                       f.code.at[2], f.code.at[3]);
    if (f.name_is == ABUSE_NAME_NONE && s->guard.guard->fcrdns_refuses)
        return refusal(METER_REFUSED_FCRDNS, 550, "5.7.25",
                       "%s has no host name in the DNS that leads back to it", buf_str(&client));
    if (f.listed)
        note(s, "listed", dns_name_span(&f.listed->zone));
    if (f.name_is == ABUSE_NAME_NONE)
        note(s, "nameless", SPAN(""));
    if (l->late || abuse_client_done(l->machine)) // said once a session
        lookup_end(s);
    return fine;
}

// ---- coming and going ----

struct guard_refusal guard_enter(struct guard *g, struct session *s)
{
    s->guard.guard = g;
    s->guard.client_key = key_of(&s->peer, false);
    s->guard.network_key = key_of(&s->peer, true);
    s->inside = networks_hold(g->inside, &s->peer);
    if (s->inside)
        return fine;
    s->guard.client = count_in(g, &s->guard.client_key);
    s->guard.network = count_in(g, &s->guard.network_key);
    if (g->per_client &&
        (s->guard.client->count > g->per_client || s->guard.network->count > g->per_network))
        return refusal(METER_REFUSED_CLIENT_FULL, 421, "4.7.0",
                       "too many connections from your address at once");
    int64_t wait = take(s, CONNECTS);
    if (wait)
        return refusal(METER_REFUSED_CONNECT_RATE, 421, "4.7.0",
                       "too many connections from your address, try again in %lld seconds",
                       (long long)(wait / US_PER_S + 1));
    if (s->conf.service == SMTP_SERVICE_MX)
        lookup_begin(s);
    return fine;
}

void guard_leave(struct session *s)
{
    if (!s->guard.guard)
        return;
    lookup_end(s);
    count_out(s->guard.guard, s->guard.client);
    count_out(s->guard.guard, s->guard.network);
    s->guard = (struct guard_session){0};
}
