// What the commands about who sent a message share: SPF's facts as a tree, and how
// an address is taken from the command line.
#pragma once
#include "admin_dns.h"
#include "auth_spf.h"

// "user@example.org", "<user@example.org>", "example.org" (its postmaster), "<>" or
// "" into the form auth_spf_request takes. What has an '@' and is no address stays as it
// is, for SPF to judge. False: none of these.
bool admin_sender(struct buf *out, const char *text);
// Runs it; the result lives in `a`. NULL: it had no room.
const struct auth_spf_result *admin_spf_run(struct admin_dns *d, const struct auth_spf_request *r,
                                            struct arena *a);
// Our name for SPF's macros; root where there is none.
struct dns_name admin_self(const struct admin_dns *d);

enum admin_ink admin_ink_of_result(enum auth_result r);
void admin_show_spf(struct admin_page *p, const char *label, const struct auth_spf_check *c);
