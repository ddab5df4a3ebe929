// explain: the plan that a delivery would be made by, and with --probe what its
// hosts are like.
#include "proc_control.h"

#include <stdlib.h>

enum { EXPLAIN_MAX = 3 << 20 };

struct explain {
    struct control_job *job;
    struct trust_need need;
    struct shared_plan *plan;
};

static void finish(struct explain *x, const struct probe_end *seen)
{
    CLEANUP(buf_free) struct buf b = BUF(EXPLAIN_MAX);
    struct trust_plan plan = *x->plan->plan;
    struct control_job *j = x->job;
    if (seen) {
        plan.decision = seen->decision;
        plan.status = seen->decision == TRUST_DELIVER ? NULL : seen->status;
        plan.reason = seen->reason.len ? seen->reason : plan.reason;
    }
    trust_plan_put_json_probed(&b, &plan, seen ? seen->probes : NULL);
    plans_release(x->plan);
    free(x);
    if (rc_ok(buf_state(&b)))
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&b)});
    else
        control_refuse(j, CONTROL_LATER, "the plan is too large to be shown");
}

static void probed(void *arg, const struct probe_end *end)
{
    finish(arg, end);
}

static void planned(void *arg, struct shared_plan *plan)
{
    struct explain *x = arg;
    x->plan = plan;
    if (x->job->request.probe && plan->plan->decision == TRUST_DELIVER)
        probe_start(x->job->control, plan->plan, x->need, &x->job->left, probed, x);
    else
        finish(x, NULL);
}

// With -o the asker may mean another configuration than the server's.
static bool same_section(const struct control_job *j)
{
    CLEANUP(buf_free) struct buf own = BUF(IO_MESSAGE_MAX);
    if (j->request.section.len == 0)
        return true;
    conf_pack(&own, j->control->proc->conf, CONF_CONTROL);
    return span_eq(buf_span(&own), j->request.section);
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
    if (!same_section(j)) {
        control_refuse(j, CONTROL_OTHER, "the server runs with other options");
        return;
    }
    struct explain *x = mem_new(sizeof *x);
    *x = (struct explain){.job = j, .need = {.requiretls = q->requiretls}};
    x->need.tls_required_no = q->tls_required_no && !q->requiretls; // RFC 8689 §4.1
    plans_forget(j->control->plans);                                // what would be decided now
    plans_get(j->control->plans, &domain, x->need, planned, x);
}
