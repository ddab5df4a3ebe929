#include "trust_sts_keeper.h"

static const struct {
    enum trust_result_type type;
    const char *sentence;
} failures[TRUST_FETCH_RESULTS] = {
    [TRUST_FETCH_OK] = {TRUST_STS_POLICY_INVALID, "The policy file is not valid"},
    [TRUST_FETCH_DNS] = {TRUST_STS_FETCH_ERROR, "The policy host has no address"},
    [TRUST_FETCH_CONNECT] = {TRUST_STS_FETCH_ERROR, "The policy host could not be reached"},
    [TRUST_FETCH_WEBPKI] = {TRUST_STS_WEBPKI_INVALID,
                            "The certificate of the policy host is not valid for it"},
    [TRUST_FETCH_HTTP] = {TRUST_STS_FETCH_ERROR, "The policy host did not answer with status 200"},
    [TRUST_FETCH_TYPE] = {TRUST_STS_FETCH_ERROR, "The policy file is not text/plain"},
    [TRUST_FETCH_TOO_LARGE] = {TRUST_STS_FETCH_ERROR, "The policy file is too large"},
};

static const enum trust_sts_state state_of_mode[STS_MODES] = {
    [STS_NONE] = TRUST_STS_MODE_NONE,
    [STS_TESTING] = TRUST_STS_TESTING,
    [STS_ENFORCE] = TRUST_STS_ENFORCE,
};

static void hold(struct trust_keeper *k, const struct trust_sts_policy *policy, const char *id,
                 enum trust_sts_source source)
{
    k->held->state = state_of_mode[policy->mode];
    k->held->source = source;
    k->held->policy = *policy;
    (void)span_copy(k->held->id, sizeof k->held->id, span_str(id));
}

// No live policy can be found: an unexpired one stays in force (§3.3, §5.1),
// without one delivery goes on as if there were none.
static void fall_back(struct trust_keeper *k, enum trust_sts_source source,
                      enum trust_result_type type, struct span error)
{
    k->held->error = error;
    k->held->result_type = type;
    k->held->state = TRUST_STS_ERROR;
    (void)span_copy(k->held->id, sizeof k->held->id, span_str(k->id));
    if (!k->live)
        return;
    hold(k, &k->live_policy, k->live_id, source);
    if (k->live_policy.mode == STS_NONE) // §6: of such a policy nothing is reported
        k->held->result_type = TRUST_RESULT_OK;
}

static enum trust_keeper_wants without_record(struct trust_keeper *k)
{
    if (k->txt_failed)
        fall_back(k, TRUST_STS_CACHE, TRUST_STS_FETCH_ERROR,
                  SPAN("The lookup of the _mta-sts record failed."));
    else if (k->live) // a vanished record does not end a policy (§3.1)
        hold(k, &k->live_policy, k->live_id, TRUST_STS_CACHE);
    return TRUST_KEEPER_OVER;
}

static enum trust_keeper_wants weigh(struct trust_keeper *k)
{
    if (!k->txt_in || !k->stored_in || k->fetching)
        return TRUST_KEEPER_WAITS;
    if (!k->announced)
        return without_record(k);
    bool same = k->live && span_eq(span_str(k->id), span_str(k->live_id));
    if (same && !k->refresh) {
        hold(k, &k->live_policy, k->live_id, TRUST_STS_CACHE);
        return TRUST_KEEPER_OVER;
    }
    k->fetching = true;
    return TRUST_KEEPER_FETCH;
}

enum trust_keeper_wants trust_keeper_txt(struct trust_keeper *k, const struct dns_answer *answer)
{
    k->txt_in = true;
    k->txt_failed = answer->presence == DNS_NO_ANSWER;
    k->announced = !k->txt_failed && trust_sts_record(answer, k->id);
    return weigh(k);
}

// NULL: read. A policy is never lost because memory is: that would be a downgrade.
static const char *read_policy(struct trust_keeper *k, struct trust_sts_policy *policy,
                               struct span file)
{
    const char *wrong = trust_sts_parse(policy, file, k->arena);
    k->no_room = k->no_room || wrong == trust_sts_no_room;
    return wrong;
}

enum trust_keeper_wants trust_keeper_stored(struct trust_keeper *k,
                                            const struct trust_sts_stored *stored)
{
    k->stored_in = true;
    // max_age 0 expires at once: strictly later than now is unexpired.
    if (stored && stored->expires.us > k->now.us && trust_sts_is_id(span_str(stored->id)) &&
        !read_policy(k, &k->live_policy, stored->file)) {
        k->live = span_copy(k->live_id, sizeof k->live_id, span_str(stored->id));
        k->live_until = stored->expires;
    }
    return weigh(k);
}

static struct span say(struct arena *a, const char *what, struct span detail)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    buf_printf(&b, "%s%s%.*s%s", what, detail.len ? " (" : "", SPAN_FMT(span_first(detail, 1024)),
               detail.len ? ")." : ".");
    struct span kept = arena_dup(a, buf_span(&b));
    return kept.at ? kept : SPAN("The policy could not be fetched.");
}

// False: no room to keep it, which only means that it is fetched again.
static bool keep(struct trust_keeper *k, const struct trust_sts_policy *policy, struct span file)
{
    k->fresh.file = arena_dup(k->arena, file);
    (void)span_copy(k->fresh.id, sizeof k->fresh.id, span_str(k->id));
    k->fresh.fetched = k->now;
    k->fresh.expires = (struct wall){k->now.us + SECONDS(policy->max_age)};
    return k->fresh.file.at;
}

enum trust_keeper_wants trust_keeper_fetched(struct trust_keeper *k,
                                             const struct trust_fetched *fetched)
{
    struct trust_sts_policy policy;
    enum trust_fetch_result r = fetched->result;
    bool came = r == TRUST_FETCH_OK;
    const char *wrong = came ? read_policy(k, &policy, fetched->file) : NULL;
    if (came && !wrong) {
        hold(k, &policy, k->id, TRUST_STS_FETCHED);
        k->live_until = (struct wall){k->now.us + SECONDS(policy.max_age)};
        k->save = keep(k, &policy, fetched->file);
        return TRUST_KEEPER_OVER;
    }
    fall_back(k, TRUST_STS_LAST_GOOD, failures[r].type,
              say(k->arena, failures[r].sentence, came ? span_str(wrong) : fetched->detail));
    return TRUST_KEEPER_OVER;
}
