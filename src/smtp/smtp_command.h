// Command lines taken apart: verbs, and the arguments of MAIL and RCPT. Private
// to the room. Pure text: order, limits of the session and policy come later.
#pragma once
#include "smtp_server.h"

#define SMTP_REPLY(n, s, t) ((struct smtp_reply){.code = (n), .status = s, .text = SPAN(t)})

enum smtp_verb {
    SMTP_VERB_UNKNOWN,
    SMTP_VERB_EHLO,
    SMTP_VERB_HELO,
    SMTP_VERB_MAIL,
    SMTP_VERB_RCPT,
    SMTP_VERB_DATA,
    SMTP_VERB_RSET,
    SMTP_VERB_NOOP,
    SMTP_VERB_QUIT,
    SMTP_VERB_VRFY,
    SMTP_VERB_EXPN,
    SMTP_VERB_HELP,
    SMTP_VERB_STARTTLS,
    SMTP_VERB_AUTH,
    SMTP_VERB_ABSENT,  // known to the world, not offered here
    SMTP_VERB_BDAT,    // what follows it is data, not commands
    SMTP_VERB_FOREIGN, // the method of an HTTP request
    SMTP_VERB_COUNT,
};

// RFC 5321 §4.5.3.1.4, and what the extensions add to it.
enum {
    SMTP_COMMAND_MAX = 512,
    // RFC 1870 §3, 6152 §2, 6531 §3.1, 8689 §2, 3461 §4.3 and §4.4, 4954 §3
    SMTP_COMMAND_MAIL_MAX = SMTP_COMMAND_MAX + 26 + 17 + 10 + 11 + 9 + 107 + 500,
    SMTP_COMMAND_RCPT_MAX = SMTP_COMMAND_MAX + 29 + 507, // RFC 3461 §4.1, §4.2
    SMTP_COMMAND_VRFY_MAX = SMTP_COMMAND_MAX + 10,       // RFC 6531 §3.7.4.2
    SMTP_AUTH_LINE_MAX = 12288,                          // RFC 4954 §4, responses too
    SMTP_ENVID_MAX = 100,                                // RFC 3461 §4.4
    SMTP_ORCPT_MAX = 500,                                // RFC 3461 §4.2
};

struct smtp_command {
    enum smtp_verb verb;
    struct span rest; // behind the verb and one blank; blanks at its end are gone
    size_t max;       // bytes its line may have, CRLF included
};

// Also says what is wrong with the line as such (too long, bytes that no
// command has): the reply, with code 0 if nothing is.
struct smtp_reply smtp_command_parse(struct smtp_command *out, struct span line);

// `extended`: after EHLO, parameters are allowed. Of the transaction, what MAIL says is
// set. Reply with code 0: all is well.
struct smtp_reply smtp_mail_parse(struct smtp_transaction *out, struct span rest, bool extended,
                                  struct arena *a);
// `utf8`: the transaction has SMTPUTF8.
struct smtp_reply smtp_rcpt_parse(struct smtp_recipient *out, struct span rest, bool extended,
                                  bool utf8, struct arena *a);
// The parameters behind the path (smtp_parameter.c).
struct smtp_reply smtp_mail_parameters(struct smtp_transaction *t, struct span rest,
                                       struct arena *a);
struct smtp_reply smtp_rcpt_parameters(struct smtp_recipient *to, struct span rest, bool utf8,
                                       struct arena *a);
// "size [LAST]" (RFC 3030 §2). False: no size, so that its end cannot be found. *bad:
// what follows the size is wrong.
bool smtp_bdat_parse(struct span rest, uint64_t *size, bool *last, bool *bad);
// What follows HELO or EHLO: one word of printable ASCII, no longer than a domain.
bool smtp_helo_ok(struct span name);
