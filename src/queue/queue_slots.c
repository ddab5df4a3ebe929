#include "queue_slots.h"

#include "base_rc.h"
#include "queue_table.h"

#include <stdlib.h>

struct waiter {
    struct waiter *next;
    uint64_t who;
};

struct host {
    struct queue_node node;
    unsigned taken;
    struct waiter *first, **end; // the line, and where the next one stands
    size_t len;
    char name[];
};

struct queue_slots {
    struct queue_table hosts;
    unsigned per_host;
};

static struct span host_name(const struct host *h)
{
    return (struct span){h->name, h->len};
}

static struct host *host_find(const struct queue_slots *s, struct span name)
{
    uint64_t hash = queue_hash(name, 0);
    for (struct queue_node *n = NULL; (n = queue_table_next(&s->hosts, hash, n));) {
        struct host *h = CONTAINER(n, struct host, node);
        if (span_eq(host_name(h), name))
            return h;
    }
    return NULL;
}

static struct host *host_new(struct queue_slots *s, struct span name)
{
    struct host *h = mem_new(sizeof *h + name.len);
    h->len = name.len;
    h->end = &h->first;
    span_bytes(h->name, name.len, name);
    queue_table_put(&s->hosts, &h->node, queue_hash(name, 0));
    return h;
}

static uint64_t line_pop(struct host *h)
{
    struct waiter *w = h->first;
    uint64_t who = w->who;
    h->first = w->next;
    if (!h->first)
        h->end = &h->first;
    free(w);
    return who;
}

static void host_tidy(struct queue_slots *s, struct host *h)
{
    if (h->taken || h->first)
        return;
    queue_table_remove(&s->hosts, &h->node);
    free(h);
}

struct queue_slots *queue_slots_new(unsigned per_host)
{
    struct queue_slots *s = mem_new(sizeof *s);
    queue_slots_limit(s, per_host);
    return s;
}

void queue_slots_free(struct queue_slots *s)
{
    if (!s)
        return;
    for (struct queue_node *n; (n = queue_table_each(&s->hosts, NULL));) {
        struct host *h = CONTAINER(n, struct host, node);
        while (h->first)
            line_pop(h);
        h->taken = 0;
        host_tidy(s, h);
    }
    queue_table_free(&s->hosts);
    free(s);
}

void queue_slots_limit(struct queue_slots *s, unsigned per_host)
{
    s->per_host = per_host ? per_host : 1; // none at all would be for ever
}

bool queue_slots_take(struct queue_slots *s, struct span name, uint64_t who)
{
    struct host *h = host_find(s, name);
    if (!h)
        h = host_new(s, name);
    if (h->taken < s->per_host && !h->first) {
        h->taken++;
        return true;
    }
    struct waiter *w = mem_new(sizeof *w);
    w->who = who;
    *h->end = w;
    h->end = &w->next;
    return false;
}

static bool host_pass(struct queue_slots *s, struct host *h, uint64_t *next)
{
    if (!h->first || h->taken >= s->per_host)
        return false;
    h->taken++;
    *next = line_pop(h);
    return true;
}

bool queue_slots_give(struct queue_slots *s, struct span name, uint64_t *next)
{
    struct host *h = host_find(s, name);
    if (!h || !h->taken)
        return false;
    h->taken--;
    bool passed = host_pass(s, h, next);
    host_tidy(s, h);
    return passed;
}

bool queue_slots_next(struct queue_slots *s, struct span *host, uint64_t *next)
{
    for (struct queue_node *n = NULL; (n = queue_table_each(&s->hosts, n));) {
        struct host *h = CONTAINER(n, struct host, node);
        *host = host_name(h);
        if (host_pass(s, h, next))
            return true;
    }
    return false;
}

void queue_slots_forget(struct queue_slots *s, struct span name, uint64_t who)
{
    struct host *h = host_find(s, name);
    if (!h)
        return;
    struct waiter **at = &h->first;
    while (*at) {
        struct waiter *w = *at;
        if (w->who == who) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
    h->end = at;
    host_tidy(s, h);
}
