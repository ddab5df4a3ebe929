#include "trust_record.h"

static struct span or_null(struct span s)
{
    return s.len ? s : (struct span){NULL, 0};
}

// The keys of explain's `probe` (SPEC.md) are among these, so that a probe and
// a delivery are told in the same words.
void trust_session_put_json(struct json *j, const char *key, const struct trust_session *s)
{
    CLEANUP(buf_free) struct buf address = BUF(64), source = BUF(64);
    dns_address_put(&address, &s->address);
    if (s->source_given)
        dns_address_put(&source, &s->source);
    json_open(j, key, '{');
    json_str(j, "host", dns_name_span(&s->host));
    json_str(j, "address", s->local ? (struct span){NULL, 0} : buf_span(&address));
    json_str(j, "source", or_null(buf_span(&source)));
    json_str(j, "helo", or_null(s->helo));
    json_str(j, "requirement", span_str(trust_requirement_text(s->requirement)));
    json_bool(j, "connected", s->connected);
    json_bool(j, "reused", s->reused);
    json_bool(j, "starttls", s->starttls);
    json_str(j, "tls_version", or_null(s->tls_version));
    json_str(j, "cipher", or_null(s->cipher));
    json_str(j, "group", or_null(s->group));
    json_str(j, "peer_verified", span_str(trust_verified_text(s->verified)));
    json_str(j, "matched", or_null(s->matched));
    json_str(j, "certificate", or_null(s->certificate));
    json_int(j, "certificate_until", s->certificate_until);
    json_bool(j, "requiretls", s->requiretls);
    json_str(j, "rule", or_null(s->rule));
    json_str(j, "error", or_null(s->error));
    json_str(j, "tlsrpt_result_type",
             s->result == TRUST_RESULT_OK ? (struct span){NULL, 0}
                                          : span_str(trust_result_type_text(s->result)));
    json_close(j, '}');
}
