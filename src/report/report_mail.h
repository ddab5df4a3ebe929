// A report on its way out: gzip, file name, subject, the mail around it. Text, built by hand:
// 7-bit, CRLF line ends, no line over 998 bytes, whatever the document holds. DKIM is the caller's.
#pragma once
#include "base_time.h"
#include "dns_name.h"
#include "report_unpack.h"

// A gzip stream (RFC 1952) without name and time: equal input gives equal bytes.
void report_gzip(struct buf *b, struct span bytes);

struct report_cover {
    enum report_kind kind;
    struct dns_name submitter;     // our domain: that of the contact address (RFC 8460 §5.3)
    struct dns_name policy_domain; // whom the report is about
    struct wall begin, end;        // as in the document
    struct span unique;            // letters and digits: the document's unique-id; may be empty
    struct span id;                // the document's report id, without <> (dot-atom, maybe with @)
};

// "sender!domain!begin!end!unique.json.gz" (RFC 8460 §5.1), "….xml.gz" (RFC 9990).
void report_name_put(struct buf *b, const struct report_cover *c);
// "Report Domain: … Submitter: … Report-ID: <…>", without folds.
void report_subject_put(struct buf *b, const struct report_cover *c);
// "application/tlsrpt+gzip", "application/gzip"
const char *report_media_type(enum report_kind k);
// The id for document and subject; `unique` comes from the caller's random source. TLS: a left and
// a right side, "2026-11-22.example.com.UNIQUE@submitter"; DMARC: `unique`, since that and the
// file's must be identical (RFC 9990 §3.1.4). At most 400 bytes.
void report_id_put(struct buf *b, const struct report_cover *c);

struct report_mail {
    struct report_cover cover;
    struct span from;      // address, without brackets
    struct span from_name; // for people; may be empty
    const struct span *to; // addresses, at least one
    size_t to_count;
    struct span message_id; // without brackets
    struct wall now;
    struct span summary; // lines for people, UTF-8, CRLF; may be empty
    struct span packed;  // the gzip stream
};
// TLS reports as multipart/report; report-type=tlsrpt with both TLS-Report fields (RFC 8460 §5.3)
// and "TLS-Required: No", since they must get through where the policy they report on fails (§5.3,
// RFC 8689 §5); DMARC reports as multipart/mixed.
void report_mail_put(struct buf *b, const struct report_mail *m);
