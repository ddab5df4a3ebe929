#include "auth_message_inner.h"
#include "auth_results.h"

static void put_spf(struct auth_results_writer *w, const struct auth_message *m)
{
    const struct auth_spf_request *q = &m->request.spf;
    const struct auth_spf_check *mail = &m->result.spf->check[AUTH_SPF_MAIL_FROM];
    const struct auth_spf_check *helo = &m->result.spf->check[AUTH_SPF_HELO];
    struct auth_results_spf r = {.result = mail->result, .comment = mail->reason};
    bool null_sender = q->mail_from.len == 0;
    if (null_sender) // the identity is postmaster at the HELO name: RFC 7208 §2.4
        r.helo = q->helo;
    else
        r.mail_from = q->mail_from;
    auth_results_spf(w, &r);
    if (helo->checked && !null_sender)
        auth_results_spf(w, &(struct auth_results_spf){
                                .result = helo->result, .helo = q->helo, .comment = helo->reason});
}

static void put_dmarc(struct auth_results_writer *w, const struct auth_message_result *all)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    const struct auth_dmarc_result *d = all->dmarc;
    struct auth_results_dmarc r = {.result = d->result, .from = dns_name_span(&d->from.domain)};
    if (d->found) {
        r.disposition = span_str(auth_dmarc_policy_text(d->disposition));
        buf_printf(&b, "%s=%s dis=%s", auth_dmarc_tag_text(d->applies),
                   auth_dmarc_policy_text(d->policy),
                   auth_dmarc_policy_text(all->ruling.disposition));
        if (all->ruling.override != DMARC_OVERRIDE_NONE)
            buf_printf(&b, " %s", auth_dmarc_override_text(all->ruling.override));
    } else if (d->result != AUTH_NONE) {
        buf_printf(&b, "%s", d->reason);
    }
    r.comment = buf_span(&b);
    auth_results_dmarc(w, &r);
}

static void put_arc(struct auth_results_writer *w, const struct auth_message *m)
{
    CLEANUP(buf_free) struct buf number = BUF(16), client = BUF(64);
    const struct auth_arc_result *a = m->result.arc;
    struct auth_results_arc r = {.result = a->result, .comment = span_str(a->reason)};
    if (!m->request.no_spf)
        dns_address_put(&client, &m->request.spf.client);
    r.client = buf_span(&client);
    if (a->result == AUTH_PASS)
        buf_printf(&number, "%u", a->oldest_pass);
    r.oldest_pass = buf_span(&number);
    if (a->result != AUTH_NONE)
        auth_results_arc(w, &r);
}

void auth_message_put_results(const struct auth_message *m, struct buf *b, struct span id,
                              bool utf8)
{
    if (!m->done)
        panic("results of an evaluation under way");
    struct auth_results_writer w = auth_results_open(b, id, utf8);
    if (m->result.spf)
        put_spf(&w, m);
    auth_results_dkim(&w, m->dkim);
    put_dmarc(&w, &m->result);
    put_arc(&w, m);
    auth_results_close(&w);
}
