// The head of a message: just what transport must see of it, read in a stream
// while the body passes by (any chunk borders), with bounded memory.
#pragma once
#include "base_time.h"

struct mail_scan {
    unsigned received;    // Received: fields so far (loops, RFC 5321 §6.3)
    bool tls_required_no; // "TLS-Required: No" (RFC 8689 §5)
    bool eight_bit;       // a byte over 127 anywhere in what passed
    bool eight_bit_head;  // the same in the head: fields of RFC 6532
    bool body_begun;      // the empty line was seen
    size_t head_len;      // bytes up to and with the empty line, or all so far
    size_t line_longest;  // longest line with its CRLF (RFC 5321 §4.5.3.1.6: 1000)
    // private
    size_t line_len;
    char field[64];
    size_t field_len;
    bool at_cr, first_line, no_before;
};

void mail_scan_feed(struct mail_scan *s, struct span chunk); // start from {0}

// Received: (RFC 5321 §4.4; 3848 for `with`; 8314 §4.3 for the tls clause).
struct mail_received {
    struct span helo;           // what the client called itself
    struct span client_address; // "192.0.2.1" or "IPv6:2001:db8::1"
    struct span client_name;    // empty: not known
    struct span by;             // our host name
    struct span id;
    struct span recipient; // with exactly one recipient, else empty
    bool esmtp, tls, authenticated;
    bool utf8;               // the transaction had SMTPUTF8 (RFC 6531 §4.3)
    struct span tls_version; // "TLSv1.3"
    struct span tls_cipher;  // by its registered name, "TLS_AES_128_GCM_SHA256"
    struct span tls_peer;    // how the client was authenticated; may be empty
    struct wall when;
};
// The field with its CRLF, folded below 78 columns where it can be. Foreign
// text (helo) is cut and cleaned so that it can end neither line nor comment.
void mail_received_put(struct buf *b, const struct mail_received *r);
