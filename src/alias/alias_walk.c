#include "alias_walk.h"

#include "base_buf.h"

#include <stdlib.h>

enum { MEMORY_MAX = 16 << 20 };

// An address on its way to being a goal.
struct stop {
    struct span local, domain, owner;
    bool forwarded;
};

struct alias_walk {
    const struct alias_conf *conf;
    struct arena memory;
    struct stop *stops; // a stack: what is still to be looked at
    size_t stop_count, stop_cap;
    struct alias_goal *goals;
    uint64_t *hashes; // of their addresses, so that thousands are compared quickly
    size_t goal_count, goal_cap;
    const struct alias_entry **used; // entries that were expanded: none is twice
    size_t used_count, used_cap;
    struct stop asked; // waits for the answer about its mailbox
    struct span question;
    bool asking, plain;
    enum alias_end end; // the worst there was; ALIAS_GOES: none
    struct span why;
};

// A worse one stays: what is not known now may not become a refusal.
static void note(struct alias_walk *w, enum alias_end end)
{
    static const unsigned char weight[ALIAS_ENDS] = {
        [ALIAS_GOES] = 0,  [ALIAS_UNKNOWN] = 1,  [ALIAS_REFUSED] = 2,
        [ALIAS_LATER] = 3, [ALIAS_TOO_MANY] = 4, [ALIAS_NOT_OURS] = 0,
    };
    if (weight[end] > weight[w->end])
        w->end = end;
}

static struct span joined(struct alias_walk *w, struct span local, struct span domain)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    buf_printf(&b, "%.*s@%.*s", SPAN_FMT(local), SPAN_FMT(domain));
    struct span s = arena_dup(&w->memory, buf_span(&b));
    if (!s.at || !rc_ok(buf_state(&b)))
        note(w, ALIAS_TOO_MANY);
    return s.at ? s : SPAN("");
}

static void push(struct alias_walk *w, struct stop s)
{
    if (w->stop_count >= w->conf->most) {
        note(w, ALIAS_TOO_MANY);
        return;
    }
    if (w->stop_count == w->stop_cap) {
        w->stop_cap = w->stop_cap ? w->stop_cap * 2 : 4;
        w->stops = mem_resize(w->stops, w->stop_cap * sizeof *w->stops);
    }
    w->stops[w->stop_count++] = s;
}

static bool is_own(const struct alias_conf *c, const struct stop *s)
{
    for (size_t i = 0; i < c->own_count; i++) {
        size_t at = s->local.len;
        if (c->own[i].len == at + 1 + s->domain.len && c->own[i].at[at] == '@' &&
            span_ieq(span_first(c->own[i], at), s->local) &&
            span_ieq(span_skip(c->own[i], at + 1), s->domain))
            return true;
    }
    return false;
}

static bool goal_there(const struct alias_walk *w, struct span address)
{
    uint64_t hash = span_ihash(address);
    for (size_t i = 0; i < w->goal_count; i++)
        if (w->hashes[i] == hash && span_ieq(w->goals[i].address, address))
            return true;
    return false;
}

static void goal(struct alias_walk *w, const struct stop *s, enum alias_class class)
{
    struct span address = joined(w, s->local, s->domain);
    struct mail_address whole;
    if (goal_there(w, address))
        return;
    if (!mail_address_parse(&whole, address, true, &w->memory) || whole.kind != MAIL_DOMAIN) {
        note(w, ALIAS_UNKNOWN); // the domain it was sent on to made it too long
        return;
    }
    if (w->goal_count >= w->conf->most) {
        note(w, ALIAS_TOO_MANY);
        return;
    }
    if (w->goal_count == w->goal_cap) {
        w->goal_cap = w->goal_cap ? w->goal_cap * 2 : 2;
        w->goals = mem_resize(w->goals, w->goal_cap * sizeof *w->goals);
        w->hashes = mem_resize(w->hashes, w->goal_cap * sizeof *w->hashes);
    }
    w->hashes[w->goal_count] = span_ihash(address);
    w->goals[w->goal_count++] =
        (struct alias_goal){.address = address,
                            .domain = is_own(w->conf, s) ? w->conf->own_domain : s->domain,
                            .class = class,
                            .forwarded = s->forwarded,
                            .owner = s->owner};
}

static bool use(struct alias_walk *w, const struct alias_entry *e)
{
    for (size_t i = 0; i < w->used_count; i++)
        if (w->used[i] == e)
            return false;
    if (w->used_count == w->used_cap) {
        w->used_cap = w->used_cap ? w->used_cap * 2 : 4;
        w->used = mem_resize(w->used, w->used_cap * sizeof(struct alias_entry *));
    }
    w->used[w->used_count++] = e;
    w->plain = false;
    return true;
}

static struct span base_of(const struct alias_walk *w, struct span local)
{
    size_t at = w->conf->detail ? span_index(local, w->conf->detail) : local.len;
    bool quoted = local.len && local.at[0] == '"';
    return at == 0 || quoted ? local : span_first(local, at);
}

// The return path of what a list sends on (RFC 5321 §3.9.2): "owner-" and its name.
static struct span owner_of(struct alias_walk *w, const struct alias_entry *e, struct span domain)
{
    CLEANUP(buf_free) struct buf name = BUF(128);
    if (e->local.len == 0 || span_starts(e->local, SPAN("owner-")))
        return SPAN("");
    buf_printf(&name, "owner-%.*s", SPAN_FMT(e->local));
    const struct alias_table *t = w->conf->table;
    if (!alias_table_find(t, buf_span(&name), domain) &&
        !alias_table_find(t, buf_span(&name), SPAN("")))
        return SPAN("");
    return joined(w, buf_span(&name), domain);
}

static struct span mailboxes_at(const struct alias_walk *w, struct span domain)
{
    const struct alias_domains *d = &w->conf->domains;
    return d->class_of(d->arg, domain) == ALIAS_CLASS_VIRTUAL ? w->conf->home : domain;
}

static void expand(struct alias_walk *w, const struct stop *s, const struct alias_entry *e)
{
    struct span owner = owner_of(w, e, s->domain), nearest = mailboxes_at(w, s->domain);
    for (size_t i = e->count; i-- > 0;) { // the first is looked at first
        const struct alias_target *t = &e->targets[i];
        struct stop next = {.local = t->kind == ALIAS_TO_DOMAIN ? s->local : t->local,
                            .domain = t->kind == ALIAS_TO_LOCAL ? nearest : t->domain,
                            .owner = owner.len ? owner : s->owner,
                            .forwarded = true};
        if (t->kind == ALIAS_TO_FAILURE) {
            note(w, ALIAS_REFUSED);
            w->why = t->local;
            continue;
        }
        push(w, next);
    }
}

static bool take(struct alias_walk *w, const struct stop *s, struct span local, struct span domain)
{
    const struct alias_entry *e = alias_table_find(w->conf->table, local, domain);
    if (!e || !use(w, e))
        return false;
    expand(w, s, e);
    return true;
}

// The aliases that come before the mailbox, in their order.
static bool alias_before(struct alias_walk *w, const struct stop *s)
{
    struct span base = base_of(w, s->local);
    return take(w, s, s->local, s->domain) ||
           (base.len < s->local.len && take(w, s, base, s->domain)) ||
           take(w, s, s->local, SPAN("")) ||
           (base.len < s->local.len && take(w, s, base, SPAN("")));
}

static void ask(struct alias_walk *w, const struct stop *s)
{
    w->question = joined(w, base_of(w, s->local), s->domain);
    if (w->question.len + 2 > MAIL_PATH_MAX) { // as a goal; nobody can be asked for it either
        note(w, ALIAS_UNKNOWN);
        return;
    }
    w->asked = *s;
    w->asking = true;
}

static bool is_postmaster(const struct stop *s)
{
    return span_ieq(s->local, SPAN("postmaster"));
}

// Nobody by that name: what else is there for the address.
static void otherwise(struct alias_walk *w, const struct stop *s, enum alias_class class)
{
    struct mail_address to;
    if (take(w, s, SPAN(""), s->domain))
        return;
    if (!is_postmaster(s))
        note(w, ALIAS_UNKNOWN);
    else if (!w->conf->postmaster.len)
        goal(w, s, class);
    else if (mail_address_parse(&to, w->conf->postmaster, true, &w->memory) &&
             to.kind == MAIL_DOMAIN && w->plain) {
        w->plain = false;
        struct span domain = arena_dup(&w->memory, dns_name_span(&to.domain));
        push(w, (struct stop){.local = to.local, .domain = domain, .forwarded = true});
    } else {
        note(w, ALIAS_UNKNOWN); // the address for postmasters led here
    }
}

static void look(struct alias_walk *w, const struct stop *s)
{
    enum alias_class class = w->conf->domains.class_of(w->conf->domains.arg, s->domain);
    if (is_own(w->conf, s))
        goal(w, s, ALIAS_CLASS_LOCAL);
    else if (class < ALIAS_CLASS_LOCAL)
        goal(w, s, class);
    else if (alias_before(w, s))
        return;
    else if (class == ALIAS_CLASS_LOCAL)
        ask(w, s);
    else
        otherwise(w, s, class);
}

struct alias_walk *alias_walk_new(const struct alias_conf *conf, const struct mail_address *to)
{
    struct alias_walk *w = mem_new(sizeof *w);
    *w = (struct alias_walk){.conf = conf, .memory = ARENA(MEMORY_MAX), .plain = true};
    struct span domain = to->kind == MAIL_DOMAIN ? dns_name_span(&to->domain) : conf->home;
    struct stop s = {.local = arena_dup(&w->memory, to->local),
                     .domain = arena_dup(&w->memory, domain)};
    enum alias_class class = conf->domains.class_of(conf->domains.arg, domain);
    if (class == ALIAS_CLASS_OTHER && to->kind != MAIL_BARE && !is_own(conf, &s)) {
        goal(w, &s, class);
        w->end = ALIAS_NOT_OURS;
    } else {
        push(w, s);
    }
    return w;
}

void alias_walk_free(struct alias_walk *w)
{
    if (!w)
        return;
    free(w->stops);
    free(w->goals);
    free(w->hashes);
    free(w->used);
    arena_free(&w->memory);
    free(w);
}

bool alias_walk_asks(struct alias_walk *w, struct span *mailbox)
{
    while (!w->asking && w->stop_count && w->end != ALIAS_TOO_MANY) {
        struct stop s = w->stops[--w->stop_count];
        look(w, &s);
    }
    *mailbox = w->asking ? w->question : SPAN("");
    return w->asking;
}

void alias_walk_answer(struct alias_walk *w, enum alias_mailbox m)
{
    if (!w->asking)
        panic("an answer about a mailbox nobody asked for");
    w->asking = false;
    if (m == ALIAS_MAILBOX_THERE)
        goal(w, &w->asked, ALIAS_CLASS_LOCAL);
    else if (m == ALIAS_MAILBOX_NOT_THERE)
        otherwise(w, &w->asked, ALIAS_CLASS_LOCAL);
    else
        note(w, ALIAS_LATER);
}

// One unknown name among others in a list is not the sender's fault.
enum alias_end alias_walk_end(const struct alias_walk *w, struct span *why)
{
    bool worse = w->end == ALIAS_LATER || w->end == ALIAS_TOO_MANY;
    *why = w->end == ALIAS_REFUSED ? w->why : SPAN("");
    if (w->goal_count && !worse && w->end != ALIAS_NOT_OURS)
        return ALIAS_GOES;
    return w->goal_count || w->end != ALIAS_GOES ? w->end : ALIAS_UNKNOWN;
}

const struct alias_goal *alias_walk_goals(const struct alias_walk *w, size_t *count)
{
    *count = w->goal_count;
    return w->goals;
}

bool alias_walk_plain(const struct alias_walk *w)
{
    return w->plain;
}
