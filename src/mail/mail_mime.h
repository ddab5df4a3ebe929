// A walk over the parts of a MIME message (RFC 2045, 2046, 2183, 2231), liberal, with bounds: at
// most MAIL_MIME_DEPTH levels and MAIL_MIME_PARTS parts are seen; whatever the bytes are, the walk
// ends and every span is inside the message. CRLF and LF line ends.
//
//   struct mail_mime m = mail_mime_open(message, &arena);
//   while (mail_mime_next(&m, &part)) …
#pragma once
#include "base_arena.h"
#include "base_buf.h"

enum { MAIL_MIME_DEPTH = 16, MAIL_MIME_PARTS = 1000, MAIL_MIME_HEAD = 256 << 10 };

// A header field, folds included. `name` has no blanks, `value` is what stands behind the colon,
// without its line end.
struct mail_field {
    struct span name, value;
};
// The next field of *head, which moves behind it; lines that are no field are passed over. False:
// the header has ended, and *head stands behind the empty line.
bool mail_field_next(struct span *head, struct mail_field *out);
// The first field of that name; false: there is none.
bool mail_field_find(struct span head, struct span name, struct span *value);
// Unfolded and trimmed, in `a`. .at == NULL: no room.
struct span mail_field_unfold(struct span value, struct arena *a);

// The value before the first ";": a lower-case token or "type/subtype", comments left out, in `a`.
struct span mail_mime_token(struct span value, struct arena *a);
// A parameter of Content-Type or Content-Disposition, quotes taken off, RFC 2231's continuations
// joined and percent signs undone; in `a`. Empty with .at == NULL: there is none.
struct span mail_mime_parameter(struct span value, struct span name, struct arena *a);

enum mail_mime_encoding { // RFC 2045 §6
    MAIL_MIME_IDENTITY,   // 7bit, 8bit, binary, or none said
    MAIL_MIME_BASE64,
    MAIL_MIME_QUOTED,
    MAIL_MIME_UNKNOWN,
};

struct mail_mime_part {
    unsigned depth;   // 0: the message itself
    bool container;   // multipart or message/rfc822: what is inside comes next, `body` is empty
    struct span head; // header fields as they stand, empty line included
    struct span body; // as it stands, still encoded
    struct span type; // "application/gzip"; "text/plain" where none is said (RFC 2045 §5.2)
    struct span name; // file name, for people; may be empty
    enum mail_mime_encoding encoding;
};

struct mail_mime {
    bool cut;     // a bound was met: not all parts were seen
    bool damaged; // a multipart without boundary, or one whose end is missing
    // private
    struct span rest;
    struct arena *arena;
    unsigned depth, parts;
    struct mail_mime_level {
        struct span boundary; // of a multipart; empty: message/rfc822
        bool digest, inside;
    } level[MAIL_MIME_DEPTH];
    bool begun;
};

struct mail_mime mail_mime_open(struct span message, struct arena *a);
bool mail_mime_next(struct mail_mime *m, struct mail_mime_part *out);
// The part's bytes. Base64 passes over what is no base64; false: something was not as it should be,
// or the buf is full (buf_state() says), and what could be had is there.
bool mail_mime_decode(struct buf *b, const struct mail_mime_part *part);
