// A plan, and the sessions that came of it, for people.
#include "admin_ask.h"

#include <string.h>
#include <time.h>

static void put_joined(struct buf *b, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        buf_printf(b, "%s%s", i ? ", " : "", s ? s : "");
    }
}

static void show_sts(struct admin_page *p, const json_t *sts)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    const char *state = admin_str(sts, "state"), *error = admin_str(sts, "error");
    buf_put(&b, span_str(state));
    if (*admin_str(sts, "source")) {
        buf_printf(&b, " (%s, id %s, max_age %lld) for ", admin_str(sts, "source"),
                   *admin_str(sts, "id") ? admin_str(sts, "id") : "unknown",
                   (long long)admin_int(sts, "max_age"));
        put_joined(&b, admin_at(sts, "mx"));
    }
    admin_line(p, "  ", "MTA-STS", admin_ink_of(state), buf_str(&b));
    if (*error)
        admin_line(p, "  ", "", INK_WARN, error);
}

static void show_self_test(struct admin_page *p, const char *test)
{
    static const struct {
        const char *word, *sentence;
    } says[] = {
        {"validating", "validated here"},
        {"not-validating",
         "NOT VALIDATED: the root's signatures come and do not fit the trust anchor"},
        {"stripped", "STRIPPED: somebody on the path takes the signatures out of answers"},
        {"unknown", "not known to work: the root has not answered"},
    };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (strcmp(test, says[i].word) == 0)
            admin_line(p, "  ", "DNSSEC", admin_ink_of(test), says[i].sentence);
}

static void show_tlsa(struct admin_page *p, const json_t *h)
{
    const char *standing = admin_str(h, "tlsa_dnssec");
    const json_t *tlsa = admin_at(h, "tlsa");
    if (json_array_size(tlsa) == 0)
        admin_line(p, "  │  ", "TLSA", admin_ink_of(standing),
                   strcmp(standing, "not-asked") == 0 ? "not asked for" : standing);
    for (size_t i = 0; i < json_array_size(tlsa); i++) {
        const char *one = json_string_value(json_array_get(tlsa, i));
        CLEANUP(buf_free) struct buf b = BUF(1 << 20);
        struct span s = span_str(one ? one : "");
        buf_put(&b, span_first(s, 60));
        buf_put(&b, s.len > 60 ? SPAN("…") : SPAN(""));
        if (i == 0)
            buf_printf(&b, "  (%s)", standing);
        admin_line(p, "  │  ", i ? "" : "TLSA", i ? INK_NONE : admin_ink_of(standing), buf_str(&b));
    }
}

static void put_certificate(struct buf *b, const json_t *s)
{
    time_t until = (time_t)admin_int(s, "certificate_until");
    struct tm tm;
    char day[32];
    if (*admin_str(s, "matched"))
        buf_printf(b, " (%s)", admin_str(s, "matched"));
    if (until && gmtime_r(&until, &tm) && strftime(day, sizeof day, "%Y-%m-%d", &tm))
        buf_printf(b, ", certificate until %s", day);
}

static void put_session(struct buf *b, const json_t *s)
{
    const char *verified = admin_str(s, "peer_verified");
    if (!admin_bool(s, "connected")) {
        buf_put(b, SPAN("not connected"));
    } else if (*admin_str(s, "tls_version")) {
        buf_printf(b, "%s with %s, ", admin_str(s, "tls_version"), admin_str(s, "cipher"));
        buf_printf(b, strcmp(verified, "none") ? "verified by %s" : "certificate not verified",
                   verified);
        put_certificate(b, s);
        if (admin_bool(s, "requiretls"))
            buf_put(b, SPAN("; offers REQUIRETLS"));
    } else {
        buf_put(b, admin_bool(s, "starttls") ? SPAN("STARTTLS offered, no TLS")
                                             : SPAN("connected in the clear, no STARTTLS"));
    }
}

void admin_show_session(struct admin_page *p, const char *indent, const json_t *s)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    const char *verified = admin_str(s, "peer_verified");
    if (*admin_str(s, "address"))
        buf_printf(&b, "[%s] ", admin_str(s, "address"));
    put_session(&b, s);
    admin_line(p, indent, "session", admin_ink_of(verified), buf_str(&b));
    if (*admin_str(s, "rule"))
        admin_line(p, indent, "ruled", INK_NONE, admin_str(s, "rule"));
    if (*admin_str(s, "error"))
        admin_line(p, indent, "said", INK_WARN, admin_str(s, "error"));
    if (*admin_str(s, "tlsrpt_result_type"))
        admin_line(p, indent, "TLS-RPT", INK_WARN, admin_str(s, "tlsrpt_result_type"));
}

static void show_host(struct admin_page *p, const json_t *h)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    const char *requirement = admin_str(h, "requirement"), *name = admin_str(h, "name");
    if (admin_bool(h, "implicit_mx"))
        admin_put(p, INK_DIM, SPAN("  ├─ no MX "));
    else
        admin_putf(p, INK_DIM, "  ├─ %lld ", (long long)admin_int(h, "preference"));
    admin_put(p, INK_BOLD, span_str(*name ? name : "(an address)"));
    admin_put(p, INK_NONE, SPAN("  "));
    admin_put(p, admin_ink_of(requirement), span_str(requirement));
    buf_putc(&p->out, '\n');
    put_joined(&b, admin_at(h, "addresses"));
    buf_printf(&b, "%s(%s)", b.len ? "  " : "", admin_str(h, "address_dnssec"));
    admin_line(p, "  │  ", "addresses", admin_ink_of(admin_str(h, "address_dnssec")), buf_str(&b));
    show_tlsa(p, h);
    admin_line(p, "  │  ", "why", INK_NONE, admin_str(h, "reason"));
    if (json_is_object(admin_at(h, "probe")))
        admin_show_session(p, "  │  ", admin_at(h, "probe"));
}

void admin_show_plan(struct admin_page *p, const char *title, const json_t *plan)
{
    const char *decision = admin_str(plan, "decision"), *mx = admin_str(plan, "mx_dnssec");
    CLEANUP(buf_free) struct buf rpt = BUF(65536);
    admin_put(p, INK_BOLD, span_str(title));
    admin_put(p, INK_NONE, SPAN("  "));
    admin_put(p, admin_ink_of(decision), span_str(decision));
    buf_putc(&p->out, '\n');
    admin_line(p, "  ", "why", INK_NONE, admin_str(plan, "reason"));
    if (*admin_str(plan, "status"))
        admin_line(p, "  ", "status", INK_NONE, admin_str(plan, "status"));
    bool nowhere = strcmp(decision, "deliver") == 0 && !json_array_size(admin_at(plan, "hosts"));
    if (nowhere) // it stays here
        return;
    admin_line(p, "  ", "MX", admin_ink_of(mx),
               strcmp(mx, "not-asked") ? mx : "not asked for: a route leads past it");
    show_sts(p, admin_at(plan, "mta_sts"));
    put_joined(&rpt, admin_at(plan, "tlsrpt"));
    if (rpt.len)
        admin_line(p, "  ", "TLS-RPT", INK_NONE, buf_str(&rpt));
    show_self_test(p, admin_str(plan, "dnssec_self_test"));
    for (size_t i = 0; i < json_array_size(admin_at(plan, "hosts")); i++)
        show_host(p, json_array_get(admin_at(plan, "hosts"), i));
}
