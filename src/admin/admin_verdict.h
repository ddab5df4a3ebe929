// What `geleit verify` found, and its two forms.
#pragma once
#include "admin_envelope.h"
#include "auth_message.h"

struct admin_verdict {
    const char *title;
    const struct admin_envelope *envelope;
    struct dns_name self;
    const struct auth_message_result *result;
    const char *no_spf; // why there is no SPF; NULL: there is
    struct span field;  // Authentication-Results, as a server would have written it
};
void admin_verdict_json(struct buf *b, const struct admin_verdict *v);
struct admin_page;
void admin_verdict_show(struct admin_page *p, const struct admin_verdict *v);

void admin_dkim_reason(struct buf *b, const struct auth_dkim_result *r); // of a pass, too
const char *admin_dmarc_published(const struct auth_dmarc_result *r);    // "reject"; NULL: none
