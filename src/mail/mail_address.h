// Mail addresses (RFC 5321 §4.1.2), parsed into a type that cannot hold an
// invalid one. Nothing here ever builds a command line or a file name.
#pragma once
#include "base_arena.h"
#include "dns_name.h"

enum { MAIL_LOCAL_MAX = 64, MAIL_PATH_MAX = 256 }; // RFC 5321 §4.5.3.1

enum mail_domain_kind {
    MAIL_NULL,    // the null reverse path "<>"
    MAIL_DOMAIN,  // local-part@domain
    MAIL_LITERAL, // local-part@[192.0.2.1] or @[IPv6:…]
    MAIL_BARE,    // "<postmaster>" without a domain (RFC 5321 §4.5.1), RCPT only
};

struct mail_address {
    enum mail_domain_kind kind;
    struct span local;      // as written, quoted form kept
    struct span text;       // local@domain without brackets, the form to send
    struct dns_name domain; // A-labels; MAIL_DOMAIN only
    struct span literal;    // between the brackets; MAIL_LITERAL only
};

// Reads "<…>" at the front of *in and moves behind it. Source routes are
// accepted and dropped (RFC 5321 §4.1.1.3). `utf8` permits SMTPUTF8 addresses
// (RFC 6531). Spans live in `a`. False: not a valid path, *in is unchanged. Where
// a null path or one without a domain may stand is the caller's to know.
bool mail_path_parse(struct mail_address *out, struct span *in, bool utf8, struct arena *a);
// An address alone, without brackets: the way back from `text`, so the empty text
// is the null path.
bool mail_address_parse(struct mail_address *out, struct span text, bool utf8, struct arena *a);
