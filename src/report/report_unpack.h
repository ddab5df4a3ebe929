// From the bytes of a file, of a POST or of a mail to the documents in them: what something is, its
// first bytes say, never its label. gzip, zip and plain; mail with any of them attached (base64,
// quoted-printable, forwarded). Expansion is bounded, in all and by ratio, while it happens; an
// archive in an archive is refused. For use in a short-lived child; opens no files.
#pragma once
#include "base_arena.h"
#include "report_notes.h"

enum report_kind { REPORT_TLSRPT, REPORT_DMARC, REPORT_KINDS };
const char *report_kind_text(enum report_kind k); // "tlsrpt", "dmarc"

struct report_limits {
    size_t document_max; // bytes of one document, expanded
    size_t total_max;    // of all documents of a mail together
    unsigned ratio_max;  // expanded by packed bytes, looked at from 1 MiB on
};
extern const struct report_limits report_limits_usual; // 128 MiB, 256 MiB, 500

enum { REPORT_DOCUMENTS_MAX = 16, REPORT_INPUT_MAX = 64 << 20 };

struct report_document {
    enum report_kind kind;
    struct buf bytes; // JSON or XML; never longer than document_max
    struct span name; // file name as the mail or archive has it, cleaned; may be empty
    const char *wrap; // "plain", "gzip", "zip"
};

struct report_unpacked {
    size_t count;
    struct report_document at[REPORT_DOCUMENTS_MAX];
    // Of a mail: fields of its head, cleaned, unverified; empty where there are none. RFC 8460 §5.3
    // and §3: the caller verifies DKIM and that the signer is the submitter.
    bool mail;
    struct span from, subject, tls_domain, tls_submitter;
};

// All documents in `bytes`; small things live in `a`, the documents' bytes in their bufs. A mail or
// archive of several documents gives those that can be had; without any: MALFORMED or TOO_LARGE and
// one sentence in notes->fault. *out is to be freed in any case.
struct rc report_unpack(struct report_unpacked *out, struct span bytes,
                        const struct report_limits *limits, struct arena *a,
                        struct report_notes *notes);
void report_unpacked_free(struct report_unpacked *u);
