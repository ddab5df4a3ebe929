// The tables behind the enums of report_dmarc.h, for this room only.
#pragma once
#include "base_span.h"

struct report_words {
    const char *const *at; // index 0 is "not said"
    unsigned count;
};
extern const struct report_words report_words_policy, report_words_disposition,
    report_words_alignment, report_words_yes, report_words_discovery, report_words_aligned,
    report_words_auth, report_words_scope, report_words_override;
unsigned report_word(const struct report_words *w, struct span s); // any case; 0: not one of them
