// What a link is opened and verified for: the key under which it may be used again, the
// handshake's wishes, and what came of them.
#include "proc_link_inner.h"

enum { TLSA_MAX = 64 };

struct crypto_digest link_key(const struct trust_host *host, const struct trust_need *need)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    wr_span(&b, dns_name_span(&host->name));
    wr_u16(&b, host->port);
    wr_u8(&b, (uint8_t)host->requirement);
    wr_bool(&b, host->sts_testing);
    wr_bool(&b, host->sts_mismatch);
    wr_bool(&b, host->name_protected);
    wr_bool(&b, host->lmtp);
    wr_bool(&b, need->requiretls);
    wr_bool(&b, need->tls_required_no);
    wr_span(&b, host->pin);
    wr_span(&b, dns_name_span(&host->tlsa_base));
    for (size_t i = 0; i < host->name_count; i++)
        wr_span(&b, dns_name_span(&host->names[i]));
    for (size_t i = 0; i < host->tlsa_count; i++) {
        wr_u8(&b, host->tlsa[i].usage);
        wr_u8(&b, host->tlsa[i].selector);
        wr_u8(&b, host->tlsa[i].matching);
        wr_span(&b, host->tlsa[i].data);
    }
    // A route to an address has no host name: then the address is the host.
    if (host->name.len == 0 && host->address_count)
        wr_span(&b, SPAN_OF(host->addresses[0].at));
    return crypto_sha256(buf_span(&b));
}

void link_take_facts(struct link *l, const struct io_tls_facts *f)
{
    struct trust_session *s = &l->session;
    s->tls_version = span_str(f->version);
    s->cipher = span_str(f->cipher);
    s->group = span_str(f->group);
    s->matched = span_str(f->matched);
    s->certificate = span_str(f->certificate);
    s->certificate_until = f->until;
    s->verified = f->dane     ? TRUST_VERIFIED_DANE
                  : f->pinned ? TRUST_VERIFIED_PINNED
                  : f->pkix   ? TRUST_VERIFIED_PKIX
                              : TRUST_VERIFIED_NONE;
}

enum trust_result_type link_result_of(enum io_tls_fault fault)
{
    static const enum trust_result_type results[] = {
        [IO_TLS_FINE] = TRUST_RESULT_OK,
        [IO_TLS_HANDSHAKE] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_NAME] = TRUST_CERTIFICATE_HOST_MISMATCH,
        [IO_TLS_EXPIRED] = TRUST_CERTIFICATE_EXPIRED,
        [IO_TLS_UNTRUSTED] = TRUST_CERTIFICATE_NOT_TRUSTED,
        [IO_TLS_TLSA] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_PIN] = TRUST_VALIDATION_FAILURE,
        [IO_TLS_OTHER] = TRUST_VALIDATION_FAILURE,
    };
    return results[fault];
}

static size_t usable_tlsa(const struct trust_host *h, struct io_tlsa out[TLSA_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < h->tlsa_count && n < TLSA_MAX; i++) {
        const struct trust_tlsa *t = &h->tlsa[i];
        if (t->usable)
            out[n++] = (struct io_tlsa){t->usage, t->selector, t->matching, t->data};
    }
    return n;
}

void link_handshake(struct link *l, const struct trust_host *h)
{
    struct io_tlsa tlsa[TLSA_MAX];
    struct span names[TRUST_NAMES_MAX];
    struct io_tls_want want = {.strength = IO_TLS_ANY, .names = names, .tlsa = tlsa};
    bool dane = h->requirement == TRUST_REQ_DANE || h->requirement == TRUST_REQ_LOCAL_DANE_ONLY;
    if (dane)
        want.tlsa_count = usable_tlsa(h, tlsa);
    for (; want.name_count < h->name_count; want.name_count++)
        names[want.name_count] = dns_name_span(&h->names[want.name_count]);
    want.pkix = h->requirement == TRUST_REQ_STS || h->requirement == TRUST_REQ_PKIX ||
                h->requirement == TRUST_REQ_LOCAL_VERIFY || h->sts_testing;
    want.pin = h->requirement == TRUST_REQ_LOCAL_PINNED ? h->pin : SPAN("");
    want.sni = dns_name_span(h->tlsa_base.len ? &h->tlsa_base : &h->name);
    if (dane)
        want.strength = IO_TLS_DANE;
    else if (want.pkix && !h->sts_testing)
        want.strength = IO_TLS_MODERN;
    link_arm_in(l, conf_int(l->links->out->proc->conf, CONF_send_command_timeout));
    io_stream_connect_tls(l->stream, l->links->out->tls, &want);
}
