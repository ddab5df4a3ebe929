#include "proc_plans.h"

#include "base_code.h"
#include "base_log.h"

#include <stdlib.h>

enum { PLAN_ROOM = 4 << 20, PLANS_MAX = 20000, PLAN_BUCKETS = 4096, REFRESH_LIMIT = 100 };
enum { ANSWER_ROOM = 4 << 20 };
enum { BYTES_MAX = 128 << 20 }; // of plans kept: a domain can make its own large
#define DNS_PATIENCE    SECONDS(60)
#define FETCH_PATIENCE  SECONDS(120)
#define STORED_PATIENCE SECONDS(10)
#define PLAN_AGE_MOST   SECONDS(300)
#define REFRESH_AHEAD   SECONDS(6 * 3600)

struct waiter {
    struct waiter *next;
    plan_ready ready;
    void *arg;
};

// A domain with its plan, or with one in the making.
struct entry {
    struct entry *next;
    struct plans *plans;
    struct dns_name domain;
    struct trust_need need;
    bool refresh;             // only the policy, for its own sake
    bool old;                 // in the making under rules that no longer hold
    struct shared_plan *plan; // NULL: in the making
    struct mono until;
    struct shared_plan *making;
    struct trust_planner *planner;
    struct waiter *waiters;
    unsigned open; // questions under way
    bool moving;
    char pin[32];
};

struct plans {
    const struct outbound *out;
    struct entry *buckets[PLAN_BUCKETS]; // by domain
    size_t count, bytes;                 // entries; bytes of the plans that are kept
};

struct question { // one question of a planner under way
    struct entry *entry;
    enum trust_ask kind;
    unsigned ticket;
};

static void move(struct entry *e);

void plans_release(struct shared_plan *plan)
{
    if (!plan || --plan->users)
        return;
    arena_free(&plan->arena);
    buf_free(&plan->json);
    free(plan);
}

struct plans *plans_new(const struct outbound *o)
{
    struct plans *p = mem_new(sizeof *p);
    p->out = o;
    return p;
}

static struct entry **bucket_of(struct plans *p, const struct dns_name *domain)
{
    uint32_t h = 2166136261u; // FNV-1a
    for (size_t i = 0; i < domain->len; i++)
        h = (h ^ (unsigned char)domain->text[i]) * 16777619u;
    return &p->buckets[h % PLAN_BUCKETS];
}

static size_t plan_bytes(const struct shared_plan *plan)
{
    return plan->arena.used + plan->json.cap;
}

static void remove_entry(struct entry *e)
{
    for (struct entry **at = bucket_of(e->plans, &e->domain); *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            break;
        }
    }
    e->plans->count--;
    if (e->plan)
        e->plans->bytes -= plan_bytes(e->plan);
    plans_release(e->plan);
    free(e);
}

static void plans_drop(struct plans *p)
{
    for (size_t i = 0; i < PLAN_BUCKETS; i++) {
        for (struct entry *e = p->buckets[i], *next; e; e = next) {
            next = e->next;
            if (e->plan)
                remove_entry(e);
        }
    }
}

// Those in the making go on for who waits for them; they are not kept.
void plans_forget(struct plans *p)
{
    plans_drop(p);
    for (size_t i = 0; i < PLAN_BUCKETS; i++)
        for (struct entry *e = p->buckets[i]; e; e = e->next)
            e->old = true;
}

void plans_free(struct plans *p)
{
    if (!p)
        return;
    plans_forget(p);
    free(p);
}

// ---- answers ----

// Unpacked in a place of its own: a plan without room for it is the planner's to
// judge, and nothing that the resolver did wrong.
static void answer_dns(struct question *q, struct rd *r, bool *fine)
{
    CLEANUP(arena_free) struct arena a = ARENA(ANSWER_ROOM);
    struct dns_answer answer = {.standing = DNS_INDETERMINATE,
                                .presence = DNS_NO_ANSWER,
                                .why = SPAN("the resolver gave no answer in time")};
    if (r) {
        *fine = dns_answer_unpack(r, &answer, &a) && rd_end(r);
        if (!*fine)
            answer = (struct dns_answer){.why = SPAN("the resolver's answer was damaged")};
    }
    trust_planner_dns(q->entry->planner, q->ticket, &answer);
}

static void answer_stored(struct question *q, struct rd *r, bool *fine)
{
    struct trust_sts_stored stored;
    bool found = false;
    if (r) {
        found = rd_bool(r);
        *fine = (!found || trust_sts_unpack(r, &stored, &q->entry->making->arena)) && rd_end(r);
    }
    trust_planner_stored(q->entry->planner, q->ticket, found && *fine ? &stored : NULL);
}

static void answer_fetched(struct question *q, struct rd *r, bool *fine)
{
    struct trust_fetched fetched = {.result = TRUST_FETCH_CONNECT,
                                    .detail = SPAN("the policy could not be fetched in time")};
    if (r) {
        *fine = trust_fetched_unpack(r, &fetched, &q->entry->making->arena) && rd_end(r);
        if (!*fine)
            fetched = (struct trust_fetched){.result = TRUST_FETCH_CONNECT,
                                             .detail = SPAN("the fetcher's answer was damaged")};
    }
    trust_planner_fetched(q->entry->planner, q->ticket, &fetched);
}

static const struct {
    enum proc_kind who;
    enum proc_message question, answer;
    int64_t patience;
    void (*take)(struct question *, struct rd *, bool *);
} asks[] = {
    [TRUST_ASK_DNS] = {PROC_RESOLVER, MSG_DNS, MSG_DNS_IS, DNS_PATIENCE, answer_dns},
    [TRUST_ASK_STORED] = {PROC_STORE, MSG_POLICY_GET, MSG_POLICY_IS, STORED_PATIENCE,
                          answer_stored},
    [TRUST_ASK_FETCH] = {PROC_FETCHER, MSG_FETCH, MSG_FETCHED, FETCH_PATIENCE, answer_fetched},
};

static bool answered(void *arg, struct io_message *m)
{
    struct question *q = arg;
    struct entry *e = q->entry;
    bool fine = !m || m->kind == asks[q->kind].answer;
    struct rd r = RD(m ? m->payload : SPAN(""));
    asks[q->kind].take(q, m && fine ? &r : NULL, &fine);
    free(q);
    e->open--;
    move(e);
    return fine;
}

static void ask(struct entry *e, const struct trust_planner_step *st)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct question *q = mem_new(sizeof *q);
    *q = (struct question){e, st->kind, st->ticket};
    if (!proc_peer(e->plans->out->proc, asks[st->kind].who, 0)) {
        asks[st->kind].take(q, NULL, NULL);
        free(q);
        return;
    }
    if (st->kind == TRUST_ASK_DNS)
        dns_question_pack(&b, &st->question);
    else
        wr_span(&b, dns_name_span(&st->domain));
    if (st->kind == TRUST_ASK_FETCH)
        wr_span(&b, span_str(st->id));
    e->open++;
    proc_ask(e->plans->out->proc, asks[st->kind].who, 0, asks[st->kind].question, buf_span(&b),
             asks[st->kind].patience, answered, q);
}

static void save(struct entry *e, const struct trust_planner_step *st)
{
    struct proc_peer *store = proc_peer(e->plans->out->proc, PROC_STORE, 0);
    CLEANUP(buf_free) struct buf value = BUF(STS_POLICY_MAX + 4096), b = BUF(STS_POLICY_MAX + 8192);
    if (!store)
        return;
    trust_sts_pack(&value, st->stored);
    wr_span(&b, dns_name_span(&st->domain));
    wr_i64(&b, st->stored->expires.us);
    wr_span(&b, buf_span(&value));
    if (rc_ok(buf_state(&b)))
        proc_send(store, MSG_POLICY_PUT, 0, buf_span(&b), -1);
    LOG(LOG_INFO, "policy-kept", LOG_S("domain", dns_name_span(&st->domain)),
        LOG_T("id", st->stored->id));
}

// ---- making a plan ----

static void done(struct entry *e)
{
    const struct outbound *o = e->plans->out;
    struct shared_plan *plan = e->making;
    plan->plan = trust_planner_plan(e->planner);
    trust_plan_put_json(&plan->json, plan->plan);
    int64_t age = SECONDS(plan->plan->ttl);
    bool keep = age > 0 && !e->refresh && !e->old;
    e->plan = plan; // our own use of it, until the entry goes
    e->making = NULL;
    e->planner = NULL;
    e->plans->bytes += plan_bytes(plan);
    e->until.us = io_now(o->proc->loop).us + (age < PLAN_AGE_MOST ? age : PLAN_AGE_MOST);
    struct waiter *w = e->waiters;
    e->waiters = NULL;
    plan->users++;
    if (!keep)
        remove_entry(e);
    for (struct waiter *next; w; w = next) {
        next = w->next;
        plan->users++;
        w->ready(w->arg, plan);
        free(w);
    }
    plans_release(plan);
}

static void move(struct entry *e)
{
    struct trust_planner_step st;
    if (e->moving)
        return;
    e->moving = true;
    while ((st = trust_planner_next(e->planner)).kind != TRUST_ASK_WAIT &&
           st.kind != TRUST_ASK_DONE) {
        if (st.kind == TRUST_ASK_SAVE)
            save(e, &st);
        else
            ask(e, &st);
    }
    e->moving = false;
    // Every question has its answer before the plan goes to others.
    if (st.kind == TRUST_ASK_DONE && e->open == 0)
        done(e);
}

// Our addresses as the planner is to hold them: a reload changes the role's.
static const struct dns_address *own_addresses(struct entry *e)
{
    const struct outbound *o = e->plans->out;
    size_t size = o->self_address_count * sizeof *o->self_addresses;
    struct dns_address *copy = arena_alloc(&e->making->arena, size);
    if (copy)
        span_bytes(copy, size, (struct span){(const char *)o->self_addresses, size});
    return copy;
}

static void make(struct entry *e)
{
    const struct outbound *o = e->plans->out;
    const struct conf *c = o->proc->conf;
    e->making = mem_new(sizeof *e->making);
    e->making->users = 1;
    e->making->arena = ARENA(PLAN_ROOM);
    e->making->json = BUF(PLAN_ROOM);
    struct trust_request r = {
        .domain = e->domain,
        .need = e->need,
        .self = &o->self,
        .self_count = o->self.len ? 1 : 0,
        .self_addresses = own_addresses(e),
        .self_address_count = o->self_address_count,
        .no_ipv6 = !conf_bool(c, CONF_send_ipv6),
        .port = (uint16_t)conf_int(c, CONF_send_port),
        .seed = io_random(),
        .now = io_wall(o->proc->loop),
        .sts_refresh = e->refresh,
    };
    routes_apply(c, &r);
    CLEANUP(buf_free) struct buf pin = BUF(64);
    if (r.pin.len) { // checked with the configuration; an unreadable one matches nothing
        if (!code_get_hex(&pin, r.pin) || pin.len != 32)
            buf_clear(&pin);
        r.pin = arena_dup(&e->making->arena, buf_span(&pin));
    }
    e->planner = trust_planner_new(&r, &e->making->arena);
    move(e);
}

static struct entry *new_entry(struct plans *p, const struct dns_name *domain,
                               struct trust_need need)
{
    struct entry *e = mem_new(sizeof *e), **bucket = bucket_of(p, domain);
    if (p->count >= PLANS_MAX || p->bytes >= BYTES_MAX)
        plans_drop(p); // rare, and cheaper than to keep an order of age
    *e = (struct entry){.next = *bucket, .plans = p, .domain = *domain, .need = need};
    *bucket = e;
    p->count++;
    return e;
}

static struct entry *find(struct plans *p, const struct dns_name *domain, struct trust_need need)
{
    int64_t now = io_now(p->out->proc->loop).us;
    for (struct entry *e = *bucket_of(p, domain), *next; e; e = next) {
        next = e->next;
        if (e->plan && e->until.us <= now) {
            remove_entry(e);
            continue;
        }
        if (!e->refresh && !e->old && dns_name_eq(&e->domain, domain) &&
            e->need.requiretls == need.requiretls &&
            e->need.tls_required_no == need.tls_required_no)
            return e;
    }
    return NULL;
}

static void await(struct entry *e, plan_ready ready, void *arg)
{
    struct waiter *w = mem_new(sizeof *w);
    *w = (struct waiter){e->waiters, ready, arg};
    e->waiters = w;
}

void plans_get(struct plans *p, const struct dns_name *domain, struct trust_need need,
               plan_ready ready, void *arg)
{
    struct entry *e = find(p, domain, need);
    if (e && e->plan) {
        e->plan->users++;
        ready(arg, e->plan);
        return;
    }
    bool fresh = !e;
    if (fresh)
        e = new_entry(p, domain, need);
    await(e, ready, arg);
    if (fresh)
        make(e);
}

void plans_refresh_one(struct plans *p, const struct dns_name *domain, plan_ready ready, void *arg)
{
    struct entry *e = new_entry(p, domain, (struct trust_need){0});
    e->refresh = true;
    await(e, ready, arg);
    make(e);
}

// ---- policies before they expire (RFC 8461 §3.3) ----

static bool expiring(void *arg, struct io_message *m)
{
    struct plans *p = arg;
    if (!m)
        return true;
    struct rd r = RD(m->payload);
    for (unsigned n = rd_u16(&r); n > 0; n--) {
        struct dns_name domain;
        struct span text = rd_span(&r);
        if (r.bad || !dns_name_parse_host(&domain, text))
            return false;
        struct entry *e = new_entry(p, &domain, (struct trust_need){0});
        e->refresh = true;
        make(e);
    }
    return rd_end(&r) && m->kind == MSG_POLICIES;
}

void plans_refresh(struct plans *p)
{
    struct proc *proc = p->out->proc;
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_i64(&b, io_wall(proc->loop).us + REFRESH_AHEAD);
    wr_u32(&b, REFRESH_LIMIT);
    proc_ask(proc, PROC_STORE, 0, MSG_POLICY_EXPIRING, buf_span(&b), STORED_PATIENCE, expiring, p);
}
