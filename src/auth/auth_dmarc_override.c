#include "auth_dmarc.h"

#include "base_rc.h"

const char *auth_dmarc_override_text(enum auth_dmarc_override o)
{
    static const char *const texts[DMARC_OVERRIDES] = {
        [DMARC_OVERRIDE_NONE] = "none",
        [DMARC_OVERRIDE_LOCAL_POLICY] = "local_policy",
        [DMARC_OVERRIDE_MAILING_LIST] = "mailing_list",
        [DMARC_OVERRIDE_OTHER] = "other",
        [DMARC_OVERRIDE_TEST_MODE] = "policy_test_mode",
        [DMARC_OVERRIDE_TRUSTED_FORWARDER] = "trusted_forwarder",
    };
    return texts[o];
}

static void comment(struct auth_dmarc_ruling *out, const char *text, struct span detail)
{
    CLEANUP(buf_free) struct buf b = BUF(4 * sizeof out->comment);
    detail = span_first(detail, sizeof out->comment / 2);
    buf_printf(&b, "%s%s", text, detail.len > 0 ? ": " : "");
    for (size_t i = 0; i < detail.len; i++)
        buf_putc(&b, detail.at[i] >= ' ' && detail.at[i] <= '~' ? detail.at[i] : '?');
    if (!span_copy(out->comment, sizeof out->comment, buf_span(&b)))
        panic("an override's comment that is too long");
}

// Stands in the way of the owner's wish, strongest knowledge first.
static enum auth_dmarc_override reason(const struct auth_dmarc_facts *f, const char **text)
{
    const struct {
        bool holds;
        enum auth_dmarc_override override;
        const char *text;
    } rows[] = {
        {f->trusted_forwarder, DMARC_OVERRIDE_TRUSTED_FORWARDER, "forwarded by one we trust"},
        {f->mailing_list, DMARC_OVERRIDE_MAILING_LIST, "came by a mailing list"},
        {f->local_allow, DMARC_OVERRIDE_LOCAL_POLICY, "allowed by a local rule"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].holds) {
            *text = rows[i].text;
            return rows[i].override;
        }
    return DMARC_OVERRIDE_NONE;
}

void auth_dmarc_rule(struct auth_dmarc_ruling *out, const struct auth_dmarc_result *r,
                     const struct auth_dmarc_facts *facts)
{
    const char *text = "";
    enum auth_dmarc_override found = reason(facts, &text);
    *out = (struct auth_dmarc_ruling){.disposition = r->disposition};
    if (r->result != AUTH_FAIL || r->policy == DMARC_NONE)
        return;
    if (r->disposition != DMARC_NONE && found != DMARC_OVERRIDE_NONE) {
        out->disposition = DMARC_NONE;
        out->override = found;
        comment(out, text, facts->detail);
    } else if (r->disposition > facts->most) {
        out->disposition = facts->most;
        out->override = DMARC_OVERRIDE_LOCAL_POLICY;
        comment(out, "the local policy is milder", SPAN(""));
    } else if (r->disposition != r->policy) {
        out->override = DMARC_OVERRIDE_TEST_MODE;
        comment(out, "the domain owner is testing (t=y)", SPAN(""));
    }
}
