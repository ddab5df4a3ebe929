// Delivery status notifications (RFC 3461, 3464, 6522): text, built by hand so
// that every byte of it is known.
#pragma once
#include "base_time.h"

struct mail_dsn_recipient {
    struct span address;
    struct span orcpt;      // as the parameter came, in xtext (RFC 3461 §4); empty: none
    struct span status;     // "5.1.1"
    struct span reason;     // one sentence for people, why
    struct span remote_mta; // host that answered; empty: none did
    struct span diagnostic; // its reply, "550 5.1.1 no such user"; empty: none
};

struct mail_dsn {
    struct span reporting_mta; // our host name
    struct span to;            // the sender that is told
    struct span envid;         // as the parameter came, in xtext; empty: none
    struct span message_id;    // of the notice, without brackets
    struct wall arrived, now;
    const struct mail_dsn_recipient *recipients;
    size_t count;
    struct span original_head; // header of the message, with CRLF; RET=HDRS form
    bool leave_out_original;   // REQUIRETLS bounce over an unprotected way (RFC 8689 §5)
};

// The whole message, CRLF line ends, 7-bit, multipart/report with the first
// recipient's reason as the first line of its first part. Foreign text is cut
// (a sentence or reply at 1000 bytes, the original header at 64 KiB) and written
// so that the notice stays 7-bit whatever it holds. The envelope's null return
// path (RFC 3464 §2) is the caller's.
void mail_dsn_put(struct buf *b, const struct mail_dsn *d);
