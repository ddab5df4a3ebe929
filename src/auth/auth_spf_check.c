// check_host() (RFC 7208 §4), include (§5.2) and redirect (§6.1).
#include "auth_spf_inner.h"

void spf_note(struct spf_run *run, const struct spf_frame *f, struct span term,
              const struct dns_name *target, enum auth_spf_outcome outcome, const char *note)
{
    struct auth_spf_step *steps = run->side->check.steps;
    if (run->steps == AUTH_SPF_STEPS) { // the last one always stays
        run->steps--;
        run->left_out++;
    }
    steps[run->steps++] = (struct auth_spf_step){.depth = f->depth,
                                                 .domain = f->domain,
                                                 .term = term,
                                                 .target = target ? *target : (struct dns_name){0},
                                                 .outcome = outcome,
                                                 .note = note};
}

enum spf_state spf_error(struct spf_run *run, enum auth_result result, const char *note)
{
    run->error = result;
    run->note = note;
    return SPF_ERROR;
}

enum spf_state spf_failed(struct spf_run *run, const struct spf_answer *a)
{
    run->why = a->why;
    return spf_error(run, AUTH_TEMPERROR, "a DNS lookup failed");
}

const struct spf_answer *spf_lookup(struct spf_run *run, const struct dns_name *name,
                                    enum dns_type type, enum spf_state *state)
{
    const struct spf_answer *a = spf_ask(run, name, type);
    if (a && a->presence != DNS_NO_ANSWER)
        return a;
    if (a)
        *state = spf_failed(run, a);
    else
        *state = run->spf->full ? spf_error(run, AUTH_TEMPERROR, "out of memory") : SPF_PENDING;
    return NULL;
}

bool spf_count_lookup(struct spf_run *run)
{
    return ++run->lookups <= AUTH_SPF_LOOKUPS;
}

bool spf_count_void(struct spf_run *run, const struct spf_answer *a)
{
    run->voids += a->presence == DNS_NODATA || a->presence == DNS_NXDOMAIN;
    return run->voids <= run->spf->r.voids_max;
}

static enum spf_state too_many(struct spf_run *run)
{
    return spf_error(run, AUTH_PERMERROR, "more than 10 terms need a DNS lookup");
}

// A term that looks something up, and the name it looks up.
static enum spf_state target_of(struct spf_run *run, const struct spf_frame *f, struct span spec,
                                struct dns_name *out)
{
    *out = f->domain;
    if (!spf_count_lookup(run) || (spf_uses_ptr(spec) && !spf_count_lookup(run))) // §4.6.4
        return too_many(run);
    return spec.len ? spf_expand_name(run, &f->domain, spec, out) : SPF_MATCH;
}

// §5.2: what a result of the included record means here.
static enum spf_state include(struct spf_run *run, const struct spf_frame *f,
                              const struct auth_spf_term *t, const struct dns_name *target)
{
    static const enum spf_state meaning[AUTH_RESULTS] = {
        [AUTH_PASS] = SPF_MATCH,       [AUTH_FAIL] = SPF_NO_MATCH,   [AUTH_SOFTFAIL] = SPF_NO_MATCH,
        [AUTH_NEUTRAL] = SPF_NO_MATCH, [AUTH_TEMPERROR] = SPF_ERROR, [AUTH_PERMERROR] = SPF_ERROR,
        [AUTH_NONE] = SPF_ERROR,       [AUTH_POLICY] = SPF_ERROR,
    };
    enum auth_result inner;
    spf_note(run, f, t->text, target, AUTH_SPF_ENTERED, NULL);
    enum spf_state state = spf_check_host(run, target, f->depth + 1, &inner);
    if (state != SPF_MATCH)
        return state;
    if (inner == AUTH_NONE)
        return spf_error(run, AUTH_PERMERROR, "the included domain has no SPF record");
    return meaning[inner];
}

static bool looks_up(enum auth_spf_kind k)
{
    return k != AUTH_SPF_ALL && k != AUTH_SPF_IP4 && k != AUTH_SPF_IP6;
}

static enum spf_state evaluate(struct spf_run *run, const struct spf_frame *f,
                               const struct auth_spf_term *t)
{
    struct dns_name target = {0};
    enum spf_state state = SPF_MATCH;
    if (looks_up(t->kind))
        state = target_of(run, f, t->domain, &target);
    bool no_name = state == SPF_NO_MATCH;
    if (state == SPF_MATCH)
        state = t->kind == AUTH_SPF_INCLUDE ? include(run, f, t, &target)
                                            : spf_mechanism(run, t, &target);
    if (state == SPF_MATCH || state == SPF_NO_MATCH)
        spf_note(run, f, t->text, no_name ? NULL : &target,
                 state == SPF_MATCH ? AUTH_SPF_MATCHED : AUTH_SPF_NO_MATCH,
                 no_name ? "it expands to no name that could be asked for" : NULL);
    if (state == SPF_ERROR && !run->fault.len) {
        run->fault = t->text;
        run->record_domain = f->domain;
        spf_note(run, f, t->text, &target, AUTH_SPF_ERROR, run->note);
    }
    return state;
}

static enum auth_result qualified(char qualifier)
{
    return qualifier == '+'   ? AUTH_PASS
           : qualifier == '-' ? AUTH_FAIL
           : qualifier == '~' ? AUTH_SOFTFAIL
                              : AUTH_NEUTRAL;
}

// Whoever ends last decides: an included record is overruled by the one that
// includes it, and a redirect's target has the word of its origin (§6.2).
static void decide(struct spf_run *run, const struct spf_frame *f, struct span mechanism)
{
    run->record_domain = f->domain;
    run->mechanism = mechanism;
    run->exp = f->record.exp;
}

static enum spf_state redirect(struct spf_run *run, const struct spf_frame *f,
                               enum auth_result *out)
{
    struct dns_name target = {0};
    struct span text = f->record.redirect_text;
    enum spf_state state = target_of(run, f, f->record.redirect, &target);
    if (state == SPF_MATCH) {
        spf_note(run, f, text, &target, AUTH_SPF_ENTERED, NULL);
        state = spf_check_host(run, &target, f->depth + 1, out);
        if (state == SPF_MATCH && *out == AUTH_NONE)
            state = SPF_NO_MATCH;
    }
    if (state == SPF_NO_MATCH) // §6.1: permerror, never none
        state = spf_error(run, AUTH_PERMERROR, "the redirect leads to no SPF record");
    if (state == SPF_ERROR && !run->fault.len) {
        run->fault = text;
        run->record_domain = f->domain;
        spf_note(run, f, text, &target, AUTH_SPF_ERROR, run->note);
    }
    return state;
}

static enum spf_state run_terms(struct spf_run *run, const struct spf_frame *f,
                                enum auth_result *out)
{
    struct auth_spf_term t;
    for (struct span rest = {0}; auth_spf_record_next(&f->record, &rest, &t);) {
        if (t.kind >= AUTH_SPF_REDIRECT)
            continue;
        enum spf_state state = evaluate(run, f, &t);
        if (state == SPF_NO_MATCH)
            continue;
        *out = qualified(t.qualifier);
        if (state == SPF_MATCH)
            decide(run, f, t.text);
        return state;
    }
    if (f->record.redirect.len && !f->record.all)
        return redirect(run, f, out);
    spf_note(run, f, SPAN(""), NULL, AUTH_SPF_ENDED, NULL);
    decide(run, f, SPAN(""));
    *out = AUTH_NEUTRAL; // §4.7
    return SPF_MATCH;
}

// §4.3: more than one label.
static bool multi_label(const struct dns_name *n)
{
    struct dns_name parent;
    return dns_name_parent(&parent, n) && !dns_name_is_root(&parent);
}

static enum spf_state syntax_error(struct spf_run *run, const struct spf_frame *f,
                                   struct span fault, const char *note)
{
    run->record_domain = f->domain;
    run->fault = fault.len ? fault : SPAN("v=spf1");
    spf_note(run, f, fault, NULL, AUTH_SPF_ERROR, note);
    return spf_error(run, AUTH_PERMERROR, note);
}

// §4.4, §4.5: the one record of the domain. SPF_NO_MATCH: there is none.
static enum spf_state find_record(struct spf_run *run, struct spf_frame *f)
{
    enum spf_state state;
    const struct spf_answer *txt = spf_lookup(run, &f->domain, DNS_TXT, &state);
    if (!txt && state == SPF_ERROR && f->depth == 0)
        spf_note(run, f, SPAN(""), NULL, AUTH_SPF_ERROR, run->note);
    if (!txt)
        return state;
    if (txt->presence == DNS_DATA && txt->count == 0)
        return spf_error(run, AUTH_TEMPERROR, "the TXT records cannot be read");
    if (txt->spf_count == 0)
        return SPF_NO_MATCH;
    if (txt->spf_count > 1)
        return syntax_error(run, f, SPAN(""), "the domain has more than one SPF record");
    if (txt->fault)
        return syntax_error(run, f, txt->fault_term, txt->fault);
    f->record = txt->record;
    spf_note(run, f, txt->spf, NULL, AUTH_SPF_RECORD, NULL);
    return SPF_MATCH;
}

enum spf_state spf_check_host(struct spf_run *run, const struct dns_name *domain, unsigned depth,
                              enum auth_result *out)
{
    struct spf_frame f = {.domain = *domain, .depth = depth};
    *out = AUTH_NONE;
    if (!multi_label(domain)) {
        run->note = "the domain has only one label";
        return SPF_MATCH;
    }
    enum spf_state state = find_record(run, &f);
    if (state == SPF_NO_MATCH) {
        run->note = "there is no SPF record";
        return SPF_MATCH;
    }
    if (state != SPF_MATCH)
        return state;
    return run_terms(run, &f, out);
}
