// The Author Domain of a message: the domain of its From field (RFC 5322 §3.4
// and §4.4, RFC 6854 for groups, RFC 9989 §5.3.1).
//
// Reads what real messages hold (obsolete forms, unquoted display names, words
// that are no address), but says "malformed" where two readers could see two
// domains: a wrong guess here lets a forged author past the domain's policy.
#pragma once
#include "dns_name.h"

struct auth_mailboxes {
    struct span rest; // of a field's value, folded or not
    bool bad;         // sticky: what stood there is no address list
};

struct auth_mailbox {
    bool literal;           // user@[192.0.2.1]: there is no domain
    struct dns_name domain; // A-labels
    struct span local;      // as written; empty where comments or blanks stand in it
};

// The next address of the list that has a domain or a literal; groups, display
// names, comments and words without an '@' are passed over. False: end, or bad.
bool auth_mailbox_next(struct auth_mailboxes *list, struct auth_mailbox *out);

enum auth_from_problem {
    AUTH_FROM_OK,
    AUTH_FROM_MISSING,   // no From field
    AUTH_FROM_REPEATED,  // more than one: RFC 9989 §4.4
    AUTH_FROM_MALFORMED, // no address list, or an ambiguous one
    AUTH_FROM_NO_DOMAIN, // an empty group, an address literal, words only
    AUTH_FROM_SEVERAL,   // addresses of several domains: RFC 9989 §11.5
    AUTH_FROM_UNREAD,    // the header is too large, or no list of fields: no field counts
    AUTH_FROM_PROBLEMS
};
const char *auth_from_text(enum auth_from_problem p); // a sentence without a full stop

struct auth_from {
    enum auth_from_problem problem;
    struct dns_name domain; // empty unless problem is AUTH_FROM_OK
    struct span local;      // of the only address, borrowed from its field; else empty
};

// `fields`: the value of each From field of the message. Several addresses of
// one domain are one Author Domain.
void auth_from_read(struct auth_from *out, const struct span *fields, size_t count);
