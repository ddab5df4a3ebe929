#include "admin_ask.h"

#include <string.h>

enum { PROBE, REQUIRETLS, TLS_REQUIRED_NO }; // as in admin_command.c
#define PATIENCE       SECONDS(200)
#define PROBE_PATIENCE SECONDS(1800)

static int status_of(const json_t *plan)
{
    const char *decision = admin_str(plan, "decision");
    return strcmp(decision, "deliver") == 0 ? ADMIN_DONE
           : strcmp(decision, "fail") == 0  ? ADMIN_NEGATIVE
                                            : ADMIN_LATER;
}

static int show(const struct admin_call *call, struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    json_t *plan = admin_json(text);
    if (!plan)
        return ADMIN_LATER;
    int decision = status_of(plan), printed;
    if (call->json) {
        buf_put(&b, text);
        buf_putc(&b, '\n');
        printed = admin_print(&b);
    } else {
        struct admin_page page = ADMIN_PAGE(admin_colour());
        admin_show_plan(&page, call->words[0], plan);
        printed = admin_print(&page.out);
        buf_free(&page.out);
    }
    json_decref(plan);
    return printed == ADMIN_DONE ? decision : printed;
}

// Through the running server, which owns the cached policies; else alone, and said.
static int ask(struct admin_server *s, const struct control_request *q, struct control_answer *out)
{
    const char *why = "";
    int64_t patience = q->probe ? PROBE_PATIENCE : PATIENCE;
    struct rc rc = proc_client_open(&s->client, s->conf, &why);
    if (rc_ok(rc)) {
        int status = admin_server_ask(s, q, out, patience);
        if (status == ADMIN_DONE || out->result != CONTROL_OTHER)
            return status;
        proc_client_close(s->client);
        s->client = NULL;
        why = "the running server has other options than were given here";
    }
    admin_complain("%s; asking with a resolver and a fetcher of its own, without cached policies",
                   why);
    if (!rc_ok(proc_client_private(&s->client, &s->mc, &why)))
        return admin_complain("%s", why);
    struct control_request own = *q;
    own.section = SPAN("");
    return admin_server_ask(s, &own, out, patience);
}

int admin_explain(const struct admin_call *call)
{
    struct admin_server s;
    struct dns_name domain;
    struct control_answer answer = {0};
    CLEANUP(buf_free) struct buf section = BUF(4 << 20);
    const char *wrong = control_domain(span_str(call->words[0]), &domain);
    if (wrong)
        return admin_complain("'%s' %s", call->words[0], wrong);
    int status = admin_server_conf(&s, call);
    if (status != ADMIN_DONE)
        return status;
    if (call->override_count)
        conf_pack(&section, s.conf, CONF_CONTROL);
    struct control_request q = {.verb = CONTROL_EXPLAIN,
                                .probe = call->flags[PROBE],
                                .requiretls = call->flags[REQUIRETLS],
                                .tls_required_no = call->flags[TLS_REQUIRED_NO],
                                .word = span_str(call->words[0]),
                                .section = buf_span(&section)};
    status = ask(&s, &q, &answer);
    if (status == ADMIN_DONE)
        status = show(call, answer.json);
    admin_server_close(&s);
    return status;
}
