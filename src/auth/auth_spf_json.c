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

static void put_check(struct json *j, const struct auth_spf_check *c)
{
    const char *identity = c->identity == AUTH_SPF_HELO ? "helo" : "mail-from";
    if (!c->checked) {
        json_null(j, identity);
        return;
    }
    json_open(j, identity, '{');
    json_str(j, "result", span_str(auth_result_text(c->result)));
    put_name(j, "domain", &c->domain);
    put_name(j, "record-domain", &c->record_domain);
    put_text(j, "mechanism", c->mechanism);
    json_str(j, "reason", c->reason);
    put_text(j, "explanation", c->explanation);
    json_int(j, "lookups", c->lookups);
    json_int(j, "void-lookups", c->voids);
    json_open(j, "steps", '[');
    for (size_t i = 0; i < c->step_count; i++)
        put_step(j, &c->steps[i]);
    json_close(j, ']');
    json_int(j, "steps-left-out", (int64_t)c->steps_left_out);
    json_close(j, '}');
}

void auth_spf_put_json(struct buf *b, const struct auth_spf_result *r)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '{');
    json_str(&j, "result", span_str(auth_result_text(r->decides->result)));
    json_str(&j, "identity",
             r->decides->identity == AUTH_SPF_HELO ? SPAN("helo") : SPAN("mail-from"));
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++)
        put_check(&j, &r->check[i]);
    json_close(&j, '}');
}
