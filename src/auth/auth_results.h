// Authentication-Results (RFC 8601): writing ours, reading foreign ones, and
// taking out of incoming messages those that claim to be ours (§5).
#pragma once
#include "auth_ask.h"
#include "base_arena.h"
#include "base_buf.h"
#include "dns_name.h"

struct auth_dkim;

// Writing. Values are written so that they always parse: as they are where the
// grammar has it, else quoted; control characters become blanks. Lines are folded
// at 78 columns. open, then methods each followed by its properties, then close,
// which writes "none" if there was no method.
struct auth_results_writer {
    struct buf *out;
    bool utf8; // may the field hold UTF-8 (RFC 8616)? Without: "?" for such bytes
    size_t column;
    size_t methods;
};
struct auth_results_writer auth_results_open(struct buf *out, struct span id, bool utf8);
void auth_results_method(struct auth_results_writer *w, const char *method, enum auth_result r);
void auth_results_comment(struct auth_results_writer *w, struct span text); // "(text)"
void auth_results_reason(struct auth_results_writer *w, struct span text);  // before properties
void auth_results_property(struct auth_results_writer *w, const char *name, struct span value);
void auth_results_close(struct auth_results_writer *w);

// The methods as §2.7 has them. Empty spans are left out.
void auth_results_dkim(struct auth_results_writer *w, const struct auth_dkim *d);
struct auth_results_spf {
    enum auth_result result;
    struct span mail_from, helo, comment; // helo where it was what was checked
};
void auth_results_spf(struct auth_results_writer *w, const struct auth_results_spf *r);
struct auth_results_dmarc {
    enum auth_result result;
    struct span from;        // domain of the From field
    struct span disposition; // "none", "quarantine", "reject"
    struct span comment;
};
void auth_results_dmarc(struct auth_results_writer *w, const struct auth_results_dmarc *r);
struct auth_results_arc {
    enum auth_result result;
    struct span oldest_pass; // RFC 8617 §10.2 header.oldest-pass
    struct span client;      // smtp.remote-ip (§10.2)
    struct span comment;
};
void auth_results_arc(struct auth_results_writer *w, const struct auth_results_arc *r);
struct auth_results_iprev {
    enum auth_result result;
    struct span address, comment;
};
void auth_results_iprev(struct auth_results_writer *w, const struct auth_results_iprev *r);

// Reading. Text is decoded (quotes and comments taken off); the last comment of
// a result is kept.
struct auth_results_property {
    struct span type, name, value; // "header", "d", "example.org"
};
struct auth_results_info {
    struct span method, result, reason, comment;
    unsigned version;
    size_t count;
    struct auth_results_property *properties;
};
struct auth_results {
    struct span id;
    unsigned version;
    bool none;  // "none": no method was applied
    bool loose; // an empty result at its end, which the grammar does not have
    size_t count;
    struct auth_results_info *infos;
};
enum {
    AUTH_RESULTS_VALUE_MAX = 32 << 10,
    AUTH_RESULTS_INFOS_MAX = 64,
    AUTH_RESULTS_PROPERTIES_MAX = 32
};
// `value` is what stands behind the colon. False: not that grammar, or beyond
// a limit. Spans live in `a`. Unknown methods and results are no fault; a
// version other than 1 is the caller's to refuse.
bool auth_results_parse(struct auth_results *out, struct span value, struct arena *a);

// What somebody else says of DMARC, for who has a reason to believe him.
struct auth_heard {
    enum auth_result dmarc; // as reported; NONE: not reported
    struct dns_name from;   // header.from of that report; root: none
};
bool auth_results_hear(struct auth_heard *out, const struct auth_results *r); // false: nothing
bool auth_heard_vouches(const struct auth_heard *h, const struct dns_name *author); // a pass of his

// Who signed a message, as a field of ours has it.
enum { AUTH_SIGNERS_MAX = 32 };
struct auth_signer {
    struct dns_name domain;
    bool mail, tlsrpt; // what its key is for
};
struct auth_signers {
    bool judged; // signatures were looked at
    bool open;   // of one it could not be found out
    size_t count;
    struct auth_signer at[AUTH_SIGNERS_MAX]; // whose signatures are valid
};
void auth_results_signers(struct auth_signers *out, const struct auth_results *r);
// One is the other or below it, and no top-level domain.
bool auth_domains_related(const struct dns_name *a, const struct dns_name *b);

// Whose a field claims to be. Names compare as domains, A-labels with U-labels.
enum auth_claim { AUTH_CLAIM_FOREIGN, AUTH_CLAIM_OURS, AUTH_CLAIM_UNCLEAR };
enum auth_claim auth_results_claim(struct span value, struct span id);

// A message passes through and loses the Authentication-Results fields that
// claim to be ours, and those that do not clearly say whose they are. What
// comes out is a part of what came in, whatever the chunk borders.
struct auth_strip {
    struct span ids[8]; // ours; borrowed
    size_t count;       // of ids
    void (*put)(void *context, struct span bytes);
    void *context;
    unsigned removed; // fields so far
    // private
    struct buf field;
    enum auth_strip_state {
        AUTH_STRIP_HOLD,
        AUTH_STRIP_PASS,
        AUTH_STRIP_DROP,
        AUTH_STRIP_BODY
    } state;
    bool line_end; // the last byte ended a line
};
enum { AUTH_STRIP_HELD_MAX = 8 << 10 };     // such fields that are longer are removed
void auth_strip_open(struct auth_strip *s); // after the public part was set
void auth_strip_feed(struct auth_strip *s, struct span chunk);
void auth_strip_end(struct auth_strip *s); // puts what is held, and frees
