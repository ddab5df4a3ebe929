// Where the mail of an accepted recipient goes: the walk through the aliases, with
// the authenticator asked for mailboxes, senders of forwarded mail (SRS) and the
// way back for what is returned to them.
#include "proc_receiver_session.h"

#include "base_log.h"
#include "mail_encode.h"
#include "proc_aliases.h"
#include "proc_login.h"
#include "proc_reports.h"

#include <stdlib.h>

// What all goals take of one COMMIT at most; the rest is for what stands before them,
// fields above all. Each has numbers and lengths beside its texts.
enum {
    GOALS_MOST = 7000,
    ROUTES_MEMORY = 32 << 20,
    GOALS_BYTES = IO_MESSAGE_MAX - (320 << 10),
    GOAL_NUMBERS = 64,
};
static const int64_t mailbox_us = SECONDS(30);

struct goal {
    struct store_recipient to;
    size_t of;   // which recipient of the transaction leads here
    bool listed; // by a list with an owner: the sender asked nothing of its members
    bool one_of; // several: what their success is, is not that of the address
    size_t bytes;
    uint64_t hash; // of the address
};
struct routes {
    struct aliases *aliases; // those of the transaction's begin
    struct arena memory;
    struct goal *goals;
    size_t count, cap;
    size_t bytes;  // of the goals in a COMMIT
    bool expanded; // an alias took part: two recipients may lead to one goal
    // The recipient in question; the machine keeps it until it is answered.
    struct alias_walk *walk;
    struct mail_address to;
    struct session *session;
    uint32_t ticket;
    bool asking;
};

void session_routes_drop(struct session *s)
{
    struct routes *r = s->routes;
    if (!r)
        return;
    if (r->asking)
        proc_forget(s->receiver->proc, r->ticket);
    alias_walk_free(r->walk);
    aliases_release(r->aliases);
    arena_free(&r->memory);
    free(r->goals);
    free(r);
    s->routes = NULL;
}

static struct routes *routes_of(struct session *s)
{
    if (!s->routes) {
        s->routes = mem_new(sizeof *s->routes);
        *s->routes = (struct routes){.aliases = aliases_hold(s->receiver->aliases),
                                     .memory = ARENA(ROUTES_MEMORY),
                                     .session = s};
    }
    return s->routes;
}

// ---- what the envelope gets ----

static bool same_goal(const struct store_recipient *a, const struct store_recipient *b)
{
    return span_ieq(a->address, b->address) && span_eq(a->return_path, b->return_path) &&
           a->notice == b->notice;
}

static bool goal_there(const struct routes *r, const struct store_recipient *one)
{
    uint64_t hash = span_ihash(one->address);
    for (size_t i = 0; r->expanded && i < r->count; i++)
        if (r->goals[i].hash == hash && same_goal(&r->goals[i].to, one))
            return true;
    return false;
}

// What the recipient asks for himself takes the place of what the alias says.
static size_t bytes_of(const struct routes *r, const struct store_recipient *one)
{
    size_t orcpt = smtp_server_recipient(r->session->smtp)->orcpt.len;
    return GOAL_NUMBERS + one->address.len + one->domain.len + one->return_path.len +
           (orcpt > one->orcpt.len ? orcpt : one->orcpt.len) + one->status.len + one->reason.len;
}

// False past a ceiling.
static bool goal_add(struct routes *r, struct store_recipient one, bool listed, bool one_of)
{
    if (goal_there(r, &one))
        return true;
    size_t bytes = bytes_of(r, &one);
    struct span address = arena_dup(&r->memory, one.address);
    struct span domain = arena_dup(&r->memory, one.domain);
    struct span path = arena_dup(&r->memory, one.return_path);
    struct span orcpt = arena_dup(&r->memory, one.orcpt);
    if (r->count >= GOALS_MOST || bytes > GOALS_BYTES - r->bytes || !address.at || !domain.at ||
        !path.at || !orcpt.at)
        return false;
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 1;
        r->goals = mem_resize(r->goals, r->cap * sizeof *r->goals);
    }
    one.address = address;
    one.domain = domain;
    one.return_path = path;
    one.orcpt = orcpt;
    size_t of = smtp_server_transaction(r->session->smtp)->count;
    r->goals[r->count++] = (struct goal){one, of, listed, one_of, bytes, span_ihash(address)};
    r->bytes += bytes;
    return true;
}

// Of mail that an alias sends on to somebody else's server: an owner hears what goes
// wrong with his list; the rest gets a sender that is ours, or SPF would fail there.
// Nothing is told about what nobody sent (RFC 5321 §4.5.5).
static struct span return_path(struct routes *r, const struct alias_goal *g)
{
    const struct smtp_transaction *t = smtp_server_transaction(r->session->smtp);
    struct mail_address path;
    if (t->sender.kind == MAIL_NULL)
        return SPAN("");
    if (g->owner.len)
        return g->owner;
    if (!g->forwarded || g->class != ALIAS_CLASS_OTHER || r->aliases->srs.secret_count == 0)
        return SPAN("");
    struct wall now = io_wall(r->session->receiver->proc->loop);
    enum auth_srs_result srs =
        auth_srs_forward(&r->aliases->srs, &t->sender, now, &path, &r->memory);
    if (srs != AUTH_SRS_OK && srs != AUTH_SRS_AS_IT_IS)
        LOG(LOG_INFO, "srs-not-possible", LOG_S("sender", t->sender.text),
            LOG_T("why", auth_srs_result_text(srs)));
    return srs == AUTH_SRS_OK ? path.text : SPAN("");
}

// RFC 3461 §5.2.7: who the sender wrote to stays known when an alias sends it on.
static struct span original(struct routes *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    if (!span_is_ascii(r->to.text))
        return SPAN("");
    buf_put(&b, SPAN("rfc822;"));
    mail_xtext_put(&b, r->to.text);
    struct span s = arena_dup(&r->memory, buf_span(&b));
    return s.at ? s : SPAN("");
}

// Of one whom the machine had no room for in the end.
static void forget_refused(struct routes *r)
{
    size_t accepted = smtp_server_transaction(r->session->smtp)->count;
    while (r->count && r->goals[r->count - 1].of >= accepted)
        r->bytes -= r->goals[--r->count].bytes;
}

// What the sender hears who asked to hear of success: of a list that it has the message
// (RFC 3461 §5.2.7.1), of an alias for several that it went on to them (§5.2.7.3 (c)).
static bool tell_of_alias(struct routes *r, bool list)
{
    struct store_recipient told = {
        .address = r->to.text, .domain = dns_name_span(&r->to.domain), .status = SPAN("2.0.0")};
    if (r->to.kind != MAIL_DOMAIN)
        return true;
    told.notice = list ? STORE_NOTICE_DELIVERED : STORE_NOTICE_EXPANDED;
    told.reason = list ? SPAN("given to the list, which sends it on to its members")
                       : SPAN("sent on to those whom the address stands for");
    return goal_add(r, told, false, false);
}

static bool take_goals(struct routes *r)
{
    forget_refused(r);
    size_t count;
    const struct alias_goal *g = alias_walk_goals(r->walk, &count);
    bool plain = alias_walk_plain(r->walk);
    r->expanded |= !plain;
    struct span orcpt = plain ? SPAN("") : original(r);
    size_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        listed += g[i].owner.len > 0;
        struct store_recipient one = {.address = g[i].address,
                                      .domain = g[i].domain,
                                      .return_path = return_path(r, &g[i]),
                                      .orcpt = orcpt};
        if (!goal_add(r, one, g[i].owner.len > 0, count > 1))
            return false;
    }
    // An alias for one goes unsaid: what was asked goes with it (§5.2.7.2).
    bool list = count > 0 && listed == count;
    return list || count > 1 ? tell_of_alias(r, list) : true;
}

size_t session_routes_count(const struct session *s)
{
    return s->routes ? s->routes->count : 0;
}

bool session_routes_reports(const struct session *s)
{
    size_t reports = 0;
    for (size_t i = 0; i < session_routes_count(s); i++) {
        const struct store_recipient *to = &s->routes->goals[i].to;
        bool report = span_eq(to->domain, SPAN(REPORTS_DOMAIN));
        if (!report && !to->notice)
            return false;
        reports += report;
    }
    return reports > 0;
}

// RFC 3461 §5.2.7: a list asks for itself; where success is told of the address, none is
// told of each that it stands for.
static uint8_t notify_of(const struct goal *g, uint8_t asked)
{
    if (g->listed)
        return STORE_NOTIFY_FAILURE;
    if (!g->one_of || !(asked & STORE_NOTIFY_SUCCESS))
        return asked;
    uint8_t rest = (uint8_t)(asked & ~STORE_NOTIFY_SUCCESS);
    return rest ? rest : STORE_NOTIFY_NEVER;
}

// The machine had no room for it, or nobody is to be told of it.
static bool left_out(const struct goal *g, const struct smtp_transaction *t)
{
    if (g->of >= t->count)
        return true;
    bool asked = t->sender.kind != MAIL_NULL && t->recipients[g->of].notify & STORE_NOTIFY_SUCCESS;
    return g->to.notice && !asked;
}

size_t session_routes_put(const struct session *s, struct store_recipient *out, struct wall due)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    size_t count = 0;
    for (size_t i = 0; i < session_routes_count(s); i++) {
        const struct goal *g = &s->routes->goals[i];
        if (left_out(g, t))
            continue;
        struct store_recipient *r = &out[count++];
        *r = g->to;
        r->due = due;
        r->notify = notify_of(g, t->recipients[g->of].notify);
        if (g->listed)
            r->orcpt = SPAN("");
        else if (t->recipients[g->of].orcpt.len)
            r->orcpt = t->recipients[g->of].orcpt;
    }
    return count;
}

// ---- the answer to RCPT ----

static void accept_goals(struct session *s)
{
    if (take_goals(s->routes))
        session_accept_rcpt(s);
    else
        session_answer(s, 452, "4.5.3", SPAN("too many recipients behind these addresses"));
}

static void end_walk(struct routes *r)
{
    alias_walk_free(r->walk);
    r->walk = NULL;
}

void session_foreseen(struct session *s, bool refused)
{
    if (!refused)
        accept_goals(s);
    end_walk(s->routes);
}

// Of one destination elsewhere; of a list only some might be out of reach.
static bool foresee(struct session *s)
{
    size_t count;
    const struct alias_goal *g = alias_walk_goals(s->routes->walk, &count);
    return count == 1 && g->class != ALIAS_CLASS_LOCAL && session_foresee(s, g->domain);
}

static void answer_route(struct session *s)
{
    static const struct {
        unsigned code;
        const char *status, *text;
        enum meter meter;
    } refusals[ALIAS_ENDS] = {
        [ALIAS_NOT_OURS] = {550, "5.7.1", "relaying denied", METER_REFUSED_RELAY},
        [ALIAS_UNKNOWN] = {550, "5.1.1", "there is no such mailbox here", METER_REFUSED_UNKNOWN},
        [ALIAS_REFUSED] = {550, "5.1.6", NULL, METER_REFUSED_UNKNOWN},
        [ALIAS_LATER] = {451, "4.3.0", "it cannot be found out now who has a mailbox, try later",
                         METER_REFUSED_LATER},
        [ALIAS_TOO_MANY] = {550, "5.2.4", "this address stands for more than it may",
                            METER_REFUSED_UNKNOWN},
    };
    struct routes *r = s->routes;
    struct span why;
    enum alias_end end = alias_walk_end(r->walk, &why);
    bool goes = end == ALIAS_GOES || (end == ALIAS_NOT_OURS && s->inside);
    if (goes && foresee(s))
        return;
    if (goes) {
        accept_goals(s);
    } else {
        meter_count(refusals[end].meter, 1);
        session_answer(s, refusals[end].code, refusals[end].status,
                       refusals[end].text ? span_str(refusals[end].text) : why);
    }
    end_walk(r);
}

static void walk_on(struct session *s);

static bool mailbox_told(void *arg, struct io_message *m)
{
    static const enum alias_mailbox is[MAILBOX_KINDS] = {
        [MAILBOX_NOT_KNOWN] = ALIAS_MAILBOX_NOT_KNOWN,
        [MAILBOX_THERE] = ALIAS_MAILBOX_THERE,
        [MAILBOX_NOT_THERE] = ALIAS_MAILBOX_NOT_THERE,
    };
    struct session *s = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    uint8_t told = m ? (uint8_t)rd_enum(&rd, MAILBOX_KINDS) : MAILBOX_NOT_KNOWN;
    bool wellformed = !m || (m->kind == MSG_MAILBOX_IS && rd_end(&rd));
    s->routes->asking = s->waiting = false;
    alias_walk_answer(s->routes->walk, wellformed ? is[told] : ALIAS_MAILBOX_NOT_KNOWN);
    walk_on(s);
    if (!s->waiting) {
        io_stream_pause(s->stream, false);
        session_resume(s);
    }
    return wellformed;
}

static void ask(struct session *s, struct span mailbox)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    wr_span(&b, mailbox);
    s->routes->asking = s->waiting = true;
    session_hold_input(s);
    s->routes->ticket = proc_ask(s->receiver->proc, PROC_AUTHENTICATOR, 0, MSG_MAILBOX,
                                 buf_span(&b), mailbox_us, mailbox_told, s);
}

static void walk_on(struct session *s)
{
    struct routes *r = s->routes;
    bool check = conf_bool(s->receiver->proc->conf, CONF_local_check);
    struct span mailbox;
    while (alias_walk_asks(r->walk, &mailbox)) {
        if (check) {
            ask(s, mailbox);
            return;
        }
        alias_walk_answer(r->walk, ALIAS_MAILBOX_THERE);
    }
    answer_route(s);
}

static void start_walk(struct session *s)
{
    struct routes *r = s->routes;
    r->walk = alias_walk_new(&r->aliases->conf, &r->to);
    walk_on(s);
}

// What comes back to a sender of ours goes to who really sent it; a forged one nowhere.
static bool answer_returned(struct session *s, const struct mail_address *to)
{
    struct routes *r = routes_of(s);
    struct mail_address back;
    if (to->kind != MAIL_DOMAIN || !dns_name_eq(&to->domain, &r->aliases->srs_home) ||
        r->aliases->srs.secret_count == 0)
        return false;
    struct wall now = io_wall(s->receiver->proc->loop);
    enum auth_srs_result srs = auth_srs_back(&r->aliases->srs, to, now, &back, &r->memory);
    if (srs == AUTH_SRS_AS_IT_IS)
        return false;
    if (srs != AUTH_SRS_OK || back.kind != MAIL_DOMAIN) {
        session_answer(s, 550, "5.1.1", span_str(auth_srs_result_text(srs)));
        return true;
    }
    struct store_recipient one = {.address = back.text, .domain = dns_name_span(&back.domain)};
    forget_refused(r);
    if (goal_add(r, one, false, false))
        session_accept_rcpt(s);
    else
        session_answer(s, 452, "4.5.3", SPAN("too many recipients"));
    return true;
}

void session_route(struct session *s, const struct mail_address *to)
{
    struct routes *r = routes_of(s);
    if (answer_returned(s, to))
        return;
    r->to = *to;
    session_count(s, 0, 1, start_walk);
}
