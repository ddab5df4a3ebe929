// Command lines (RFC 5321 §2.3.8): CRLF alone ends one. Private to the room.
#pragma once
#include "base_span.h"

enum smtp_line_kind {
    SMTP_LINE_MORE,  // no end yet; nothing was taken
    SMTP_LINE_WHOLE, // *line: without its CRLF
    SMTP_LINE_LONG,  // no end within `max`: smtp_line_skip() until it is WHOLE or BARE
    SMTP_LINE_BARE,  // a CR or LF that ends no line
};

enum smtp_line_kind smtp_line_take(struct span *in, size_t max, struct span *line);
// Drops the rest of a line that is too long; MORE keeps at most one CR in *in.
enum smtp_line_kind smtp_line_skip(struct span *in);
