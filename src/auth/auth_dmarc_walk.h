// The DNS tree walk (RFC 9989 §4.10): which names are asked, and which domain
// is the Organizational Domain. All walks of a message share one table of what
// was found, so no name is asked twice.
#pragma once
#include "auth_dmarc_record.h"
#include "dns_answer.h"

enum {
    DMARC_WALK_MAX = 8,    // questions of one walk
    DMARC_LOOKUPS_MAX = 48 // of all walks of a message; further names are not asked
};

enum auth_dmarc_lookup_state {
    DMARC_WANTED, // to be asked
    DMARC_ASKED,
    DMARC_FAILED, // no answer: nobody knows
    DMARC_ABSENT, // no record there, or several
    DMARC_FOUND,
};

struct auth_dmarc_lookup {
    struct dns_name domain; // without "_dmarc."
    struct dns_name owner;  // with it
    enum auth_dmarc_lookup_state state;
    bool nxdomain; // the answer said so; else the domain itself is known to exist
    struct auth_dmarc_record record;
    struct span why; // of a failure; in the table's arena
};

struct auth_dmarc_table {
    size_t count;
    struct auth_dmarc_lookup at[DMARC_LOOKUPS_MAX];
    struct arena arena;
};

void auth_dmarc_table_free(struct auth_dmarc_table *t);
// Finds the domain, or adds it as wanted; NULL: the table is full.
struct auth_dmarc_lookup *auth_dmarc_table_get(struct auth_dmarc_table *t,
                                               const struct dns_name *domain);
// The next one to be asked, which is then ASKED; NULL: none now.
struct auth_dmarc_lookup *auth_dmarc_table_next(struct auth_dmarc_table *t);
void auth_dmarc_table_answer(struct auth_dmarc_table *t, struct auth_dmarc_lookup *l,
                             const struct dns_answer *a);

enum auth_dmarc_walk_state {
    DMARC_WALK_WAITS,
    DMARC_WALK_FAILED,
    DMARC_WALK_FULL,
    DMARC_WALK_DONE
};

struct auth_dmarc_walk {
    enum auth_dmarc_walk_state state;
    const struct auth_dmarc_lookup *failed;
    // With DONE:
    bool found;                          // some record was there
    struct dns_name organization;        // the start's Organizational Domain (§4.10.2)
    const struct auth_dmarc_lookup *own; // the Organizational Domain's record, or NULL
    const struct auth_dmarc_lookup *psd; // the record with psd=y above it, or NULL
};

// Goes from `start` as far as the table's answers reach; a name that is not
// known yet is added to the table as wanted (one at a time).
void auth_dmarc_walk(struct auth_dmarc_walk *w, struct auth_dmarc_table *t,
                     const struct dns_name *start);
// The next name of a walk after `n` (§4.10 steps 3, 4 and 7; `first`: n is the
// walk's start); false: none.
bool auth_dmarc_walk_up(struct dns_name *out, const struct dns_name *n, bool first);
