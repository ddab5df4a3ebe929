#include "trust_walk.h"

void trust_walk_start(struct trust_walk *w, const struct trust_plan *plan,
                      const struct trust_need *need, unsigned ceiling, struct buf *why)
{
    *w = (struct trust_walk){
        .plan = plan, .need = *need, .ceiling = ceiling, .permanent_only = true, .why = why};
}

// The failure that speaks for the whole walk: the last one, but none that is
// for good after one that may pass.
static void remember(struct trust_walk *w, bool permanent, const char *status)
{
    if (permanent && !w->permanent_only)
        return;
    w->permanent_only = permanent;
    w->status = status;
}

// One sentence: rules end in a full stop, details may.
static void put_sentence(struct buf *b, struct span rule, struct span detail)
{
    if (detail.len && span_ends(rule, SPAN(".")))
        rule.len--;
    buf_put(b, rule);
    buf_put(b, rule.len && detail.len ? SPAN(": ") : SPAN(""));
    buf_put(b, detail);
    buf_put(b, detail.len && !span_ends(detail, SPAN(".")) ? SPAN(".") : SPAN(""));
}

static void say(struct trust_walk *w, const struct trust_host *h, const struct dns_address *a,
                const char *rule, struct span detail)
{
    if (!w->why)
        return;
    buf_clear(w->why);
    buf_put(w->why, dns_name_span(&h->name));
    if (a && !h->local) {
        buf_put(w->why, h->name.len ? SPAN(" [") : SPAN("["));
        dns_address_put(w->why, a);
        buf_put(w->why, SPAN("]"));
    }
    buf_put(w->why, SPAN(": "));
    put_sentence(w->why, span_str(rule), detail);
}

static const struct trust_host *current(const struct trust_walk *w)
{
    return &w->plan->hosts[w->host];
}

// Leaves hosts behind that cannot be tried, from where the walk stands.
static bool find_address(struct trust_walk *w)
{
    for (; w->host < w->plan->host_count; w->host++, w->address = 0) {
        const struct trust_host *h = current(w);
        if (h->requirement != TRUST_REQ_UNUSABLE && w->address < h->address_count)
            return true;
        if (h->requirement != TRUST_REQ_UNUSABLE)
            continue;
        // One that never was a candidate hides nothing that was seen of others.
        if (h->for_good && w->status)
            continue;
        remember(w, h->for_good, h->status);
        say(w, h, NULL, "", h->reason);
    }
    return false;
}

struct trust_try trust_walk_next(struct trust_walk *w)
{
    const struct trust_try nothing = {NULL, NULL, false};
    if (w->ended || w->plan->decision != TRUST_DELIVER)
        return nothing;
    if (w->begun && !w->clear_next)
        w->address++;
    w->begun = true;
    w->ended = !find_address(w);
    if (!w->ended && w->connections >= w->ceiling) {
        remember(w, false, "4.4.1"); // there is more to try another time
        w->ended = true;
    }
    if (w->ended)
        return nothing;
    w->connections++;
    return (struct trust_try){current(w), &current(w)->addresses[w->address], w->clear_next};
}

struct trust_ruling trust_walk_seen(struct trust_walk *w, const struct trust_seen *seen)
{
    bool retry = w->clear_next;
    struct trust_ruling r = trust_rule(current(w), &w->need, retry, seen);
    if (r.verdict == TRUST_GO_CLEAR || r.verdict == TRUST_GO_NEXT)
        w->clear_next = r.verdict == TRUST_GO_CLEAR;
    if (r.verdict != TRUST_GO_NEXT)
        return r;
    bool speaks = !r.permanent || w->permanent_only;
    remember(w, r.permanent, r.status);
    if (speaks)
        say(w, current(w), &current(w)->addresses[w->address], r.rule, seen->detail);
    return r;
}

void trust_walk_leave_host(struct trust_walk *w, struct span why)
{
    remember(w, false, "4.0.0"); // the server's own reply says more
    say(w, current(w), &current(w)->addresses[w->address], "", why);
    w->clear_next = false;
    w->address = current(w)->address_count; // of this host nothing more
}

enum trust_decision trust_walk_end(const struct trust_walk *w, const char **status)
{
    if (w->plan->decision != TRUST_DELIVER) {
        *status = w->plan->status;
        return w->plan->decision;
    }
    bool passing = !w->permanent_only && w->status;
    bool failed = w->permanent_only && w->status && w->ended;
    *status = passing || failed ? w->status : "4.4.1";
    return failed ? TRUST_FAIL : TRUST_DEFER;
}
