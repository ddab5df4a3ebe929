// Command lines taken apart: verbs, and the arguments of MAIL and RCPT. Private
// to the room. Pure text: order, limits of the session and policy come later.
#pragma once
#include "mail_address.h"
#include "smtp_reply.h"

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
    SMTP_VERB_ABSENT,  // known to the world, not offered here
    SMTP_VERB_BDAT,    // what follows it is data, not commands
    SMTP_VERB_FOREIGN, // the method of an HTTP request
    SMTP_VERB_COUNT,
};

// RFC 5321 §4.5.3.1.4, and what RFC 1870 §3 and RFC 6152 §2 add to MAIL.
enum { SMTP_COMMAND_MAX = 512, SMTP_COMMAND_MAIL_MAX = SMTP_COMMAND_MAX + 26 + 17 };

struct smtp_command {
    enum smtp_verb verb;
    struct span rest; // behind the verb and one blank; blanks at its end are gone
    size_t max;       // bytes its line may have, CRLF included
};

// Also says what is wrong with the line as such (too long, bytes that no
// command has): the reply, with code 0 if nothing is.
struct smtp_reply smtp_command_parse(struct smtp_command *out, struct span line);

struct smtp_mail_arguments {
    struct mail_address sender;
    bool size_given, body_given;
    uint64_t size;
    bool eight_bit;
};

// `extended`: after EHLO, parameters are allowed. Reply with code 0: all is well.
struct smtp_reply smtp_mail_parse(struct smtp_mail_arguments *out, struct span rest, bool extended,
                                  struct arena *a);
struct smtp_reply smtp_rcpt_parse(struct mail_address *out, struct span rest, struct arena *a);
// What follows HELO or EHLO: one word of printable ASCII, no longer than a domain.
bool smtp_helo_ok(struct span name);
