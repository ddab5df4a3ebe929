// DMARC aggregate reports: RFC 9990 out, RFC 9990 and RFC 7489 in; one shape between what the
// history counts, the documents we send and those others send us.
//
//   out: messages -> tallies (packed record with a count, kept by the history) -> report_dmarc ->
//        report_dmarc_pack_gzip() -> report_mail.h, to those report_rua.h lets through
//   in:  report_unpack.h -> report_dmarc_read() -> report_dmarc, with notes
//
// Spans borrow: of a document that was read, from the arena; of one to be written, from the caller.
// The enums' zero is "not said".
#pragma once
#include "base_arena.h"
#include "base_time.h"
#include "dns_answer.h"
#include "report_notes.h"

enum report_dialect { REPORT_RFC7489, REPORT_RFC9990, REPORT_DIALECTS };
const char *report_dialect_text(enum report_dialect d); // "RFC 9990"

enum report_policy { // p, sp, np
    REPORT_POLICY_UNSAID,
    REPORT_POLICY_NONE,
    REPORT_POLICY_QUARANTINE,
    REPORT_POLICY_REJECT,
    REPORT_POLICIES
};
enum report_disposition {
    REPORT_DISPOSITION_UNSAID,
    REPORT_DISPOSITION_NONE,
    REPORT_DISPOSITION_PASS, // RFC 9990: passed DMARC under a policy that is enforced
    REPORT_DISPOSITION_QUARANTINE,
    REPORT_DISPOSITION_REJECT,
    REPORT_DISPOSITIONS
};
enum report_alignment { REPORT_ALIGNMENT_UNSAID, REPORT_RELAXED, REPORT_STRICT, REPORT_ALIGNMENTS };
enum report_yes { REPORT_YES_UNSAID, REPORT_NO, REPORT_YES, REPORT_YESES }; // testing
enum report_discovery { REPORT_DISCOVERY_UNSAID, REPORT_PSL, REPORT_TREEWALK, REPORT_DISCOVERIES };
enum report_aligned { // whether a mechanism passed and was aligned
    REPORT_ALIGNED_UNSAID,
    REPORT_ALIGNED_PASS,
    REPORT_ALIGNED_FAIL,
    REPORT_ALIGNEDS
};
enum report_auth { // RFC 8601 §2.7.1 and §2.7.2
    REPORT_AUTH_UNSAID,
    REPORT_AUTH_NONE,
    REPORT_AUTH_PASS,
    REPORT_AUTH_FAIL,
    REPORT_AUTH_SOFTFAIL, // SPF only
    REPORT_AUTH_POLICY,
    REPORT_AUTH_NEUTRAL,
    REPORT_AUTH_TEMPERROR,
    REPORT_AUTH_PERMERROR,
    REPORT_AUTHS
};
enum report_scope { REPORT_SCOPE_UNSAID, REPORT_MFROM, REPORT_HELO, REPORT_SCOPES }; // HELO: 7489
enum report_override {
    REPORT_OVERRIDE_UNSAID,
    REPORT_LOCAL_POLICY,
    REPORT_MAILING_LIST,
    REPORT_OTHER,
    REPORT_TEST_MODE, // "policy_test_mode"
    REPORT_TRUSTED_FORWARDER,
    REPORT_FORWARDED,   // RFC 7489 only
    REPORT_SAMPLED_OUT, // RFC 7489 only
    REPORT_OVERRIDES
};
// The words of the documents; NULL for "not said". The way back is any case; 0 for other words.
const char *report_policy_text(enum report_policy p);
const char *report_disposition_text(enum report_disposition d);
const char *report_alignment_text(enum report_alignment a); // "r"
const char *report_yes_text(enum report_yes y);             // "y"
const char *report_discovery_text(enum report_discovery d);
const char *report_aligned_text(enum report_aligned a);
const char *report_auth_text(enum report_auth a);
const char *report_scope_text(enum report_scope s); // "mfrom"
const char *report_override_text(enum report_override o);
enum report_policy report_policy_of(struct span s);
enum report_disposition report_disposition_of(struct span s);
enum report_alignment report_alignment_of(struct span s);
enum report_yes report_yes_of(struct span s);
enum report_discovery report_discovery_of(struct span s);
enum report_aligned report_aligned_of(struct span s);
enum report_auth report_auth_of(struct span s);
enum report_scope report_scope_of(struct span s);
enum report_override report_override_of(struct span s);

struct report_published { // policy_published
    struct span domain;   // the policy domain, A-labels
    enum report_policy p, sp, np;
    enum report_alignment adkim, aspf;
    enum report_yes testing;
    enum report_discovery discovery;
    bool pct_given; // RFC 7489 only, and never written
    uint8_t pct;
    struct span fo; // "1:d"; empty: not said
};

struct report_reason {
    enum report_override type;
    struct span comment;
};
struct report_dkim {
    struct span domain, selector;
    enum report_auth result;
    struct span human; // empty: none
    bool aligned;      // out only: with the From domain; chooses which are written, not written
};
struct report_spf {
    struct span domain;
    enum report_scope scope;
    enum report_auth result;
    struct span human;
};

struct report_record {
    struct report_record *next;
    struct dns_address source;
    bool source_given;
    uint64_t count;
    enum report_disposition disposition;
    enum report_aligned dkim_aligned, spf_aligned;
    size_t reason_count;
    struct report_reason *reasons;
    struct span header_from;   // A-labels
    struct span envelope_from; // empty and `null_sender`: the null path; empty: not said
    bool null_sender;
    struct span envelope_to; // empty: not said
    size_t dkim_count;
    struct report_dkim *dkim;
    size_t spf_count; // 0 or 1 in RFC 9990
    struct report_spf *spf;
};

struct report_dmarc {
    enum report_dialect dialect; // as it was read; what we write is RFC 9990
    struct span organization, email, extra_contact, id, error, generator;
    struct wall begin, end; // seconds; end as it stands (ours: the last second of the day)
    struct report_published policy;
    size_t record_count;
    uint64_t messages; // sum of the records' counts
    struct report_record *records;
};

enum {
    REPORT_DMARC_RECORDS_MAX = 250000, // of a document that is read
    REPORT_DMARC_LIST_MAX = 100,       // signatures, SPF results, reasons of one record
    REPORT_DMARC_ARENA = 256 << 20     // ceiling that has room for such a document
};

// --- Tallies. Equal records give equal bytes: a history adds up messages by (day, policy domain,
// record). Published policies are packed too, so that a day's report can show the last one seen.

void report_published_pack(struct buf *b, const struct report_published *p);
bool report_published_unpack(struct rd *r, struct report_published *out, struct arena *a);
void report_record_pack(struct buf *b, const struct report_record *rec); // without count
bool report_record_unpack(struct rd *r, struct report_record *out, struct arena *a);

struct report_dmarc_tally {
    struct span record; // report_record_pack()
    uint64_t messages;
};
// The records of one document from the tallies of one policy domain and one day; `published` is the
// last one seen (RFC 9990 §3.1.1). Tallies with equal records come out as one where they stand
// together. What does not unpack is left out and counted in *bad. False: no room in `a`, or
// `published` is not what report_published_pack() made.
bool report_dmarc_tally(struct report_dmarc *out, struct span published,
                        const struct report_dmarc_tally *tallies, size_t count, struct arena *a,
                        size_t *bad);

// --- Out.

// Whether it tells source, author and result alone: no envelope, nothing that was looked at. A day
// that has more different records than are kept adds up the rest so.
bool report_record_is_coarse(const struct report_record *rec);
// The XML of RFC 9990, valid against its schema whatever the text of others is. At most
// REPORT_DMARC_LIST_MAX signatures a record, those first that tell the owner most.
void report_dmarc_put_xml(struct buf *b, const struct report_dmarc *d);
// XML, gzip. Over `size_max` those records are left out that have the fewest messages, which the
// document says (error); *left_out is the sum of these. TOO_LARGE: no record fits.
struct rc report_dmarc_pack_gzip(struct buf *gz, const struct report_dmarc *d, size_t size_max,
                                 uint64_t *left_out);
// Our JSON of a document, for `report show --json`.
void report_dmarc_put_value(struct json *j, const char *key, const struct report_dmarc *d);

// --- In.

enum { REPORT_DMARC_XML_MAX = 256 << 20 };

// Reads a document of either dialect. No entity but the five of XML, no document type, nothing
// fetched; depth, length of tags, number of records are bounded. Everything in *out lives in `a`,
// whose ceiling bounds what a hostile one can cost. MALFORMED or TOO_LARGE: the sentence is in
// notes->fault.
struct rc report_dmarc_read(struct report_dmarc *out, struct span xml, struct arena *a,
                            struct report_notes *notes);
// The same in pieces, so that a document never stands in memory whole.
struct report_dmarc_reader;
struct report_dmarc_reader *report_dmarc_reader_new(struct report_dmarc *out, struct arena *a,
                                                    struct report_notes *notes);
struct rc report_dmarc_reader_feed(struct report_dmarc_reader *r, struct span piece);
struct rc report_dmarc_reader_end(struct report_dmarc_reader *r);
void report_dmarc_reader_free(struct report_dmarc_reader **r); // for CLEANUP

// Between processes. Unpacking checks bounds again; false: not that, or no room.
void report_dmarc_pack(struct buf *b, const struct report_dmarc *d);
bool report_dmarc_unpack(struct rd *r, struct report_dmarc *out, struct arena *a);
