// A plan's hosts, looked at: the connections of a delivery without its message.
#include "proc_control.h"

#include <stdlib.h>

enum { SESSION_MAX = 65536, ALL_HOSTS = TRUST_HOSTS_MAX * TRUST_ADDRESSES_MAX };

struct probe {
    struct control *control;
    const struct trust_plan *plan;
    struct trust_need need;
    struct trust_walk walk;
    struct trust_try trying;
    struct link *link;
    const bool *stop;
    bool good; // a host would take the message
    struct buf why, reason;
    size_t host_count;    // the plan may be gone when this ends
    struct buf *sessions; // one a host: its last connection
    // Of the handshake that failed before a retry in the clear.
    enum trust_result_type before;
    struct buf before_error;
    probe_done done;
    void *arg;
};

static void probe_free(struct probe *p)
{
    for (size_t i = 0; i < p->host_count; i++)
        buf_free(&p->sessions[i]);
    free(p->sessions);
    buf_free(&p->why);
    buf_free(&p->reason);
    buf_free(&p->before_error);
    free(p);
}

static void end(struct probe *p)
{
    struct probe_end e = {.decision = TRUST_DELIVER};
    struct span *probes = mem_new((p->host_count + 1) * sizeof *probes);
    for (size_t i = 0; i < p->host_count; i++)
        if (p->sessions[i].len)
            probes[i] = buf_span(&p->sessions[i]);
    e.probes = probes;
    if (!p->good)
        e.decision = trust_walk_end(&p->walk, &e.status);
    if (p->why.len && !span_ends(buf_span(&p->why), SPAN(".")))
        buf_putc(&p->why, '.');
    e.reason = buf_span(p->good ? &p->reason : &p->why);
    p->done(p->arg, &e);
    free(probes);
    probe_free(p);
}

static void next(struct probe *p)
{
    p->trying = *p->stop ? (struct trust_try){NULL, NULL, false} : trust_walk_next(&p->walk);
    if (!p->trying.host) {
        end(p);
        return;
    }
    struct crypto_digest key = link_key(p->trying.host, &p->need);
    p->link =
        link_open(&p->control->links, p,
                  &(struct link_wish){p->trying.host, p->trying.address, p->trying.clear}, &key);
}

static void note(struct probe *p, const struct trust_ruling *r)
{
    struct trust_session *s = &p->link->session;
    struct buf *b = &p->sessions[p->trying.host - p->plan->hosts];
    s->rule = span_str(r->rule);
    s->result = r->result;
    s->error = p->link->seen.detail;
    if (p->trying.clear && s->result == TRUST_RESULT_OK && s->error.len == 0) {
        s->result = p->before;
        s->error = buf_span(&p->before_error);
    }
    if (r->verdict == TRUST_GO_CLEAR) {
        p->before = s->result;
        buf_clear(&p->before_error);
        buf_put(&p->before_error, s->error);
    }
    buf_clear(b);
    struct json j = JSON(b);
    trust_session_put_json(&j, NULL, s);
}

static void take(struct probe *p)
{
    const struct trust_session *s = &p->link->session;
    if (p->good)
        return;
    p->good = true;
    p->walk.ceiling = ALL_HOSTS; // what a delivery would not try is tried to be shown
    buf_put(&p->reason, dns_name_span(&p->trying.host->name));
    if (p->trying.host->name.len == 0)
        dns_address_put(&p->reason, p->trying.address);
    if (s->tls_version.len)
        buf_printf(&p->reason, " would take the message over %.*s", SPAN_FMT(s->tls_version));
    else
        buf_put(&p->reason, SPAN(" would take the message in the clear"));
    if (s->verified != TRUST_VERIFIED_NONE)
        buf_printf(&p->reason, ", verified by %s", trust_verified_text(s->verified));
    buf_putc(&p->reason, '.');
}

static void leave(struct probe *p)
{
    struct link *l = p->link;
    p->link = NULL;
    link_leave(l);
    next(p);
}

static void event(void *user, struct link *l, enum link_event e)
{
    struct probe *p = user;
    if (e != LINK_SEEN)
        panic("a probe talked");
    struct trust_ruling r = trust_walk_seen(&p->walk, &l->seen);
    if (r.verdict == TRUST_GO_STARTTLS) {
        link_starttls(l);
        return;
    }
    if (r.verdict == TRUST_GO_EHLO) {
        link_secured(l);
        return;
    }
    note(p, &r);
    if (r.verdict == TRUST_GO_TALK) {
        take(p);
        trust_walk_leave_host(&p->walk, SPAN(""));
    }
    leave(p);
}

static void handshake(void *user, struct link *l)
{
    const struct probe *p = user;
    link_handshake(l, p->trying.host);
}

static bool wants(const void *user, const struct link *idle)
{
    (void)user;
    (void)idle;
    return false;
}

const struct link_user probe_links = {.event = event, .handshake = handshake, .wants = wants};

void probe_start(struct control *c, const struct trust_plan *plan, struct trust_need need,
                 const bool *stop, probe_done done, void *arg)
{
    struct probe *p = mem_new(sizeof *p);
    *p = (struct probe){.control = c,
                        .plan = plan,
                        .need = need,
                        .stop = stop,
                        .why = BUF(4096),
                        .reason = BUF(4096),
                        .before_error = BUF(4096),
                        .host_count = plan->host_count,
                        .done = done,
                        .arg = arg};
    p->sessions = mem_new((p->host_count + 1) * sizeof *p->sessions);
    for (size_t i = 0; i < p->host_count; i++)
        p->sessions[i] = BUF(SESSION_MAX);
    trust_walk_start(&p->walk, plan, &p->need,
                     (unsigned)conf_int(c->proc->conf, CONF_send_max_hosts), &p->why);
    next(p);
}
