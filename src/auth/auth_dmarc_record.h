// A DMARC policy record (RFC 9989 §4.7 and §4.8), from the text of a TXT
// record. Old records (RFC 7489) are read by the same rules: pct, rf, ri are
// unknown tags now and ignored; a size limit behind a URI is read and kept.
#pragma once
#include "base_arena.h"
#include "dns_name.h"

enum auth_dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT, DMARC_POLICIES };
const char *auth_dmarc_policy_text(enum auth_dmarc_policy p); // "quarantine"

enum auth_dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

enum auth_dmarc_failure_option { // fo=, as bits
    DMARC_FO_ALL = 1,            // "0": every mechanism failed to align
    DMARC_FO_ANY = 2,            // "1"
    DMARC_FO_DKIM = 4,           // "d"
    DMARC_FO_SPF = 8,            // "s"
};

struct auth_dmarc_uri {
    struct span uri;     // as written, without the size
    struct span address; // of a mailto: URI, the first, decoded; empty for other schemes
    uint64_t size_max;   // bytes; 0: none given (obsolete, RFC 9989 §4.8)
};

enum {
    DMARC_URIS_MAX = 20,       // more of a list are left out
    DMARC_RECORD_MAX = 8 << 10 // a longer text is no record
};

struct auth_dmarc_record {
    bool usable; // false: §4.10.1's "applies no DMARC processing"
    // With a `p` that is missing, or a `p`, `sp` or `np` that is not valid, and a
    // `rua`, all three are none (§4.10.1). What is absent is filled in: sp from p,
    // np from sp.
    enum auth_dmarc_policy p, sp, np;
    bool sp_given, np_given;
    bool adkim_strict, aspf_strict;
    bool testing; // t=y
    enum auth_dmarc_psd psd;
    unsigned fo; // DMARC_FO_ALL without the tag, or without ruf
    size_t rua_count, ruf_count;
    struct auth_dmarc_uri *rua, *ruf;
    struct span text; // the record itself
};

// False: no DMARC record (another version, the version not first, a tag that
// occurs twice), or no room in `a`. Everything in *out is in `a`.
bool auth_dmarc_record_parse(struct auth_dmarc_record *out, struct span text, struct arena *a);
// Whether the text begins as a DMARC record does, valid or not: several such
// records at a name are none (§4.10 step 2).
bool auth_dmarc_record_is(struct span text);
