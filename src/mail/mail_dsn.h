// Delivery status notifications (RFC 3461, 3464, 6522, 6533): text, built by hand so
// that every byte of it is known.
#pragma once
#include "base_time.h"

enum mail_dsn_action { // RFC 3464 §2.3.3
    MAIL_DSN_FAILED,
    MAIL_DSN_DELAYED,
    MAIL_DSN_DELIVERED,
    MAIL_DSN_RELAYED,
    MAIL_DSN_EXPANDED,
    MAIL_DSN_ACTIONS
};

struct mail_dsn_recipient {
    struct span address;
    struct span orcpt;      // as the parameter came, in xtext (RFC 3461 §4); empty: none
    struct span status;     // "5.1.1"
    struct span reason;     // one sentence for people, why
    struct span remote_mta; // host that answered; empty: none did
    struct span diagnostic; // its reply, "550 5.1.1 no such user"; empty: none
    struct wall tried;      // the last attempt; 0: none
};

struct mail_dsn {
    enum mail_dsn_action action;
    struct span reporting_mta; // our host name
    struct span to;            // the sender that is told
    struct span envid;         // as the parameter came, in xtext; empty: none
    struct span message_id;    // of the notice, without brackets
    struct wall arrived, now;
    struct wall retry_until; // DELAYED
    const struct mail_dsn_recipient *recipients;
    size_t count;
    bool utf8;               // its reader knows SMTPUTF8: addresses as they are (RFC 6533)
    struct span original;    // the message, with CRLF, or its header
    bool whole;              // all of it goes back, where it can be written so; else its header
    bool too_large;          // all of it was to go back, and `original` is the header only
    bool leave_out_original; // REQUIRETLS bounce over an unprotected way (RFC 8689 §5)
};

// The whole message, CRLF line ends, multipart/report with the first recipient's
// reason as the first line of its first part. Foreign text is cut (a sentence or
// reply at 1000 bytes, the original header at 64 KiB) and written so that the notice
// stays 7-bit whatever it holds. There is one exception: a whole message with an
// ASCII header and an 8-bit body has no 7-bit form (RFC 2046 §5.2.1), and makes the
// notice one for BODY=8BITMIME. A message that cannot be had in a MIME part at all
// (endless lines, NUL) comes back by its header. The envelope's null return path
// (RFC 3464 §2) is the caller's.
void mail_dsn_put(struct buf *b, const struct mail_dsn *d);

// A notice, or another message without return path, with the content left out that it
// may not carry unprotected (RFC 8689 §5). Of a multipart/report the second part stays,
// and the first where we wrote it; of anything else the fields that say what it is; and
// a sentence. Signatures go. `message` may be cut short. 7-bit.
void mail_dsn_redact(struct buf *b, struct span message, bool ours);
