// explain: the plan that a delivery would be made by, and with --probe what its
// hosts are like.
#include "proc_control.h"
#include "proc_self_test.h"

#include "mail_address.h"

#include <stdlib.h>

enum { EXPLAIN_MAX = 3 << 20 };
#define TEST_PATIENCE SECONDS(60)

struct explain {
    struct control_job *job;
    struct trust_need need;
    struct shared_plan *plan, *probing; // plan: written to `json`
    bool tested;
    enum self_test_is test;
    struct buf json;
};

// Plan and self-test come in any order; the last of them tells.
static void tell(struct explain *x)
{
    struct control_job *j = x->job;
    if (!x->plan || !x->tested)
        return;
    // The plan's document with one more member.
    struct json json = {.out = &x->json, .comma = true};
    x->json.len -= x->json.len > 0;
    json_str(&json, "dnssec_self_test", span_str(self_test_text(x->test)));
    json_close(&json, '}');
    if (rc_ok(buf_state(&x->json)))
        control_tell(j,
                     &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&x->json)});
    else
        control_refuse(j, CONTROL_LATER, "the plan is too large to be shown");
    plans_release(x->plan);
    buf_free(&x->json);
    free(x);
}

static bool tested(void *arg, struct io_message *m)
{
    struct explain *x = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    unsigned is = rd_enum(&r, SELF_TESTS);
    bool fine = rd_end(&r);
    x->tested = true;
    x->test = fine ? (enum self_test_is)is : SELF_TEST_UNKNOWN;
    tell(x);
    return !m || fine;
}

static void finish(struct explain *x, struct shared_plan *shared, const struct probe_end *seen)
{
    struct trust_plan plan = *shared->plan;
    if (seen) {
        plan.decision = seen->decision;
        plan.status = seen->decision == TRUST_DELIVER ? NULL : seen->status;
        plan.reason = seen->reason.len ? seen->reason : plan.reason;
    }
    trust_plan_put_json_probed(&x->json, &plan, seen ? seen->probes : NULL);
    x->plan = shared;
    tell(x);
}

static void probed(void *arg, const struct probe_end *end)
{
    struct explain *x = arg;
    finish(x, x->probing, end);
}

static void planned(void *arg, struct shared_plan *plan)
{
    struct explain *x = arg;
    x->probing = plan;
    if (x->job->request.probe && plan->plan->decision == TRUST_DELIVER)
        probe_start(x->job->control, plan->plan, x->need, &x->job->left, probed, x);
    else
        finish(x, plan, NULL);
}

bool control_same_section(struct control_job *j)
{
    CLEANUP(buf_free) struct buf own = BUF(IO_MESSAGE_MAX);
    if (j->request.section.len == 0)
        return true;
    conf_pack(&own, j->control->proc->conf, CONF_CONTROL);
    if (span_eq(buf_span(&own), j->request.section))
        return true;
    control_refuse(j, CONTROL_OTHER, "the server runs with other options");
    return false;
}

// One of report.addresses is no mailbox, and nothing is sent anywhere.
static bool is_reports_address(const struct conf *c, struct span word)
{
    CLEANUP(arena_free) struct arena a = ARENA(65536);
    struct mail_address asked, own;
    if (!mail_address_parse(&asked, word, true, &a) || asked.kind != MAIL_DOMAIN)
        return false;
    for (size_t i = 0; i < conf_count(c, CONF_report_addresses); i++)
        if (mail_address_parse(&own, conf_item(c, CONF_report_addresses, i), true, &a) &&
            span_ieq(own.text, asked.text))
            return true;
    return false;
}

static void tell_of_reports(struct control_job *j, const struct dns_name *domain)
{
    CLEANUP(buf_free) struct buf json = BUF(EXPLAIN_MAX);
    trust_plan_put_json(&json, &(struct trust_plan){
                                   .domain = *domain,
                                   .decision = TRUST_DELIVER,
                                   .reason = SPAN("reports of others that come to this address are "
                                                  "taken in by this server (report.addresses)")});
    control_tell(j, &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&json)});
}

void control_explain(struct control_job *j)
{
    struct dns_name domain;
    const struct control_request *q = &j->request;
    const char *wrong = control_domain(q->word, &domain);
    if (wrong) {
        control_refuse(j, CONTROL_WRONG, "'%.*s' %s", SPAN_FMT(q->word), wrong);
        return;
    }
    if (!control_same_section(j))
        return;
    if (is_reports_address(j->control->proc->conf, q->word)) {
        tell_of_reports(j, &domain);
        return;
    }
    struct explain *x = mem_new(sizeof *x);
    *x =
        (struct explain){.job = j, .need = {.requiretls = q->requiretls}, .json = BUF(EXPLAIN_MAX)};
    x->need.tls_required_no = q->tls_required_no && !q->requiretls; // RFC 8689 §4.1
    proc_ask(j->control->proc, PROC_RESOLVER, 0, MSG_SELF_TEST, SPAN(""), TEST_PATIENCE, tested, x);
    plans_forget(j->control->plans); // what would be decided now
    plans_get(j->control->plans, &domain, x->need, planned, x);
}
