#include "admin_ask.h"

int admin_server_conf(struct admin_server *s, const struct admin_call *call)
{
    struct conf_fault fault;
    *s = (struct admin_server){0};
    admin_conf_source(call, &s->mc);
    if (!rc_ok(proc_conf_load(&s->mc, &s->conf, &fault)))
        return admin_complain("%s", fault.text);
    return ADMIN_DONE;
}

int admin_server_open(struct admin_server *s, const struct admin_call *call)
{
    const char *why = "";
    int status = admin_server_conf(s, call);
    if (status != ADMIN_DONE)
        return status;
    struct rc rc = proc_client_open(&s->client, s->conf, &why);
    if (rc_ok(rc))
        return ADMIN_DONE;
    admin_complain("%s", why);
    return rc.code == RC_DENIED ? ADMIN_USAGE : ADMIN_LATER;
}

void admin_server_close(struct admin_server *s)
{
    proc_client_close(s->client);
    conf_free(s->conf);
    *s = (struct admin_server){0};
}

static int lost(struct rc rc)
{
    if (rc.code == RC_TIMEOUT)
        admin_complain("the server does not answer in time");
    else if (rc.code == RC_CONFIG)
        return admin_complain("a resolver of its own cannot start; the lines above say why");
    else
        admin_complain("the server broke off without an answer; its log may say why");
    return ADMIN_LATER;
}

int admin_server_ask(struct admin_server *s, const struct control_request *q,
                     struct control_answer *out, int64_t patience_us)
{
    static const int statuses[CONTROL_RESULTS] = {
        [CONTROL_DONE] = ADMIN_DONE,   [CONTROL_NO] = ADMIN_NEGATIVE, [CONTROL_WRONG] = ADMIN_USAGE,
        [CONTROL_LATER] = ADMIN_LATER, [CONTROL_OTHER] = ADMIN_LATER,
    };
    struct rc rc = proc_client_ask(s->client, q, out, patience_us);
    if (!rc_ok(rc))
        return lost(rc);
    if (out->result != CONTROL_DONE && out->result != CONTROL_OTHER)
        admin_complain("%.*s", SPAN_FMT(out->sentence));
    return statuses[out->result];
}

json_t *admin_json(struct span text)
{
    json_error_t error;
    json_t *j = json_loadb(text.at, text.len, JSON_ALLOW_NUL, &error);
    if (!j)
        admin_complain("the server's answer cannot be read: %s", error.text);
    return j;
}
