#include "proc_receiver_guard_inner.h"

#include "proc_networks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 16384 }; // that a rate is kept for
enum { CONNECTS, MESSAGES, RECIPIENTS };

// ---- configuration ----

struct guard *guard_new(void)
{
    struct guard *g = mem_new(sizeof *g);
    g->seed = io_random();
    for (size_t i = 0; i < sizeof g->buckets / sizeof *g->buckets; i++)
        g->buckets[i] = abuse_buckets_new(KEYS, io_random());
    return g;
}

static void rule_set(struct guard_rule *r, int64_t hourly, int64_t network)
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
    guard_zones_release(g->zones);
    g->zones = mem_new(sizeof *g->zones);
    g->zones->users = 1;
    g->zones->conf.names = fcrdns > 0;
    for (size_t i = 0; i < conf_count(c, CONF_limits_dnsbl); i++)
        add_list(&g->zones->conf, conf_item(c, CONF_limits_dnsbl, i));
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
    guard_zones_release(g->zones);
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
    struct guard_key k = {.len = (unsigned char)(bytes + 1)};
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
    return (size_t)((h ^ h >> 29) % GUARD_PLACES);
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

static void count_out(struct guard *g, struct guard_count **one)
{
    struct guard_count *c = *one;
    *one = NULL;
    if (!c || --c->count)
        return;
    struct guard_count **at = &g->counts[place_of(g, &c->key)];
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

// ---- refusals ----

struct guard_refusal guard_refusal_of(enum meter meter, unsigned code, const char *status,
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

// Who may no more takes nothing from his neighbours.
static int64_t take(struct session *s, size_t rule)
{
    struct guard *g = s->guard.guard;
    struct mono now = io_now(s->receiver->proc->loop);
    if (!g || s->inside || s->login.user || !g->rules[rule].on)
        return 0;
    struct guard_key client = key_of(&s->peer, false), network = key_of(&s->peer, true);
    int64_t wait =
        abuse_bucket_take(g->buckets[rule], key_span(&client), &g->rules[rule].client, 1, now);
    return wait ? wait
                : abuse_bucket_take(g->buckets[rule], key_span(&network), &g->rules[rule].network,
                                    1, now);
}

struct guard_refusal guard_message(struct session *s)
{
    int64_t wait = take(s, MESSAGES);
    return wait ? guard_refusal_of(METER_REFUSED_MESSAGE_RATE, 450, "4.7.1",
                                   "too many messages from your address, try again in %lld seconds",
                                   (long long)(wait / US_PER_S + 1))
                : fine;
}

struct guard_refusal guard_recipient(struct session *s)
{
    int64_t wait = take(s, RECIPIENTS);
    return wait ? guard_refusal_of(
                      METER_REFUSED_RECIPIENT_RATE, 450, "4.7.1",
                      "too many recipients from your address, try again in %lld seconds",
                      (long long)(wait / US_PER_S + 1))
                : fine;
}

// ---- coming and going ----

static void count_none(struct session *s)
{
    count_out(s->guard.guard, &s->guard.client);
    count_out(s->guard.guard, &s->guard.network);
}

static struct guard_refusal admit(struct session *s)
{
    const struct guard *g = s->guard.guard;
    if (g->per_client &&
        (s->guard.client->count > g->per_client || s->guard.network->count > g->per_network))
        return guard_refusal_of(METER_REFUSED_CLIENT_FULL, 421, "4.7.0",
                                "too many connections from your address at once");
    int64_t wait = take(s, CONNECTS);
    return wait ? guard_refusal_of(METER_REFUSED_CONNECT_RATE, 421, "4.7.0",
                                   "too many connections from your address, try again in %lld "
                                   "seconds",
                                   (long long)(wait / US_PER_S + 1))
                : fine;
}

struct guard_refusal guard_enter(struct guard *g, struct session *s)
{
    s->guard.guard = g;
    s->inside = networks_hold(g->inside, &s->peer);
    if (s->inside)
        return fine;
    struct guard_key client = key_of(&s->peer, false), network = key_of(&s->peer, true);
    s->guard.client = count_in(g, &client);
    s->guard.network = count_in(g, &network);
    struct guard_refusal no = admit(s);
    if (no.code)
        count_none(s); // it is closing: no reason to refuse others
    else if (s->conf.service == SMTP_SERVICE_MX)
        guard_lookup_begin(s);
    return no;
}

void guard_trust(struct session *s)
{
    if (!s->guard.guard)
        return;
    guard_lookup_end(s);
    count_none(s);
}

void guard_leave(struct session *s)
{
    guard_trust(s);
    s->guard = (struct guard_session){0};
}
