#include "auth_spf.h"
#include "base_json.h"

static void put_name(struct json *j, const char *key, const struct dns_name *n)
{
    json_str(j, key, n->len ? dns_name_span(n) : (struct span){0});
}

static void put_text(struct json *j, const char *key, struct span s)
{
    json_str(j, key, s.len ? s : (struct span){0});
}

static void put_step(struct json *j, const struct auth_spf_step *s)
{
    json_open(j, NULL, '{');
    json_int(j, "depth", s->depth);
    put_name(j, "domain", &s->domain);
    put_text(j, "term", s->term);
    put_name(j, "target", &s->target);
    json_str(j, "outcome", span_str(auth_spf_outcome_text(s->outcome)));
    put_text(j, "note", span_str(s->note));
    json_close(j, '}');
}

void auth_spf_put_check(struct json *j, const struct auth_spf_check *c)
{
    json_str(j, "result", span_str(auth_result_text(c->result)));
    put_name(j, "domain", &c->domain);
    put_name(j, "record_domain", &c->record_domain);
    put_text(j, "mechanism", c->mechanism);
    json_str(j, "reason", c->reason);
    put_text(j, "explanation", c->explanation);
    json_int(j, "lookups", c->lookups);
    json_int(j, "void_lookups", c->voids);
}

static void put_checked(struct json *j, const struct auth_spf_check *c)
{
    json_open(j, auth_spf_identity_text(c->identity), '{');
    auth_spf_put_check(j, c);
    json_open(j, "steps", '[');
    for (size_t i = 0; i < c->step_count; i++)
        put_step(j, &c->steps[i]);
    json_close(j, ']');
    json_int(j, "steps_left_out", (int64_t)c->steps_left_out);
    json_close(j, '}');
}

const char *auth_spf_identity_text(enum auth_spf_identity i)
{
    return i == AUTH_SPF_HELO ? "helo" : "mail_from";
}

void auth_spf_put_json(struct buf *b, const struct auth_spf_result *r)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '{');
    json_str(&j, "identity", span_str(auth_spf_identity_text(r->decides->identity)));
    auth_spf_put_check(&j, r->decides);
    for (unsigned i = 0; i < AUTH_SPF_IDENTITIES; i++) {
        if (r->check[i].checked)
            put_checked(&j, &r->check[i]);
        else
            json_none(&j, auth_spf_identity_text((enum auth_spf_identity)i));
    }
    json_close(&j, '}');
}
