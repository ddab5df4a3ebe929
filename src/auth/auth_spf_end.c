// What is said when an evaluation has ended: the explanation and the reason.
#include "auth_spf_inner.h"

enum { REASON_MAX = 1024, SHOWN_MAX = 200 };

enum spf_state spf_explain(struct spf_run *run, struct span *out)
{
    struct dns_name name;
    *out = SPAN("");
    if (!run->exp.len)
        return SPF_MATCH;
    enum spf_state state = spf_expand_name(run, &run->record_domain, run->exp, &name);
    if (state != SPF_MATCH)
        return state == SPF_PENDING ? SPF_PENDING : SPF_MATCH;
    // §6.2: whatever goes wrong from here on, it is as if there were no "exp".
    // This lookup counts against no limit (§4.6.4).
    const struct spf_answer *txt = spf_ask(run, &name, DNS_TXT);
    if (!txt)
        return run->spf->full ? SPF_MATCH : SPF_PENDING;
    if (txt->presence != DNS_DATA || txt->count != 1 || !auth_spf_explain_ok(txt->first))
        return SPF_MATCH;
    CLEANUP(buf_free) struct buf b = BUF(AUTH_SPF_EXPLANATION_MAX);
    state = spf_expand_text(run, &run->record_domain, txt->first, &b);
    if (state == SPF_MATCH)
        *out = arena_dup(run->spf->arena, buf_span(&b));
    return state == SPF_PENDING ? SPF_PENDING : SPF_MATCH;
}

// A foreign text inside a sentence of ours: short and printable.
static void put_shown(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++)
        buf_putc(b, s.at[i] >= ' ' && s.at[i] <= '~' ? s.at[i] : '?');
    if (s.len > SHOWN_MAX)
        buf_put(b, SPAN("..."));
}

static void put_error(struct spf_run *run, struct buf *b)
{
    bool temporary = run->error == AUTH_TEMPERROR;
    buf_printf(b, "The SPF record of %s %s: %s", run->record_domain.text,
               temporary ? "could not be evaluated now" : "is in error",
               run->note ? run->note : "unknown");
    if (run->fault.len) {
        buf_put(b, SPAN(" (at \""));
        put_shown(b, run->fault);
        buf_put(b, SPAN("\")"));
    }
    if (run->why.len) {
        buf_put(b, SPAN(", "));
        put_shown(b, run->why);
    }
    buf_putc(b, '.');
}

static void put_match(struct spf_run *run, enum auth_result result, struct buf *b)
{
    static const char *const says[AUTH_RESULTS] = {
        [AUTH_PASS] = "permits the client",
        [AUTH_FAIL] = "does not permit the client",
        [AUTH_SOFTFAIL] = "says that the client is probably not permitted",
        [AUTH_NEUTRAL] = "says nothing of the client",
    };
    buf_printf(b, "The SPF record of %s %s", run->record_domain.text, says[result]);
    if (run->mechanism.len) {
        buf_put(b, SPAN(" (\""));
        put_shown(b, run->mechanism);
        buf_put(b, SPAN("\" matched)."));
    } else {
        buf_put(b, SPAN(" (no mechanism matched)."));
    }
}

static void put_none(struct spf_run *run, struct buf *b)
{
    const struct dns_name *domain = &run->side->check.domain;
    if (dns_name_is_root(domain))
        buf_printf(b, "There is no domain name whose SPF record could be asked for.");
    else
        buf_printf(b, "SPF says nothing about %s: %s.", domain->text,
                   run->note ? run->note : "there is no SPF record");
}

struct span spf_reason(struct spf_run *run, enum auth_result result)
{
    CLEANUP(buf_free) struct buf b = BUF(REASON_MAX);
    if (result == AUTH_PERMERROR || result == AUTH_TEMPERROR)
        put_error(run, &b);
    else if (result == AUTH_NONE)
        put_none(run, &b);
    else
        put_match(run, result, &b);
    struct span kept = arena_dup(run->spf->arena, buf_span(&b));
    return kept.at ? kept : SPAN("There is no memory left to say why.");
}
