#include "proc_receiver_auth.h"

#include "proc_networks.h"

#include "proc_receiver_auth_inner.h"

#include <stdlib.h>

enum { ANSWER_ROOM = 1 << 20, TEXTS_ROOM = 8192 };
#define CLOCK_SKEW SECONDS(300)

struct question { // under way at the resolver
    struct question *next;
    struct receiver_auth *auth;
    unsigned ticket;
    uint32_t asked;
};

// ---- rules ----

static struct known_names names_of(const struct conf *c, enum conf_id list)
{
    size_t count = conf_count(c, list);
    struct known_names n = {.at = mem_new((count + 1) * sizeof *n.at)};
    for (size_t i = 0; i < count; i++)
        if (dns_name_parse(&n.at[n.count], conf_item(c, list, i)))
            n.count++;
    return n;
}

struct receiver_rules *receiver_rules_new(const struct conf *c)
{
    if (!conf_bool(c, CONF_auth_evaluate))
        return NULL;
    struct receiver_rules *r = mem_new(sizeof *r);
    struct span id = conf_span(c, CONF_auth_authserv_id), host = conf_span(c, CONF_hostname);
    *r = (struct receiver_rules){
        .users = 1,
        .relayed = conf_bool(c, CONF_auth_relayed),
        .spf = (enum spf_rule)conf_choice(c, CONF_auth_spf),
        .dmarc = (enum dmarc_rule)conf_choice(c, CONF_auth_dmarc),
        .from = (enum from_rule)conf_choice(c, CONF_auth_from),
        .hold = conf_choice(c, CONF_auth_quarantine) == QUARANTINE_HOLD,
        .timeout = conf_int(c, CONF_auth_timeout),
        .signatures_max = (unsigned)conf_int(c, CONF_auth_max_signatures),
        .rsa_bits_min = (unsigned)conf_int(c, CONF_auth_min_rsa_bits),
        .forwarders = networks_new(c, CONF_auth_trusted_forwarders),
        .sealers = names_of(c, CONF_auth_trusted_sealers),
        .lists = names_of(c, CONF_auth_mailing_lists),
        .exempt = names_of(c, CONF_auth_exempt),
        .id = BUF(256),
    };
    buf_put(&r->id, id.len ? id : host);
    if (!dns_name_parse_host(&r->host, host))
        r->host = (struct dns_name){0};
    return r;
}

void receiver_rules_release(struct receiver_rules *r)
{
    if (!r || --r->users)
        return;
    networks_free(r->forwarders);
    free(r->sealers.at);
    free(r->lists.at);
    free(r->exempt.at);
    buf_free(&r->id);
    free(r);
}

bool receiver_rules_relayed(const struct receiver_rules *r)
{
    return r->relayed;
}

// ---- questions ----

static void move(struct receiver_auth *a);

static const struct dns_answer unknown = {.standing = DNS_INDETERMINATE,
                                          .presence = DNS_NO_ANSWER,
                                          .why = {"the resolver gave no answer in time", 35}};

static void drop(struct question *q)
{
    struct question **at = &q->auth->open;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    free(q);
}

static bool answered(void *arg, struct io_message *m)
{
    struct question *q = arg;
    struct receiver_auth *a = q->auth;
    CLEANUP(arena_free) struct arena room = ARENA(ANSWER_ROOM);
    struct dns_answer answer = unknown;
    unsigned ticket = q->ticket;
    bool fine = true;
    drop(q);
    if (m) {
        struct rd r = RD(m->payload);
        fine = dns_answer_unpack(&r, &answer, &room) && rd_end(&r);
        if (!fine)
            answer = unknown;
    }
    auth_message_answer(a->machine, ticket, &answer);
    move(a);
    return fine;
}

static void ask(struct receiver_auth *a, const struct auth_step *step)
{
    if (a->late) {
        auth_message_answer(a->machine, step->ticket, &unknown);
        return;
    }
    CLEANUP(buf_free) struct buf b = BUF(1024);
    struct question *q = mem_new(sizeof *q);
    *q = (struct question){a->open, a, step->ticket, 0};
    a->open = q;
    dns_question_pack(&b, &step->question);
    q->asked =
        proc_ask(a->proc, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b), a->rules->timeout, answered, q);
}

// Ends with a call to who waits, who may free us there.
static void move(struct receiver_auth *a)
{
    struct auth_step step = auth_message_next(a->machine);
    for (; step.kind == AUTH_ASK_DNS; step = auth_message_next(a->machine))
        ask(a, &step);
    if (step.kind != AUTH_DONE || a->result)
        return;
    a->result = auth_message_result(a->machine);
    io_timer_cancel(a->proc->loop, &a->timer);
    if (a->done)
        a->done(a->arg);
}

// What is not known by now is temperror.
static void overdue(void *arg)
{
    struct receiver_auth *a = arg;
    a->late = true;
    while (a->open) {
        unsigned ticket = a->open->ticket;
        proc_forget(a->proc, a->open->asked);
        drop(a->open);
        auth_message_answer(a->machine, ticket, &unknown);
    }
    move(a);
}

// ---- the message ----

static void fill_request(struct receiver_auth *a, struct auth_message_request *q)
{
    const struct receiver_rules *r = a->rules;
    *q = (struct auth_message_request){
        .spf = {.client = a->client,
                .helo = a->helo,
                .mail_from = a->sender,
                .receiver = r->host,
                .now = io_wall(a->proc->loop)},
        .facts = {.most = r->dmarc == DMARC_RULE_ENFORCE ? DMARC_REJECT : DMARC_NONE,
                  .trusted_forwarder = a->trusted,
                  .detail = a->trusted ? buf_span(&a->client_text) : SPAN("auth.dmarc")},
        .lists = {r->lists.at, r->lists.count},
        .exempt = {r->exempt.at, r->exempt.count},
        .believed = a->believed,
    };
    q->dkim = (struct auth_dkim_options){.now = q->spf.now,
                                         .skew = CLOCK_SKEW,
                                         .signatures_max = r->signatures_max,
                                         .rsa_bits_min = r->rsa_bits_min};
    q->arc = (struct auth_arc_options){.now = q->spf.now,
                                       .skew = CLOCK_SKEW,
                                       .rsa_bits_min = r->rsa_bits_min,
                                       .sealers = r->sealers.at,
                                       .sealer_count = r->sealers.count};
}

// The authserv-id of the server at hand, if its results are believed.
static struct span believed(struct receiver_auth *a, const struct io_endpoint *client)
{
    const struct conf *c = a->proc->conf;
    for (size_t i = 0; i < conf_count(c, CONF_auth_trusted_results); i++) {
        struct span network = conf_item(c, CONF_auth_trusted_results, i);
        struct span id = span_cut(&network, ' ');
        if (network_holds(span_trim(network), client))
            return arena_dup(&a->texts, id);
    }
    return SPAN("");
}

struct receiver_auth *receiver_auth_new(struct proc *p, struct receiver_rules *rules,
                                        const struct receiver_auth_request *q)
{
    struct receiver_auth *a = mem_new(sizeof *a);
    struct auth_message_request request;
    a->proc = p;
    a->rules = rules;
    rules->users++;
    a->texts = ARENA(TEXTS_ROOM);
    a->helo = arena_dup(&a->texts, q->helo);
    a->sender = arena_dup(&a->texts, q->sender);
    a->client.v6 = q->client->v6;
    span_bytes(a->client.at, sizeof a->client.at, SPAN_OF(q->client->address));
    a->client_text = BUF(64);
    dns_address_put(&a->client_text, &a->client);
    a->trusted = networks_hold(rules->forwarders, q->client);
    a->believed = believed(a, q->client);
    a->timer = (struct io_timer){.fire = overdue, .arg = a};
    fill_request(a, &request);
    a->machine = auth_message_new(&request);
    move(a);
    return a;
}

void receiver_auth_free(struct receiver_auth *a)
{
    if (!a)
        return;
    io_timer_cancel(a->proc->loop, &a->timer);
    while (a->open) {
        proc_forget(a->proc, a->open->asked);
        drop(a->open);
    }
    auth_message_free(&a->machine);
    receiver_rules_release(a->rules);
    buf_free(&a->client_text);
    arena_free(&a->texts);
    free(a);
}

void receiver_auth_feed(struct receiver_auth *a, struct span piece)
{
    auth_message_feed(a->machine, piece);
    move(a);
}

bool receiver_auth_end(struct receiver_auth *a, void (*done)(void *arg), void *arg)
{
    auth_message_end(a->machine);
    move(a);
    if (a->result)
        return true;
    a->done = done;
    a->arg = arg;
    io_timer_set(a->proc->loop, &a->timer,
                 (struct mono){io_now(a->proc->loop).us + a->rules->timeout});
    return false;
}

struct span receiver_auth_id(const struct receiver_auth *a)
{
    return buf_span(&a->rules->id);
}
