// The verdict for people.
#include "admin_auth.h"
#include "admin_verdict.h"

static void headline(struct admin_page *p, const char *label, enum auth_result result,
                     const char *more)
{
    admin_putf(p, INK_BOLD, "  %s ", label);
    admin_put(p, admin_ink_of_result(result), span_str(auth_result_text(result)));
    if (more && *more)
        admin_putf(p, INK_NONE, "  %s", more);
    buf_putc(&p->out, '\n');
}

static void show_spf(struct admin_page *p, const struct admin_verdict *v)
{
    if (v->result->spf) {
        admin_show_spf(p, "SPF of ", &v->result->spf->check[AUTH_SPF_MAIL_FROM]);
        return;
    }
    headline(p, "SPF", AUTH_NONE, "");
    admin_line(p, "    ", "why", INK_NONE, v->no_spf);
}

static void show_signature(struct admin_page *p, const struct auth_dkim_result *r)
{
    CLEANUP(buf_free) struct buf b = BUF(8192);
    if (r->signature.domain.len)
        buf_printf(&b, "%s, selector %s, %s", r->signature.domain.text, r->signature.selector.text,
                   r->algorithm ? r->algorithm : "unknown algorithm");
    if (r->key_bits)
        buf_printf(&b, ", %u bits", r->key_bits);
    headline(p, "DKIM", r->result, buf_str(&b));
    buf_clear(&b);
    admin_dkim_reason(&b, r);
    if (b.len)
        admin_line(p, "    ", "why", INK_NONE, buf_str(&b));
    if (r->signature.limited)
        admin_line(p, "    ", "l=", INK_WARN, "it does not cover what was appended to the body");
}

static void show_dmarc(struct admin_page *p, const struct auth_message_result *m)
{
    const struct auth_dmarc_result *r = m->dmarc;
    headline(p, "DMARC", r->result, r->from.domain.text);
    admin_line(p, "    ", "why", INK_NONE, r->reason);
    if (r->found) {
        CLEANUP(buf_free) struct buf b = BUF(4096);
        buf_printf(&b, "%s, of %s", admin_dmarc_published(r), r->policy_domain.text);
        admin_line(p, "    ", "policy", INK_NONE, buf_str(&b));
    }
    if (r->result != AUTH_FAIL)
        return;
    enum auth_dmarc_policy done = m->ruling.disposition;
    admin_line(p, "    ", "so", done == DMARC_NONE ? INK_NONE : INK_BAD,
               done == DMARC_NONE ? "nothing is done" : auth_dmarc_policy_text(done));
    if (*m->ruling.comment)
        admin_line(p, "    ", "override", INK_WARN, m->ruling.comment);
}

static void show_arc(struct admin_page *p, const struct auth_arc_result *r)
{
    headline(p, "ARC", r->result, "");
    if (r->result != AUTH_NONE)
        admin_line(p, "    ", "why", INK_NONE, r->reason);
    for (size_t i = 0; i < r->count; i++) {
        const struct auth_arc_set *s = &r->sets[i];
        admin_putf(p, INK_DIM, "    ├─ %zu ", i + 1);
        admin_putf(p, INK_NONE, "%s  seal ", s->seal_domain.text);
        admin_put(p, admin_ink_of_result(s->seal), span_str(auth_result_text(s->seal)));
        admin_put(p, INK_NONE, SPAN(", message "));
        admin_put(p, admin_ink_of_result(s->message), span_str(auth_result_text(s->message)));
        buf_putc(&p->out, '\n');
    }
}

void admin_verdict_show(struct admin_page *p, const struct admin_verdict *v)
{
    const struct auth_message_result *m = v->result;
    admin_put(p, INK_BOLD, span_str(v->title));
    admin_putf(p, admin_ink_of_result(m->dmarc->result), "  DMARC %s",
               auth_result_text(m->dmarc->result));
    buf_putc(&p->out, '\n');
    show_spf(p, v);
    for (size_t i = 0; i < auth_dkim_count(m->dkim); i++)
        show_signature(p, auth_dkim_result(m->dkim, i));
    if (auth_dkim_count(m->dkim) == 0)
        headline(p, "DKIM", AUTH_NONE, "no signature");
    show_arc(p, m->arc);
    show_dmarc(p, m);
}
