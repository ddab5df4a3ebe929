// What an evaluation leads to: a refusal, header fields, a record.
#include "proc_receiver_auth_inner.h"

#include "base_json.h"
#include "base_log.h"
#include "base_meter.h"
#include "proc_tallies.h"

enum { JSON_ROOM = 64 << 10, POLICY_SHOWN = 4096 };

static const struct auth_spf_check *mail_from(const struct receiver_auth *a)
{
    return &a->result->spf->check[AUTH_SPF_MAIL_FROM];
}

static enum auth_dmarc_policy disposition(const struct receiver_auth *a)
{
    return a->rules->dmarc == DMARC_RULE_ENFORCE ? a->result->ruling.disposition : DMARC_NONE;
}

// RFC 9989 §7.1: SPF alone would refuse what a signature of the author vouches for,
// and what was forwarded; so it waits for the verdict.
static bool spf_refuses(const struct receiver_auth *a)
{
    return a->rules->spf == SPF_RULE_REJECT && a->result->spf->decides->result == AUTH_FAIL &&
           a->result->dmarc->result != AUTH_PASS && !a->result->forwarded;
}

// RFC 9989 §11.5: who shows several authors, or one to each reader, gets past DMARC.
static bool from_refuses(const struct receiver_auth *a)
{
    static const enum from_rule least[AUTH_FROM_PROBLEMS] = {
        [AUTH_FROM_REPEATED] = FROM_RULE_AMBIGUOUS,  [AUTH_FROM_SEVERAL] = FROM_RULE_AMBIGUOUS,
        [AUTH_FROM_MALFORMED] = FROM_RULE_AMBIGUOUS, [AUTH_FROM_MISSING] = FROM_RULE_STRICT,
        [AUTH_FROM_NO_DOMAIN] = FROM_RULE_STRICT,    [AUTH_FROM_UNREAD] = FROM_RULE_AMBIGUOUS,
    };
    enum auth_from_problem problem = a->result->dmarc->from.problem;
    return problem != AUTH_FROM_OK && a->rules->from >= least[problem] && !a->trusted;
}

enum cause { CAUSE_NONE, CAUSE_DMARC, CAUSE_FROM, CAUSE_SPF };

static enum cause cause(const struct receiver_auth *a)
{
    return disposition(a) == DMARC_REJECT ? CAUSE_DMARC
           : from_refuses(a)              ? CAUSE_FROM
           : spf_refuses(a)               ? CAUSE_SPF
                                          : CAUSE_NONE;
}

static void put_dmarc_refusal(const struct receiver_auth *a, struct buf *b)
{
    buf_printf(b,
               "neither SPF nor DKIM shows that this is from %s, whose DMARC policy is to "
               "reject such mail",
               a->result->dmarc->from.domain.text);
}

static void put_from_refusal(const struct receiver_auth *a, struct buf *b)
{
    buf_printf(b, "it must be clear who the author is: %s",
               auth_from_text(a->result->dmarc->from.problem));
}

static void put_spf_refusal(const struct receiver_auth *a, struct buf *b)
{
    buf_printf(b, "%.*s may not send mail of %s, says its SPF record",
               SPAN_FMT(buf_span(&a->client_text)), a->result->spf->decides->domain.text);
}

void receiver_auth_refusal(const struct receiver_auth *a, struct receiver_refusal *out)
{
    static const struct {
        const char *status; // RFC 7372 §3.2 and §3.3
        void (*put)(const struct receiver_auth *a, struct buf *b);
    } rows[] = {
        [CAUSE_DMARC] = {"5.7.26", put_dmarc_refusal},
        [CAUSE_FROM] = {"5.7.1", put_from_refusal},
        [CAUSE_SPF] = {"5.7.23", put_spf_refusal},
    };
    enum cause c = cause(a);
    out->code = c == CAUSE_NONE ? 0 : 550;
    out->text = BUF(1024);
    if (c == CAUSE_NONE)
        return;
    out->status = rows[c].status;
    rows[c].put(a, &out->text);
}

bool receiver_auth_tlsrpt(const struct receiver_auth *a)
{
    const struct auth_dkim *d = a->result->dkim;
    for (size_t i = 0; i < auth_dkim_count(d); i++) {
        const struct auth_dkim_result *one = auth_dkim_result(d, i);
        if (one->result == AUTH_POLICY && one->reason &&
            span_eq(span_str(one->reason), SPAN(AUTH_DKIM_TLSRPT_ONLY)) &&
            auth_domains_related(&one->signature.domain, &a->result->dmarc->from.domain))
            return true;
    }
    return false;
}

void receiver_auth_put(const struct receiver_auth *a, struct buf *head)
{
    auth_message_put_results(a->machine, head, buf_span(&a->rules->id), false);
    if (disposition(a) == DMARC_QUARANTINE)
        buf_printf(head, "X-Geleit-Quarantine: DMARC policy of %s\r\n",
                   a->result->dmarc->from.domain.text);
}

void receiver_auth_hold(const struct receiver_auth *a, struct buf *why)
{
    if (a->rules->hold && disposition(a) == DMARC_QUARANTINE)
        buf_printf(why, "quarantined by the DMARC policy of %s",
                   a->result->dmarc->from.domain.text);
}

// ---- the record ----

static void put_signatures(struct buf *b, const struct auth_dkim *d)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '[');
    for (size_t i = 0; i < auth_dkim_count(d); i++) {
        const struct auth_dkim_result *r = auth_dkim_result(d, i);
        json_open(&j, NULL, '{');
        if (r->named) {
            json_str(&j, "domain", dns_name_span(&r->signature.domain));
            json_str(&j, "selector", dns_name_span(&r->signature.selector));
        }
        json_str(&j, "algorithm", span_str(r->algorithm));
        json_str(&j, "result", span_str(auth_result_text(r->result)));
        json_str(&j, "reason", span_str(r->reason));
        json_close(&j, '}');
    }
    json_close(&j, ']');
}

static void fill_dmarc(const struct receiver_auth *a, struct store_evaluation *e, bool accepted)
{
    const struct auth_dmarc_result *d = a->result->dmarc;
    const struct auth_dmarc_ruling *r = &a->result->ruling;
    e->author = dns_name_span(&d->from.domain);
    e->dmarc = span_str(auth_result_text(d->result));
    e->spf_aligned = d->spf_aligned;
    e->dkim_aligned = d->dkim_aligned;
    if (d->found) {
        e->policy_domain = dns_name_span(&d->policy_domain);
        e->policy = span_first(d->record->text, POLICY_SHOWN);
    }
    e->wish = span_str(auth_dmarc_policy_text(d->disposition));
    e->disposition = span_str(auth_dmarc_policy_text(accepted ? disposition(a) : DMARC_REJECT));
    if (!accepted && disposition(a) != DMARC_REJECT) {
        e->override_reason = span_str(auth_dmarc_override_text(DMARC_OVERRIDE_LOCAL_POLICY));
        e->comment =
            cause(a) == CAUSE_FROM ? SPAN("refused for its From field") : SPAN("refused for SPF");
    } else if (r->override != DMARC_OVERRIDE_NONE) {
        e->override_reason = span_str(auth_dmarc_override_text(r->override));
        e->comment = span_str(r->comment);
    }
}

static void send_record(const struct receiver_auth *a, uint64_t id, struct span to, bool accepted,
                        bool counts_too)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX - 64), dkim = BUF(JSON_ROOM);
    CLEANUP(buf_free) struct buf counts = BUF(TALLIES_ROOM);
    const struct auth_spf_check *spf = mail_from(a);
    put_signatures(&dkim, a->result->dkim);
    struct store_evaluation e = {
        .when = io_wall(a->proc->loop),
        .message = id,
        .client = buf_span(&a->client_text),
        .helo = a->helo,
        .sender = a->sender.len ? dns_name_span(&spf->domain) : SPAN(""),
        .spf = span_str(auth_result_text(spf->result)),
        .spf_domain = dns_name_span(&spf->domain),
        .spf_scope = a->sender.len ? SPAN("mfrom") : SPAN("helo"),
        .dkim = rc_ok(buf_state(&dkim)) ? buf_span(&dkim) : SPAN("[]"),
        .arc = span_str(auth_result_text(a->result->arc->result)),
        .accepted = accepted,
    };
    fill_dmarc(a, &e, accepted);
    const struct tallies_letter letter = {&a->client, a->result, to, !a->sender.len};
    if (counts_too)
        tallies_evaluation(&counts, &e, &letter);
    proc_evaluation_pack(&b, &e);
    proc_send(proc_peer(a->proc, PROC_STORE, 0), MSG_EVALUATION, 0, buf_span(&b), -1);
}

static void count(const struct receiver_auth *a, bool accepted)
{
    static const enum meter refused[] = {[CAUSE_NONE] = METER_REFUSED_DMARC,
                                         [CAUSE_DMARC] = METER_REFUSED_DMARC,
                                         [CAUSE_FROM] = METER_REFUSED_FROM,
                                         [CAUSE_SPF] = METER_REFUSED_SPF};
    static const enum meter led[] = {[DMARC_NONE] = METER_EVALUATED_NONE,
                                     [DMARC_QUARANTINE] = METER_EVALUATED_QUARANTINE,
                                     [DMARC_REJECT] = METER_EVALUATED_REJECT};
    const struct auth_message_result *r = a->result;
    _Static_assert(METER_SPF_PERMERROR - METER_SPF_NONE == (int)AUTH_PERMERROR &&
                       METER_DKIM_PERMERROR - METER_DKIM_NONE == (int)AUTH_PERMERROR &&
                       METER_DMARC_PERMERROR - METER_DMARC_NONE == (int)AUTH_PERMERROR &&
                       METER_SPF_POLICY - METER_SPF_NONE == (int)AUTH_POLICY,
                   "rows stand in the order of enum auth_result");
    meter_count((enum meter)(METER_SPF_NONE + (unsigned)mail_from(a)->result), 1);
    meter_count((enum meter)(METER_DKIM_NONE + (unsigned)auth_dkim_overall(r->dkim)), 1);
    meter_count((enum meter)(METER_DMARC_NONE + (unsigned)r->dmarc->result), 1);
    meter_count(led[disposition(a)], 1);
    meter_count(METER_EVALUATED_LATE, a->late);
    if (!accepted)
        meter_count(refused[cause(a)], 1);
}

void receiver_auth_record(const struct receiver_auth *a, uint64_t id, struct span to, bool accepted,
                          bool counts)
{
    CLEANUP(buf_free) struct buf text = BUF(32);
    const struct auth_message_result *r = a->result;
    count(a, accepted);
    buf_printf(&text, "%llx", (unsigned long long)id);
    LOG(LOG_INFO, accepted ? "message-evaluated" : "message-refused",
        LOG_S("received", buf_span(&text)), LOG_S("client", buf_span(&a->client_text)),
        LOG_S("author", dns_name_span(&r->dmarc->from.domain)),
        LOG_T("spf", auth_result_text(mail_from(a)->result)),
        LOG_T("dkim", auth_result_text(auth_dkim_overall(r->dkim))),
        LOG_T("dmarc", auth_result_text(r->dmarc->result)),
        LOG_T("disposition", auth_dmarc_policy_text(disposition(a))),
        LOG_T("late", a->late ? "yes" : "no"));
    if (a->rules->dmarc != DMARC_RULE_IGNORE)
        send_record(a, id, to, accepted, counts);
}
