// The inside, for the files of auth_message.h.
#pragma once
#include "auth_head.h"
#include "auth_message.h"

enum message_part { PART_SPF, PART_DKIM, PART_ARC, PART_DMARC, PARTS };

struct auth_message {
    struct auth_message_request request;
    struct arena spf_arena;
    struct auth_spf *spf;
    struct auth_dkim *dkim;
    struct auth_arc *arc;
    struct auth_dmarc *dmarc;
    struct auth_split split;
    struct auth_heard heard; // from `believed`
    bool author_given, identifiers_given, ended, done;
    bool finished[PARTS];
    struct auth_message_result result;
};

void message_hear(struct auth_message *m, const struct auth_head *head);
// After all methods: fills in the facts that are known by now, and their results.
void message_know(struct auth_message *m, struct auth_dmarc_facts *f);
