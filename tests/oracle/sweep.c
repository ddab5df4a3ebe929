// Drives the planner and the walk through the scenarios on standard input, one a
// line (sweep.h names the fields), and prints what they decide, one line each:
//
//   decision TAB status TAB MTA-STS state TAB hosts TAB courses
//
// hosts: "1:dane:expanded", comma between; courses: one for each behaviour of the
// servers, in the order of `servers` below, "1:next+2:talk=deliver".
#include "sweep.h"
#include "trust_walk.h"
#include <stdio.h>
#include <stdlib.h>

// How a server behaves; oracle.py has the same table.
struct server {
    const char *token;
    bool refuses, no_starttls, declines, breaks, leaves; // leaves: inside TLS
    bool trusted, dates, own_name, key, issuer;
    enum who name;     // where it is not its own
    unsigned greeting; // where it is not 220
};
static const struct server servers[] = {
    {"refused", .refuses = true},
    {"greeting", .greeting = 421},
    {"rejected", .greeting = 554},
    {"shut", .greeting = 521},
    {"missing", .no_starttls = true},
    {"declined", .declines = true},
    {"handshake", .breaks = true},
    {"good", .trusted = true, .dates = true, .own_name = true, .key = true, .issuer = true},
    {"wrongname", .trusted = true, .dates = true, .name = OTHER, .key = true, .issuer = true},
    {"expired", .trusted = true, .own_name = true, .key = true, .issuer = true},
    {"untrusted", .dates = true, .own_name = true, .key = true, .issuer = true},
    {"mismatch", .trusted = true, .dates = true, .own_name = true},
    {"domainname", .trusted = true, .dates = true, .name = DOMAIN, .key = true, .issuer = true},
    {"expandedname", .trusted = true, .dates = true, .name = EXPANDED, .key = true, .issuer = true},
    {"realname", .trusted = true, .dates = true, .name = REAL, .key = true, .issuer = true},
    {"lost", .leaves = true, .trusted = true, .dates = true, .own_name = true, .key = true,
     .issuer = true},
};
enum { SERVERS = sizeof servers / sizeof servers[0], CERTS_FROM = 7, CEILING = 8 };

struct meeting { // a server as it meets one plan
    const struct server *server;
    bool offers, pin; // REQUIRETLS; its key is the pinned one
};

// The handshake: what the certificate proves of what the host calls for.

static bool is_all(struct span data, unsigned char byte)
{
    for (size_t i = 0; i < data.len; i++)
        if ((unsigned char)data.at[i] != byte)
            return false;
    return data.len > 0;
}

static bool cert_named(const struct trust_host *h, const struct server *s)
{
    const struct dns_name *name = s->own_name ? &h->name : world_name(s->name);
    for (size_t i = 0; i < h->name_count; i++)
        if (dns_name_eq(&h->names[i], name))
            return true;
    return false;
}

static bool cert_dane(const struct trust_host *h, const struct server *s)
{
    for (size_t i = 0; i < h->tlsa_count; i++) {
        const struct trust_tlsa *t = &h->tlsa[i];
        if (!t->usable)
            continue;
        if (t->usage == 3 && s->key && is_all(t->data, KEY_BYTE))
            return true;
        if (t->usage == 2 && s->issuer && is_all(t->data, ISSUER_BYTE) && s->dates &&
            cert_named(h, s))
            return true;
    }
    return false;
}

static enum trust_result_type cert_pkix(const struct trust_host *h, const struct server *s)
{
    if (!s->trusted)
        return TRUST_CERTIFICATE_NOT_TRUSTED;
    if (!s->dates)
        return TRUST_CERTIFICATE_EXPIRED;
    return cert_named(h, s) ? TRUST_RESULT_OK : TRUST_CERTIFICATE_HOST_MISMATCH;
}

static void cert_see(struct trust_seen *seen, const struct trust_host *h, const struct meeting *m)
{
    enum trust_requirement r = h->requirement;
    bool dane = r == TRUST_REQ_DANE || r == TRUST_REQ_LOCAL_DANE_ONLY;
    bool pkix =
        r == TRUST_REQ_PKIX || r == TRUST_REQ_STS || r == TRUST_REQ_LOCAL_VERIFY || h->sts_testing;
    bool proved = false;
    if (dane)
        proved = cert_dane(h, m->server);
    else if (r == TRUST_REQ_LOCAL_PINNED)
        proved = m->pin;
    if (dane || r == TRUST_REQ_LOCAL_PINNED)
        seen->failure = proved ? TRUST_RESULT_OK : TRUST_VALIDATION_FAILURE;
    else if (pkix)
        seen->failure = cert_pkix(h, m->server);
    proved = proved || (pkix && seen->failure == TRUST_RESULT_OK);
    seen->verified = !proved ? TRUST_VERIFIED_NONE
                     : dane  ? TRUST_VERIFIED_DANE
                     : pkix  ? TRUST_VERIFIED_PKIX
                             : TRUST_VERIFIED_PINNED;
}

// One connection, from the door to the verdict.

static enum trust_verdict meet_tls(struct trust_walk *w, const struct trust_try *t,
                                   const struct meeting *m)
{
    if (m->server->declines)
        return trust_walk_seen(w, &(struct trust_seen){.stage = TRUST_AT_NO_TLS}).verdict;
    struct trust_seen seen = {.stage = TRUST_AT_HANDSHAKE, .ok = !m->server->breaks};
    if (seen.ok)
        cert_see(&seen, t->host, m);
    else
        seen.failure = TRUST_VALIDATION_FAILURE;
    enum trust_verdict v = trust_walk_seen(w, &seen).verdict;
    if (v != TRUST_GO_EHLO)
        return v;
    if (m->server->leaves)
        return trust_walk_seen(w, &(struct trust_seen){.stage = TRUST_AT_CONNECT}).verdict;
    seen.stage = TRUST_AT_SECURED;
    seen.requiretls = m->offers;
    return trust_walk_seen(w, &seen).verdict;
}

static const char *meet(struct trust_walk *w, const struct trust_try *t, const struct meeting *m)
{
    static const char *const words[TRUST_VERDICTS] = {
        [TRUST_GO_STARTTLS] = "starttls?", [TRUST_GO_EHLO] = "ehlo?", [TRUST_GO_TALK] = "talk",
        [TRUST_GO_CLEAR] = "retry",        [TRUST_GO_NEXT] = "next",
    };
    struct trust_seen seen = {.stage = TRUST_AT_CAPABLE, .ok = true};
    seen.starttls = !m->server->no_starttls;
    if (m->server->refuses || m->server->greeting) {
        seen =
            (struct trust_seen){.stage = m->server->refuses ? TRUST_AT_CONNECT : TRUST_AT_REFUSAL,
                                .reply = m->server->greeting};
        return words[trust_walk_seen(w, &seen).verdict];
    }
    enum trust_verdict v = trust_walk_seen(w, &seen).verdict;
    if (v == TRUST_GO_TALK)
        return "clear";
    if (v != TRUST_GO_STARTTLS)
        return words[v];
    v = meet_tls(w, t, m);
    return v == TRUST_GO_TALK && m->server->declines ? "clear" : words[v];
}

static unsigned host_number(const struct dns_name *n)
{
    return dns_name_eq(n, world_name(HOST2))                ? 2
           : dns_name_eq(n, world_name(HOST3))              ? 3
           : dns_name_eq(n, world_name(world_first_host())) ? 1
                                                            : 9;
}

// How the servers of one delivery behave.
struct company {
    struct meeting first_address, first, others;
};

static const struct meeting *met(const struct company *c, const struct trust_try *t)
{
    if (world_is_first_address(t->address))
        return &c->first_address;
    return host_number(&t->host->name) == 1 ? &c->first : &c->others;
}

static void course_put(struct buf *out, const struct trust_plan *plan,
                       const struct trust_need *need, const struct company *servers_met)
{
    CLEANUP(buf_free) struct buf why = BUF(65536);
    struct trust_walk w;
    const char *step = "";
    trust_walk_start(&w, plan, need, CEILING, &why);
    for (unsigned i = 0; i < CEILING && !world_is(step, "talk") && !world_is(step, "clear"); i++) {
        struct trust_try t = trust_walk_next(&w);
        if (!t.host)
            break;
        unsigned n = host_number(&t.host->name);
        bool again = t.clear != world_is(step, "retry");
        step = again ? "unasked-retry?" : meet(&w, &t, met(servers_met, &t));
        buf_put(out, i ? SPAN("+") : SPAN(""));
        buf_putc(out, (char)('0' + n));
        buf_putc(out, ':');
        buf_put(out, span_str(step));
    }
    const char *status = NULL;
    enum trust_decision end = TRUST_DELIVER;
    if (!world_is(step, "talk") && !world_is(step, "clear"))
        end = trust_walk_end(&w, &status);
    buf_putc(out, '=');
    buf_put(out, span_str(trust_decision_text(end)));
    buf_put(out, status ? SPAN("/") : SPAN(""));
    buf_put(out, span_str(status));
}

static const struct server *server_called(const char *token)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (world_is(servers[i].token, token))
            return &servers[i];
    return &servers[0];
}

static void courses_put(struct buf *out, const struct trust_plan *plan, const struct scenario *s,
                        const struct trust_need *need)
{
    struct company c = {.others = {server_called(s->at[F_SECOND]), true, true},
                        .first_address = {server_called(s->at[F_FIRST]), true, true}};
    if (world_is(s->at[F_SECOND], "-"))
        c.others.server = server_called("good");
    unsigned pins = world_is(s->at[F_LOCAL], "pinned") ? 2 : 1, exts = need->requiretls ? 2 : 1;
    for (size_t i = 0; i < SERVERS; i++) {
        unsigned ways = i < CERTS_FROM ? 1 : pins * exts;
        for (unsigned n = 0; n < ways; n++) {
            c.first = (struct meeting){&servers[i], n % exts == 1, n / exts == 1};
            buf_putc(out, i + n ? ' ' : '\t');
            course_put(out, plan, need, &c);
        }
    }
}

// The plan.

static void ask_answer(struct trust_planner *p, const struct trust_planner_step *step)
{
    if (step->kind == TRUST_ASK_DNS)
        trust_planner_dns(p, step->ticket, world_dns(&step->question));
    else if (step->kind == TRUST_ASK_STORED)
        trust_planner_stored(p, step->ticket, world_stored());
    else if (step->kind == TRUST_ASK_FETCH)
        trust_planner_fetched(p, step->ticket, world_fetched());
}

// Asks all there is to ask, answers one of what is open (the oldest or the newest), and again.
static const struct trust_plan *plan_make(struct trust_planner *p, bool newest_first)
{
    struct trust_planner_step open[256];
    size_t from = 0, to = 0;
    while (!trust_planner_plan(p)) {
        struct trust_planner_step step = trust_planner_next(p);
        if (step.kind == TRUST_ASK_DONE)
            break;
        if (step.kind == TRUST_ASK_SAVE)
            continue;
        if (step.kind == TRUST_ASK_WAIT && from == to)
            panic("the planner waits for nothing");
        if (step.kind == TRUST_ASK_WAIT)
            ask_answer(p, newest_first ? &open[--to] : &open[from++]);
        else if (to == sizeof open / sizeof open[0])
            panic("the planner asks without end");
        else
            open[to++] = step;
    }
    return trust_planner_plan(p);
}

static void hosts_put(struct buf *out, const struct trust_plan *plan)
{
    for (size_t i = 0; i < plan->host_count; i++) {
        const struct trust_host *h = &plan->hosts[i];
        bool expanded = dns_name_eq(&h->tlsa_base, world_name(EXPANDED));
        bool own = dns_name_eq(&h->tlsa_base, &h->name);
        buf_printf(out, "%s%u:%s:%s", i ? "," : "", host_number(&h->name),
                   trust_requirement_text(h->requirement),
                   own        ? "host"
                   : expanded ? "expanded"
                              : "other");
    }
}

static void verdict_put(struct buf *out, const struct trust_plan *plan, const struct scenario *s,
                        const struct trust_need *need)
{
    static const char *const states[] = {"absent", "none", "testing", "enforce", "error"};
    buf_printf(out, "%s\t%s\t%s\t", trust_decision_text(plan->decision),
               plan->status ? plan->status : "-", states[plan->sts.state]);
    hosts_put(out, plan);
    if (plan->decision == TRUST_DELIVER)
        courses_put(out, plan, s, need);
    else
        buf_putc(out, '\t');
}

static void scenario_run(struct buf *out, const struct scenario *s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    static const char pin[32];
    const char *need = s->at[F_NEED];
    struct trust_request r = {.domain = *world_name(DOMAIN), .port = 25, .now = world_now()};
    r.need.requiretls = world_is(need, "requiretls") || world_is(need, "both");
    r.need.tls_required_no = world_is(need, "no") || world_is(need, "both");
    r.self = world_name(SELF);
    r.self_count = 1;
    r.seed = 1;
    if (!world_set(s) || !trust_local_parse(&r.local, span_str(s->at[F_LOCAL]))) {
        buf_put(out, SPAN("unknown token"));
        return;
    }
    if (r.local == TRUST_LOCAL_PINNED)
        r.pin = SPAN_OF(pin);
    struct trust_planner *p = trust_planner_new(&r, &a);
    if (!p)
        panic("no room for the planner");
    verdict_put(out, plan_make(p, world_is(s->at[F_ORDER], "newest")), s, &r.need);
}

static bool scenario_read(struct scenario *s, char *line, size_t len)
{
    size_t n = 0;
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        bool gap = line[i] == ' ' || line[i] == '\n';
        if (gap)
            line[i] = '\0';
        else if (!inside && n == FIELDS)
            return false;
        else if (!inside)
            s->at[n++] = &line[i];
        inside = !gap;
    }
    return n == FIELDS;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    while ((len = getline(&line, &room, stdin)) > 0) {
        struct scenario s;
        buf_clear(&out);
        if (scenario_read(&s, line, (size_t)len))
            scenario_run(&out, &s);
        else
            buf_put(&out, SPAN("malformed line"));
        buf_putc(&out, '\n');
        if (!rc_ok(buf_state(&out)) || fwrite(out.at, 1, out.len, stdout) != out.len)
            panic("cannot write");
    }
    free(line);
    return 0;
}
