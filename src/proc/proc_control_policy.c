// The cached MTA-STS policies: listed, shown, fetched anew.
#include "proc_control.h"

#include "base_json.h"

#include <stdlib.h>

enum { POLICY_ROOM = 1 << 20 };
#define PATIENCE SECONDS(60)

static void put_time(struct json *j, const char *key, struct wall t)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_iso(&b, t);
    json_str(j, key, buf_span(&b));
}

static void put_policy(struct json *j, const struct trust_sts_policy *p)
{
    json_str(j, "mode", span_str(trust_sts_mode_text(p->mode)));
    json_int(j, "max_age", p->max_age);
    json_open(j, "mx", '[');
    for (size_t i = 0; i < p->count; i++) {
        CLEANUP(buf_free) struct buf b = BUF(512);
        buf_printf(&b, "%s%s", p->mx[i].wildcard ? "*." : "", p->mx[i].name.text);
        json_str(j, NULL, buf_span(&b));
    }
    json_close(j, ']');
}

// One policy as it is kept; false for bytes that are none.
static bool put_stored(struct json *j, struct wall now, struct span domain, struct span value,
                       bool content)
{
    CLEANUP(arena_free) struct arena a = ARENA(POLICY_ROOM);
    struct trust_sts_stored s;
    struct trust_sts_policy p;
    struct rd r = RD(value);
    if (!trust_sts_unpack(&r, &s, &a) || !rd_end(&r))
        return false;
    const char *wrong = trust_sts_parse(&p, s.file, &a);
    json_open(j, NULL, '{');
    json_str(j, "domain", domain);
    json_str(j, "id", span_str(s.id));
    if (!wrong)
        put_policy(j, &p);
    json_str(j, "source", SPAN("cache"));
    put_time(j, "fetched", s.fetched);
    json_int(j, "age_s", (now.us - s.fetched.us) / US_PER_S);
    put_time(j, "expires", s.expires);
    json_int(j, "expires_in_s", (s.expires.us - now.us) / US_PER_S);
    json_bool(j, "expired", s.expires.us <= now.us);
    if (content)
        json_str(j, "content", s.file);
    json_str(j, "error", wrong ? span_str(wrong) : (struct span){NULL, 0});
    json_close(j, '}');
    return true;
}

// ---- list ----

static bool put_list(struct control_job *j, struct rd *r, struct buf *out)
{
    struct wall now = io_wall(j->control->proc->loop);
    struct json json = JSON(out);
    json_open(&json, NULL, '[');
    for (unsigned n = rd_u16(r); n > 0 && !r->bad; n--) {
        struct span domain = rd_span(r), value = rd_span(r);
        if (!r->bad)
            put_stored(&json, now, domain, value, false);
    }
    json_close(&json, ']');
    return rd_end(r);
}

static bool listed(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX - 4096);
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    struct span next = rd_span(&r);
    bool well = m && put_list(j, &r, &b);
    if (!well || !rc_ok(rc))
        control_refuse(j, CONTROL_LATER, "the store does not answer now");
    else
        control_tell(j, &(struct control_answer){
                            .result = CONTROL_DONE, .json = buf_span(&b), .next_word = next});
    return !m || well;
}

static bool store_there(struct control_job *j)
{
    if (proc_peer(j->control->proc, PROC_STORE, 0))
        return true;
    control_refuse(j, CONTROL_LATER, "the store is not running now; the log says why");
    return false;
}

void control_policy_list(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    if (!store_there(j))
        return;
    wr_span(&b, j->request.word);
    proc_ask(j->control->proc, PROC_STORE, 0, MSG_POLICY_LIST, buf_span(&b), PATIENCE, listed, j);
}

// ---- show ----

static bool domain_of(struct control_job *j, struct dns_name *out)
{
    if (dns_name_parse_host(out, j->request.word))
        return true;
    control_refuse(j, CONTROL_WRONG, "'%.*s' is no domain", SPAN_FMT(j->request.word));
    return false;
}

static bool shown(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    CLEANUP(buf_free) struct buf b = BUF(POLICY_ROOM);
    struct json json = JSON(&b);
    struct rd r = RD(m ? m->payload : SPAN(""));
    bool found = rd_bool(&r);
    if (!m || r.bad)
        control_refuse(j, CONTROL_LATER, "the store does not answer now");
    else if (!found)
        control_refuse(j, CONTROL_NO, "no MTA-STS policy of %.*s is kept",
                       SPAN_FMT(j->request.word));
    else if (!put_stored(&json, io_wall(j->control->proc->loop), j->request.word, r.rest, true))
        control_refuse(j, CONTROL_LATER, "the policy that is kept cannot be read");
    else
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&b)});
    return !m || !r.bad;
}

static void show(struct control_job *j, const struct dns_name *domain)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    j->request.word = arena_dup(&j->arena, dns_name_span(domain)); // as it is kept
    wr_span(&b, j->request.word);
    proc_ask(j->control->proc, PROC_STORE, 0, MSG_POLICY_GET, buf_span(&b), PATIENCE, shown, j);
}

void control_policy_show(struct control_job *j)
{
    struct dns_name domain;
    if (store_there(j) && domain_of(j, &domain))
        show(j, &domain);
}

// ---- refresh ----

// The fresh policy went to the store before this question does, so it is what is shown.
static void refreshed(void *arg, struct shared_plan *plan)
{
    struct control_job *j = arg;
    const struct trust_sts_held *sts = &plan->plan->sts;
    struct dns_name domain = plan->plan->domain;
    if (sts->source == TRUST_STS_FETCHED)
        show(j, &domain);
    else if (sts->error.at)
        control_refuse(j, CONTROL_LATER, "the policy of %s was not fetched: %.*s%s", domain.text,
                       SPAN_FMT(sts->error),
                       sts->source == TRUST_STS_NOWHERE ? "" : " (the one that is kept stays)");
    else
        control_refuse(j, CONTROL_NO, "%s has no MTA-STS policy", domain.text);
    plans_release(plan);
}

void control_policy_refresh(struct control_job *j)
{
    struct dns_name domain;
    if (store_there(j) && domain_of(j, &domain))
        plans_refresh_one(j->control->plans, &domain, refreshed, j);
}
