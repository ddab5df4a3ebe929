// The table of aliases: which address stands for which others. Pure text in,
// lookups out; opens nothing.
//
//   postmaster: alice, bob@example.net     in every domain of ours
//   info@example.org: alice                one address; "alice" is in its domain
//   @example.net: @example.org             each address of a domain, there
//   @example.com: alice@example.org        whatever else comes for it
//   old@example.org: :fail: We moved, see example.net
//   owner-news: carol                      who hears what goes wrong with "news"
//
// A line that begins with "#" is a comment, one that begins with a blank continues
// the one before. A detail ("alice+news") stays with who is asked for, it does not
// follow to the targets, but for those of a whole domain.
// Local-parts are compared without regard to the case of ASCII letters, domains as
// A-labels. Programs, files and includes have no form here: a target that begins
// with "|", "/" or ":include:" is refused by name.
#pragma once
#include "base_arena.h"
#include "base_rc.h"
#include "mail_address.h"

enum { ALIAS_TARGETS_MAX = 10000, ALIAS_LINE_MAX = 1 << 20 };

struct alias_source {
    struct span name; // for complaints
    struct span text;
};
struct alias_fault {
    char text[512]; // "/etc/geleit/aliases:12: …", what is wrong and what to do
};

enum alias_target_kind {
    ALIAS_TO_ADDRESS, // local@domain
    ALIAS_TO_LOCAL,   // `local`, in the domain that was asked for, or at home
    ALIAS_TO_DOMAIN,  // the local-part that was asked for, in `domain`
    ALIAS_TO_FAILURE, // `local` says why
};
struct alias_target {
    enum alias_target_kind kind;
    struct span local;  // as written; or the sentence
    struct span domain; // A-labels
};
struct alias_entry {
    struct span local;  // lower case; empty: "@domain"
    struct span domain; // A-labels; empty: in every domain of ours
    const struct alias_target *targets;
    size_t count;
    unsigned source, line;
};

enum alias_class {
    ALIAS_CLASS_OTHER,   // not ours
    ALIAS_CLASS_RELAY,   // given on as it is
    ALIAS_CLASS_LOCAL,   // mailboxes and aliases
    ALIAS_CLASS_VIRTUAL, // aliases only
};
struct alias_domains { // which domains are what
    enum alias_class (*class_of)(void *arg, struct span domain);
    void *arg;
};

struct alias_table;
// Nothing is borrowed. CONFIG with a fault for the first line that is wrong: its
// form, an address that is none, a key set twice, aliases that lead back to themselves
// (one that names itself among others is no loop: it is the mailbox). FULL: past the
// ceilings.
struct rc alias_table_new(struct alias_table **out, const struct alias_source *sources,
                          size_t count, const struct alias_domains *domains,
                          struct alias_fault *fault);
void alias_table_free(struct alias_table *t); // NULL: nothing
size_t alias_table_count(const struct alias_table *t);

// The entry for exactly this pair, spelled as in an entry but for the case of the
// local-part. NULL: none. `t` may be NULL: no aliases.
const struct alias_entry *alias_table_find(const struct alias_table *t, struct span local,
                                           struct span domain);
