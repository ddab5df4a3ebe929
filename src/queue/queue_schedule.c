#include "queue_schedule.h"

#include "base_heap.h"
#include "base_rc.h"
#include "queue_table.h"

#include <stdlib.h>

enum { LOST_MAX = 6 }; // 4^6 seconds are more than an hour

// An item is *held* (in its domain's heap and in q->latest) or under way (in
// neither). A domain lives as long as it has items of either kind.
struct domain {
    struct queue_node node;
    struct heap items;            // held ones, by due
    struct heap_node wait;        // in q->waiting, while nothing is due
    struct domain *before, *next; // in the ring, while something is
    size_t members;               // held and under way
    unsigned busy;
    size_t len;
    char name[];
};

struct item {
    struct queue_node node;
    struct heap_node due;  // key: when, also while it is under way and `again`
    struct heap_node late; // in q->latest
    struct domain *domain;
    struct wall stored; // when it is due for the store, where that may be earlier
    uint64_t message, size;
    unsigned busy; // jobs; more than one only if two senders claim it
    unsigned lost; // how often in a row whoever had its job died
    bool again;    // while under way: comes up afterwards
};

struct job {
    struct item *item; // NULL: free
    uint32_t round;    // of this place, so that no id comes twice
    uint32_t free_next;
};

struct queue {
    struct queue_limits limits;
    struct queue_table domains, items;
    struct heap waiting; // domains, by the due of their first item
    struct heap latest;  // held items, the latest first
    struct domain *turn; // ring of domains with something due: the next to go
    struct wall now;     // at the last queue_next
    struct wall horizon;
    struct wall pushed_out; // earliest due not held since the last queue_filled
    struct job *jobs;       // [0] is not used: ids are never 0
    uint32_t job_count, job_free;
    unsigned busy;
};

static struct span domain_name(const struct domain *d)
{
    return (struct span){d->name, d->len};
}

static struct item *domain_first(const struct domain *d)
{
    struct heap_node *n = heap_top(&d->items);
    return n ? CONTAINER(n, struct item, due) : NULL;
}

static struct domain *domain_get(struct queue *q, struct span name)
{
    uint64_t hash = queue_hash(name, q->limits.seed);
    for (struct queue_node *n = NULL; (n = queue_table_next(&q->domains, hash, n));) {
        struct domain *d = CONTAINER(n, struct domain, node);
        if (span_eq(domain_name(d), name))
            return d;
    }
    struct domain *d = mem_new(sizeof *d + name.len);
    d->len = name.len;
    span_bytes(d->name, name.len, name);
    queue_table_put(&q->domains, &d->node, hash);
    return d;
}

static void ring_join(struct queue *q, struct domain *d)
{
    struct domain *first = q->turn ? q->turn : d;
    d->next = first;
    d->before = q->turn ? first->before : d;
    d->before->next = d;
    first->before = d;
    q->turn = first;
}

static void ring_leave(struct queue *q, struct domain *d)
{
    if (!d->next)
        return;
    d->before->next = d->next;
    d->next->before = d->before;
    if (q->turn == d)
        q->turn = d->next == d ? NULL : d->next;
    d->next = d->before = NULL;
}

// Puts the domain where its items and its limit say: in the ring (where it keeps
// its turn), among those that wait for a time, or nowhere.
static void domain_place(struct queue *q, struct domain *d)
{
    struct item *first = d->busy < q->limits.per_domain ? domain_first(d) : NULL;
    bool due = first && first->due.key <= q->now.us;
    if (!due)
        ring_leave(q, d);
    if (!first || due)
        heap_remove(&q->waiting, &d->wait);
    else
        heap_set(&q->waiting, &d->wait, first->due.key);
    if (due && !d->next)
        ring_join(q, d);
}

static void domains_place(struct queue *q)
{
    for (struct queue_node *n = NULL; (n = queue_table_each(&q->domains, n));)
        domain_place(q, CONTAINER(n, struct domain, node));
}

static void domain_free(struct queue *q, struct domain *d)
{
    ring_leave(q, d);
    heap_remove(&q->waiting, &d->wait);
    queue_table_remove(&q->domains, &d->node);
    heap_free(&d->items);
    free(d);
}

static uint64_t item_hash(uint64_t message, const struct domain *d)
{
    return queue_hash_mix(message ^ d->node.hash);
}

static struct item *item_get(struct queue *q, uint64_t message, struct span domain)
{
    struct domain *d = domain_get(q, domain);
    uint64_t hash = item_hash(message, d);
    for (struct queue_node *n = NULL; (n = queue_table_next(&q->items, hash, n));) {
        struct item *i = CONTAINER(n, struct item, node);
        if (i->message == message && i->domain == d)
            return i;
    }
    struct item *i = mem_new(sizeof *i);
    i->message = message;
    i->domain = d;
    i->stored = (struct wall){INT64_MIN}; // until a queue_add says
    d->members++;
    queue_table_put(&q->items, &i->node, hash);
    return i;
}

static void item_free(struct queue *q, struct item *i)
{
    struct domain *d = i->domain;
    queue_table_remove(&q->items, &i->node);
    free(i);
    if (--d->members == 0)
        domain_free(q, d);
}

static void item_unhold(struct queue *q, struct item *i)
{
    heap_remove(&q->latest, &i->late);
    heap_remove(&i->domain->items, &i->due);
    domain_place(q, i->domain);
}

// Forgets an item that the store still has: the horizon moves before where the
// store would find it. (A job that came back has a later due here than there.)
static void item_push_out(struct queue *q, struct item *i)
{
    struct wall due = {i->stored.us < i->due.key ? i->stored.us : i->due.key};
    if (due.us < q->horizon.us)
        q->horizon = due;
    if (due.us < q->pushed_out.us)
        q->pushed_out = due;
    item_unhold(q, i);
    item_free(q, i);
}

static struct item *item_latest(const struct queue *q)
{
    struct heap_node *n = heap_top(&q->latest);
    return n ? CONTAINER(n, struct item, late) : NULL;
}

static bool item_hold(struct queue *q, struct item *i, struct wall due)
{
    struct item *latest = item_latest(q);
    i->due.key = due.us;
    if (q->latest.len >= q->limits.window) {
        bool fits = due.us < latest->due.key;
        item_push_out(q, fits ? latest : i);
        if (!fits)
            return false;
    }
    heap_set(&q->latest, &i->late, ~due.us); // ~: turns the order round
    heap_set(&i->domain->items, &i->due, due.us);
    domain_place(q, i->domain);
    return true;
}

static uint64_t job_new(struct queue *q, struct item *i)
{
    uint32_t at = q->job_free;
    if (!at) {
        at = q->job_count++;
        q->jobs = mem_resize(q->jobs, q->job_count * sizeof *q->jobs);
        q->jobs[at] = (struct job){0};
    }
    struct job *j = &q->jobs[at];
    q->job_free = j->free_next;
    j->item = i;
    j->round++;
    i->busy++;
    i->domain->busy++;
    q->busy++;
    return (uint64_t)j->round << 32 | at;
}

static struct job *job_find(const struct queue *q, uint64_t id)
{
    uint32_t at = (uint32_t)id;
    struct job *j = at < q->job_count ? &q->jobs[at] : NULL;
    return j && j->item && j->round == id >> 32 ? j : NULL;
}

static struct item *job_end(struct queue *q, uint64_t id)
{
    struct job *j = job_find(q, id);
    if (!j)
        return NULL;
    struct item *i = j->item;
    j->item = NULL;
    j->free_next = q->job_free;
    q->job_free = (uint32_t)id;
    i->busy--;
    i->domain->busy--;
    q->busy--;
    return i;
}

struct queue *queue_new(const struct queue_limits *limits)
{
    struct queue *q = mem_new(sizeof *q);
    q->limits.seed = limits->seed;
    q->pushed_out = WALL_NEVER;
    q->horizon = q->now = (struct wall){INT64_MIN};
    q->jobs = mem_new(sizeof *q->jobs);
    q->job_count = 1;
    queue_limit(q, limits);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    for (struct queue_node *n; (n = queue_table_each(&q->items, NULL));) {
        struct item *i = CONTAINER(n, struct item, node);
        item_unhold(q, i);
        item_free(q, i);
    }
    queue_table_free(&q->items);
    queue_table_free(&q->domains);
    heap_free(&q->waiting);
    heap_free(&q->latest);
    free(q->jobs);
    free(q);
}

void queue_limit(struct queue *q, const struct queue_limits *limits)
{
    uint64_t seed = q->limits.seed;
    q->limits = *limits;
    q->limits.seed = seed;
    q->limits.per_domain += !q->limits.per_domain;
    q->limits.jobs += !q->limits.jobs;
    q->limits.window += !q->limits.window;
    while (q->latest.len > q->limits.window)
        item_push_out(q, item_latest(q));
    domains_place(q);
}

bool queue_add(struct queue *q, const struct queue_item *item)
{
    struct item *i = item_get(q, item->message, item->domain);
    i->size = item->size;
    i->stored = item->due;
    if (i->busy) {
        i->again = true;
        i->due.key = item->due.us;
        return true;
    }
    if (i->due.place)
        item_unhold(q, i);
    return item_hold(q, i, item->due);
}

struct wall queue_horizon(const struct queue *q)
{
    return q->horizon;
}

size_t queue_room(const struct queue *q)
{
    return q->limits.window > q->latest.len ? q->limits.window - q->latest.len : 0;
}

// What was pushed out since the last time may be an answer to this question of
// the store, or may be newer than its answer: not held in either case.
void queue_filled(struct queue *q, struct wall until)
{
    if (q->pushed_out.us < until.us)
        until = q->pushed_out;
    if (until.us > q->horizon.us)
        q->horizon = until;
    q->pushed_out = WALL_NEVER;
}

static void domains_wake(struct queue *q, struct wall now)
{
    bool back = now.us < q->now.us; // a clock that was set back: rare
    q->now = now;
    for (struct heap_node *n; (n = heap_top(&q->waiting)) && n->key <= now.us;)
        domain_place(q, CONTAINER(n, struct domain, wait));
    if (back)
        domains_place(q);
}

bool queue_next(struct queue *q, struct wall now, struct queue_job *out)
{
    if (q->busy >= q->limits.jobs)
        return false;
    domains_wake(q, now);
    struct domain *d = q->turn;
    if (!d)
        return false;
    struct item *i = domain_first(d);
    ring_leave(q, d); // and to its end, if it has more
    uint64_t id = job_new(q, i);
    item_unhold(q, i);
    *out = (struct queue_job){id, i->message, domain_name(d), i->size, i->lost};
    return true;
}

bool queue_under_way(const struct queue *q, uint64_t job, struct queue_job *out)
{
    const struct job *j = job_find(q, job);
    if (!j)
        return false;
    const struct item *i = j->item;
    *out = (struct queue_job){job, i->message, domain_name(i->domain), i->size, i->lost};
    return true;
}

static void item_back(struct queue *q, struct item *i, bool again, struct wall due)
{
    domain_place(q, i->domain);
    if (again && (!i->again || due.us > i->due.key))
        i->due.key = due.us;
    i->again = i->again || again;
    if (i->busy)
        return;
    if (!i->again) {
        item_free(q, i);
        return;
    }
    i->again = false;
    (void)item_hold(q, i, (struct wall){i->due.key});
}

void queue_done(struct queue *q, uint64_t job, bool again, struct wall due)
{
    struct item *i = job_end(q, job);
    if (!i)
        return;
    i->lost = 0;
    item_back(q, i, again, due);
}

void queue_lost(struct queue *q, uint64_t job, struct wall now)
{
    struct item *i = job_end(q, job);
    if (!i)
        return;
    int64_t wait = SECONDS(1) << (i->lost < LOST_MAX ? 2 * i->lost : 2 * LOST_MAX);
    i->lost++;
    item_back(q, i, true, (struct wall){now.us + (wait < SECONDS(3600) ? wait : SECONDS(3600))});
}

void queue_busy(struct queue *q, uint64_t message, struct span domain, uint64_t *job)
{
    struct item *i = item_get(q, message, domain);
    *job = job_new(q, i);
    item_unhold(q, i);
}

struct wall queue_wake(const struct queue *q)
{
    if (q->busy >= q->limits.jobs)
        return WALL_NEVER;
    if (q->turn)
        return (struct wall){domain_first(q->turn)->due.key};
    struct heap_node *n = heap_top(&q->waiting);
    return n ? (struct wall){n->key} : WALL_NEVER;
}
