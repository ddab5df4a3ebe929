// /metrics: each scrape asks every process for its meters, all at once, and shows what has
// come when the last one answered or the time is over.
#include "base_log.h"
#include "base_meter.h"
#include "proc_inner.h"
#include "proc_web.h"

#include <stdlib.h>
#include <unistd.h>

enum { CONNECTIONS = 64, CONNECTION_PATIENCE_S = 10, PAGE_MAX = 1 << 20 };
// Prometheus waits for ten seconds unless told otherwise.
#define METERS_PATIENCE SECONDS(2)

// A process that is asked. Counters only go up for who reads them: what those
// before it had counted stays, and what a silent one had stands as it was.
struct source {
    struct web_meters *web;
    struct proc_peer *peer;
    bool up; // answered this round
    struct meter_process process;
    int64_t before[METER_VALUES], last[METER_VALUES];
};

struct waiting {
    struct waiting *next;
    struct http_request *request;
};

struct door {
    struct http_server *server; // NULL: it could not be had
    int fd;
};

struct web_meters {
    struct proc *proc;
    struct door *doors;
    size_t door_count;
    struct waiting *served, *next; // by this round; by the one after it
    size_t missing;                // answers of this round
    struct source self;
};

static void round_begin(struct web_meters *w);

// ---- a page ----

static struct source *source_of(struct web_meters *w, struct proc_peer *peer)
{
    if (!peer->data) {
        struct source *s = mem_new(sizeof *s);
        *s = (struct source){.web = w,
                             .peer = peer,
                             .process = {.role = proc_kind_text(peer->kind), .index = peer->index}};
        peer->data = s;
    }
    return peer->data;
}

static bool take(struct source *s, struct span payload);

static void look_at_myself(struct web_meters *w)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    proc_meters_put(w->proc, &b);
    if (!take(&w->self, buf_span(&b)))
        panic("our own meters make no sense");
}

static void add_source(struct meter_process *to, const struct source *s,
                       int64_t sum[static METER_VALUES])
{
    *to = s->process;
    to->up = s->up;
    meter_merge(sum, s->before, true);
    meter_merge(sum, s->last, true);
    if (s->up)
        meter_merge(sum, s->last, false);
}

static void put_page(struct web_meters *w, struct buf *b)
{
    static int64_t sum[METER_VALUES];
    struct proc *p = w->proc;
    struct meter_process *list = mem_new((p->peer_count + 1) * sizeof *list);
    for (size_t i = 0; i < METER_VALUES; i++)
        sum[i] = 0;
    look_at_myself(w);
    add_source(&list[p->peer_count], &w->self, sum);
    for (size_t i = 0; i < p->peer_count; i++)
        add_source(&list[i], source_of(w, p->peers[i]), sum);
    meter_put_processes(b, list, p->peer_count + 1);
    meter_put(b, sum);
    free(list);
}

static void answer_all(struct waiting **list, struct span page)
{
    while (*list) {
        struct waiting *one = *list;
        *list = one->next;
        http_answer(one->request, 200, "text/plain; version=0.0.4; charset=utf-8", page);
        free(one);
    }
}

// ---- a round ----

static void round_end(struct web_meters *w)
{
    CLEANUP(buf_free) struct buf page = BUF(PAGE_MAX);
    put_page(w, &page);
    answer_all(&w->served, buf_span(&page));
    if (w->next)
        round_begin(w);
}

static bool take(struct source *s, struct span payload)
{
    int64_t value[METER_VALUES];
    struct rd r = RD(payload);
    int64_t began = rd_i64(&r), cpu = rd_i64(&r), memory = rd_i64(&r);
    if (!meter_unpack(&r, value) || !rd_end(&r))
        return false;
    if (s->process.started_us != began)
        meter_merge(s->before, s->last, true);
    for (size_t i = 0; i < METER_VALUES; i++)
        s->last[i] = value[i];
    s->process.started_us = began;
    s->process.cpu_us = cpu;
    s->process.memory = memory;
    s->up = true;
    return true;
}

static bool answered(void *arg, struct io_message *m)
{
    struct source *s = arg;
    struct web_meters *w = s->web;
    bool fine = !m || (m->kind == MSG_METERS_ARE && take(s, m->payload));
    if (--w->missing == 0)
        round_end(w);
    return fine;
}

static void round_begin(struct web_meters *w)
{
    struct proc *p = w->proc;
    w->served = w->next;
    w->next = NULL;
    w->missing = 1; // ours, lest it ends before all are asked
    for (size_t i = 0; i < p->peer_count; i++) {
        struct source *s = source_of(w, p->peers[i]);
        s->up = false;
        if (!s->peer->channel)
            continue;
        w->missing++;
        proc_ask(p, s->peer->kind, s->peer->index, MSG_METERS, SPAN(""), METERS_PATIENCE, answered,
                 s);
    }
    if (--w->missing == 0)
        round_end(w);
}

static void got_request(void *arg, struct http_request *request)
{
    struct web_meters *w = arg;
    if (!span_eq(http_path(request), SPAN("/metrics"))) {
        http_answer(request, 404, "text/plain", SPAN("There is /metrics here.\n"));
        return;
    }
    struct waiting *one = mem_new(sizeof *one);
    *one = (struct waiting){w->next, request};
    w->next = one;
    if (w->missing == 0)
        round_begin(w);
}

// ---- the role ----

static void forget(struct waiting **list)
{
    while (*list) {
        struct waiting *one = *list;
        *list = one->next;
        free(one);
    }
}

void web_meters_stop(struct web_meters *w)
{
    forget(&w->served);
    forget(&w->next);
    for (size_t i = 0; i < w->door_count; i++) {
        http_server_free(w->doors[i].server);
        close(w->doors[i].fd);
    }
    free(w->doors);
    w->doors = NULL;
    w->door_count = 0;
}

void web_meters_listen(struct web_meters *w)
{
    struct proc *p = w->proc;
    struct http_conf c = {.got = got_request,
                          .arg = w,
                          .connections = CONNECTIONS,
                          .patience_s = CONNECTION_PATIENCE_S};
    web_meters_stop(w);
    w->doors = mem_new((p->listener_count + 1) * sizeof *w->doors);
    for (size_t i = 0; i < p->listener_count; i++) {
        const char *why = "";
        if (p->listeners[i].kind != PROC_WEB_METRICS)
            continue;
        struct door *next = &w->doors[w->door_count++];
        next->fd = p->listeners[i].fd;
        if (!rc_ok(http_server_new(&next->server, p->loop, next->fd, &c, &why))) // mail goes on
            LOG(LOG_ERROR, "web-not-listening", LOG_T("why", why));
    }
}

struct web_meters *web_meters_new(struct proc *p)
{
    struct web_meters *w = mem_new(sizeof *w);
    w->proc = p;
    w->self.process = (struct meter_process){.role = proc_kind_text(PROC_WEB), .index = p->index};
    return w;
}
