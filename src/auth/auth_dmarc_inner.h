// The evaluator's inside, shared by its steps; nobody else includes it.
//
//   auth_dmarc.c          questions out, answers in
//   auth_dmarc_judge.c    policy, alignment, verdict
//   auth_dmarc_reason.c   the sentence
#pragma once
#include "auth_dmarc.h"

enum dmarc_existence {
    EXISTENCE_UNASKED,
    EXISTENCE_WANTED,
    EXISTENCE_ASKED,
    EXISTENCE_FAILED,
    EXISTENCE_YES,
    EXISTENCE_NO
};

enum dmarc_alignment { ALIGNMENT_WAITS, ALIGNMENT_NO, ALIGNMENT_YES, ALIGNMENT_UNKNOWN };

struct dmarc_identifier {
    bool spf;
    enum auth_result result; // PASS or TEMPERROR, others never come in
    struct dns_name domain;
    enum dmarc_alignment alignment;
};

enum {
    DMARC_IDENTIFIERS_MAX = AUTH_DMARC_DKIM_MAX + 1,
    // With the author's walk they fit into the table however deep they are.
    DMARC_WALKS_AT_ONCE = DMARC_LOOKUPS_MAX / DMARC_WALK_MAX - 1
};

struct auth_dmarc {
    bool from_given, identifiers_given, done;
    struct auth_dmarc_table table;
    enum dmarc_existence existence; // of the author domain itself, for np
    size_t count;
    struct dmarc_identifier identifiers[DMARC_IDENTIFIERS_MAX];
    const struct auth_dmarc_lookup *policy; // what record applies
    const struct auth_dmarc_lookup *failed; // the question that stands in the way
    struct auth_dmarc_result result;
};

// Goes as far as the answers reach.
void dmarc_judge(struct auth_dmarc *m);
void dmarc_reason(struct auth_dmarc *m);
