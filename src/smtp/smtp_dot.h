// The transparency of message data (RFC 5321 §4.5.2): taking dots off, putting
// dots on, finding the one end CRLF.CRLF. Private to the room. A bare CR or LF
// is never passed on, in either direction: whoever reads a line end in it would
// find another end of the message than we do.
#pragma once
#include "base_buf.h"

struct smtp_undot {
    bool mid_line; // start from {0}
};

enum smtp_undot_kind {
    SMTP_UNDOT_MORE,  // what is left of *in cannot be judged without what follows
    SMTP_UNDOT_PIECE, // *piece: bytes of the message, borrowed from the input
    SMTP_UNDOT_END,   // the end of the data was taken
    SMTP_UNDOT_BARE,  // *in stands before a CR or LF that ends no line
};

// How many bytes at the front have CR and LF only as CRLF; a last CR is left out.
size_t smtp_crlf_len(struct span s);

// At most two bytes stay in *in when it wants more: ".\r", or one CR.
enum smtp_undot_kind smtp_undot_take(struct smtp_undot *u, struct span *in, struct span *piece);

struct smtp_dot {
    bool mid_line, cr; // start from {0}; cr: one is held back until its LF comes
};

// Bare CR and LF become CRLF.
void smtp_dot_put(struct smtp_dot *d, struct span piece, struct buf *out);
void smtp_dot_end(struct smtp_dot *d, struct buf *out); // a last CRLF if missing, and the dot
