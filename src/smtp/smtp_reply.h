// An SMTP reply (RFC 5321 §4.2), ours or theirs.
#pragma once
#include "base_buf.h"

enum { SMTP_LINE_MAX = 2048, SMTP_REPLY_LINES_MAX = 1000, SMTP_REPLY_TEXT_MAX = 16384 };

struct smtp_reply {
    unsigned code;    // 200…599; 0: none
    char status[12];  // "5.7.1"; empty: none (RFC 2034)
    struct span text; // lines joined with '\n'; borrowed
};

static inline bool smtp_reply_ok(const struct smtp_reply *r)
{
    return r->code >= 200 && r->code < 400;
}
// Takes one whole reply, several lines or not, off the front of *in. 1: done,
// 0: wants more bytes (*in is unchanged), -1: no SMTP reply (bad code, codes
// that differ, too long). `text` is emptied first, collects the lines without
// codes and must outlive *out. Control characters in it become '?', so that it
// can be logged and stored; 8-bit bytes stay. A bare LF is taken for a line end.
int smtp_reply_take(struct smtp_reply *out, struct span *in, struct buf *text);
// "250 2.1.5 text" for logs, records and DSNs: one line.
void smtp_reply_put_line(struct buf *b, const struct smtp_reply *r);
