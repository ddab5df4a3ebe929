// Where mail for an address goes, as a pure machine: through aliases to
// mailboxes of ours and addresses elsewhere. It asks whether mailboxes exist.
//
// Order for local@domain of ours: the alias of the whole address; that of its
// base where it has a detail ("alice+news"); the alias in every domain, and of
// its base; the mailbox; what the domain has for whatever else comes. So a
// catch-all never takes a mailbox's mail. Postmaster is always somebody's
// (RFC 5321 §4.5.1).
//
// Not known is never unknown: a mailbox nobody can say anything about now ends
// the walk with ALIAS_LATER, unless the address is refused anyway.
#pragma once
#include "alias_table.h"

struct alias_conf { // borrowed, outlives the walks
    const struct alias_table *table;
    struct alias_domains domains;
    struct span home; // domain of <postmaster>, and of bare targets where a domain has no mailboxes
    struct span postmaster; // address for postmasters nobody has named; empty: their mailbox
    char detail;            // '+'; 0: none
    size_t most;            // goals of one address
    // Addresses that are taken in by the server itself, wherever the walk meets them: goals in a
    // domain of nobody. No alias, mailbox or domain of ours need be there.
    const struct span *own;
    size_t own_count;
    struct span own_domain;
};

struct alias_goal {
    struct span address; // with its detail; lives as long as the walk
    struct span domain;  // A-labels
    enum alias_class class;
    bool forwarded;    // by an alias, not as it was addressed
    struct span owner; // return path for what goes wrong there (RFC 5321 §3.9.2); empty: none
};
enum alias_end {
    ALIAS_GOES,     // goals, at least one
    ALIAS_NOT_OURS, // neither ours nor relayed; one goal, the address itself
    ALIAS_UNKNOWN,  // no such mailbox
    ALIAS_REFUSED,  // as the table says; `why`
    ALIAS_LATER,    // a mailbox could not be asked for
    ALIAS_TOO_MANY, // more goals, or steps to them, than there may be
    ALIAS_ENDS
};
enum alias_mailbox { ALIAS_MAILBOX_THERE, ALIAS_MAILBOX_NOT_THERE, ALIAS_MAILBOX_NOT_KNOWN };

struct alias_walk;
struct alias_walk *alias_walk_new(const struct alias_conf *conf, const struct mail_address *to);
void alias_walk_free(struct alias_walk *w);
// True: *mailbox (an address without detail) is asked for; answer, then call again.
bool alias_walk_asks(struct alias_walk *w, struct span *mailbox);
void alias_walk_answer(struct alias_walk *w, enum alias_mailbox m);
// When it asks no more.
enum alias_end alias_walk_end(const struct alias_walk *w, struct span *why);
const struct alias_goal *alias_walk_goals(const struct alias_walk *w, size_t *count);
// The address stood for itself alone: no alias took part. What DSN parameters go
// on as they are (RFC 3461 §5.2.7).
bool alias_walk_plain(const struct alias_walk *w);
