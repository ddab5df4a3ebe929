// Private to the room: what the parts of a notice share.
#pragma once
#include "mail_dsn.h"
#include "mail_encode.h"

enum {
    MAIL_DSN_TEXT_MAX = 1000, // bytes of one foreign sentence or reply
    MAIL_DSN_NAME_MAX = 255,
    MAIL_DSN_PARTS_MAX = 4 << 20, // one part of ours: all recipients of a transaction fit
};

// What of the message comes back.
enum mail_dsn_returned {
    MAIL_DSN_NOTHING,
    MAIL_DSN_HEADER,
    MAIL_DSN_HEADER_INSTEAD, // all of it should have been, and cannot
    MAIL_DSN_WHOLE,
};

void mail_dsn_field(struct buf *b, struct span name, struct span type, struct span value);
void mail_dsn_boundary(struct buf *b, struct span id, struct span returned);
struct span mail_dsn_subject(enum mail_dsn_action action);
struct span mail_dsn_action_text(enum mail_dsn_action action); // as RFC 3464 has it
// The first part, for people.
void mail_dsn_text(struct buf *b, const struct mail_dsn *d, enum mail_dsn_returned returned);
void mail_dsn_part_open(struct buf *b, struct span boundary, struct span type);
// The part's transfer encoding and content: as it is where that is legal, or quoted-printable.
void mail_dsn_content(struct buf *b, struct span text);
void mail_dsn_close(struct buf *b, struct span boundary);
