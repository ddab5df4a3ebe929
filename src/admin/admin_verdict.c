// The verdict as JSON. (What reads JSON, elsewhere in this room, has other names for
// the same things.)
#include "admin_verdict.h"

#include "base_json.h"

void admin_dkim_reason(struct buf *b, const struct auth_dkim_result *r)
{
    if (r->reason)
        buf_put(b, span_str(r->reason));
    else if (r->result == AUTH_PASS)
        buf_put(b, SPAN("signature and body are as they were signed"));
    if (r->testing)
        buf_put(b, SPAN("; the key is marked as a test (t=y)"));
}

const char *admin_dmarc_published(const struct auth_dmarc_result *r)
{
    return r->found ? auth_dmarc_policy_text(r->policy) : NULL;
}

static void json_word(struct json *j, const char *key, const char *text)
{
    json_str(j, key, text ? span_str(text) : (struct span){0});
}

static void json_name(struct json *j, const char *key, const struct dns_name *n)
{
    json_str(j, key, n->len ? dns_name_span(n) : (struct span){0});
}

static void json_spf(struct json *j, const struct admin_verdict *v)
{
    const struct auth_spf_result *r = v->result->spf;
    json_open(j, "spf", '{');
    if (r) {
        auth_spf_put_check(j, &r->check[AUTH_SPF_MAIL_FROM]);
        json_open(j, "helo", '{');
        auth_spf_put_check(j, &r->check[AUTH_SPF_HELO]);
        json_close(j, '}');
    } else {
        json_str(j, "result", SPAN("none"));
        json_none(j, "domain");
        json_word(j, "reason", v->no_spf);
    }
    json_close(j, '}');
}

static void json_signature(struct json *j, const struct auth_dkim_result *r)
{
    CLEANUP(buf_free) struct buf reason = BUF(4096);
    admin_dkim_reason(&reason, r);
    json_open(j, NULL, '{');
    json_name(j, "domain", &r->signature.domain);
    json_name(j, "selector", &r->signature.selector);
    json_word(j, "algorithm", r->algorithm);
    json_word(j, "result", auth_result_text(r->result));
    json_str(j, "reason", buf_span(&reason));
    json_str(j, "identity", r->signature.identity);
    json_int(j, "key_bits", r->key_bits);
    json_bool(j, "testing", r->testing);
    json_bool(j, "limited", r->signature.limited);
    json_close(j, '}');
}

static void json_dkim(struct json *j, const struct auth_dkim *d)
{
    json_open(j, "dkim", '[');
    for (size_t i = 0; i < auth_dkim_count(d); i++)
        json_signature(j, auth_dkim_result(d, i));
    json_close(j, ']');
}

static void json_dmarc(struct json *j, const struct auth_message_result *m)
{
    const struct auth_dmarc_result *r = m->dmarc;
    json_open(j, "dmarc", '{');
    json_word(j, "result", auth_result_text(r->result));
    json_word(j, "policy", admin_dmarc_published(r));
    json_word(j, "disposition", auth_dmarc_policy_text(m->ruling.disposition));
    json_name(j, "domain", &r->from.domain);
    json_word(j, "reason", r->reason);
    json_name(j, "policy_domain", &r->policy_domain);
    json_name(j, "organization", &r->organization);
    json_bool(j, "spf_aligned", r->spf_aligned);
    json_bool(j, "dkim_aligned", r->dkim_aligned);
    json_word(j, "override",
              m->ruling.override == DMARC_OVERRIDE_NONE
                  ? NULL
                  : auth_dmarc_override_text(m->ruling.override));
    json_close(j, '}');
}

static void json_set(struct json *j, size_t instance, const struct auth_arc_set *s)
{
    json_open(j, NULL, '{');
    json_int(j, "instance", (int64_t)instance);
    json_name(j, "domain", &s->seal_domain);
    json_name(j, "selector", &s->seal_selector);
    json_word(j, "seal", auth_result_text(s->seal));
    json_word(j, "message", auth_result_text(s->message));
    json_word(j, "reason", s->seal_reason ? s->seal_reason : s->message_reason);
    json_close(j, '}');
}

static void json_arc(struct json *j, const struct auth_arc_result *r)
{
    json_open(j, "arc", '{');
    json_word(j, "result", auth_result_text(r->result));
    json_int(j, "instances", r->count);
    json_word(j, "reason", r->reason);
    json_open(j, "sets", '[');
    for (size_t i = 0; i < r->count; i++)
        json_set(j, i + 1, &r->sets[i]);
    json_close(j, ']');
    json_close(j, '}');
}

static void json_envelope(struct json *j, const struct admin_envelope *e)
{
    CLEANUP(buf_free) struct buf ip = BUF(64);
    struct span none = {0};
    json_open(j, "envelope", '{');
    dns_address_put(&ip, &e->client);
    json_str(j, "ip", e->client_known ? buf_span(&ip) : none);
    json_str(j, "mail_from",
             !e->sender_known ? none
             : e->sender.len  ? buf_span(&e->sender)
                              : SPAN(""));
    json_str(j, "helo", e->helo.len ? buf_span(&e->helo) : none);
    json_close(j, '}');
}

void admin_verdict_json(struct buf *b, const struct admin_verdict *v)
{
    struct json j = JSON(b);
    json_open(&j, NULL, '{');
    json_envelope(&j, v->envelope);
    json_spf(&j, v);
    json_dkim(&j, v->result->dkim);
    json_dmarc(&j, v->result);
    json_arc(&j, v->result->arc);
    json_str(&j, "authentication_results", v->field);
    json_close(&j, '}');
    buf_putc(b, '\n');
}
