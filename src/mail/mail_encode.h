// Foreign text made fit for a message that is 7-bit, has CRLF line ends only
// and no line over 998 bytes (RFC 5322 §2.1.1), whatever the text holds.
#pragma once
#include "base_buf.h"

enum { MAIL_LINE_MAX = 998, MAIL_COLUMN_MAX = 78 }; // without CRLF

// A header field that is folded at its blanks, below 78 columns where it can be.
struct mail_fold {
    struct buf *out;
    size_t column;
};
struct mail_fold mail_fold_open(struct buf *out, struct span name); // writes "name:"
// One more word behind a blank or a fold: `before`, `word`, `after` stay together.
// A word too long for a line is cut short. The bytes are written as they are.
void mail_fold_word(struct mail_fold *f, struct span before, struct span word, struct span after);
void mail_fold_words(struct mail_fold *f, struct span text); // words at the blanks of `text`
void mail_fold_close(struct mail_fold *f);                   // writes the CRLF

// Bytes as printable ASCII: control characters become blanks, a character over
// 127 "\x{HEX}" (RFC 6533 §3), a byte that is no UTF-8 "?". At most the first
// `max` bytes of `s` are written.
void mail_ascii_put(struct buf *b, struct span s, size_t max);
// The same as an address of type utf-8, utf-8-addr-xtext (RFC 6533 §3): blanks,
// "\", "+" and "=" in that form too.
void mail_xtext_address_put(struct buf *b, struct span s, size_t max);
// xtext (RFC 3461 §4) of ASCII text.
void mail_xtext_put(struct buf *b, struct span s);
// Undoes xtext (RFC 3461 §4); a "+" that begins no pair of hex digits stays.
void mail_xtext_decode(struct buf *b, struct span xtext);
// Undoes the "\x{HEX}" of an address of type utf-8 (RFC 6533 §3); what is no
// character stays as it is.
void mail_unitext_decode(struct buf *b, struct span s);
// One line of valid UTF-8: control characters become blanks, bytes that are no
// UTF-8 U+FFFD; at most the first `max` bytes of `s`, cut between characters.
void mail_line_put(struct buf *b, struct span s, size_t max);
// True if the text needs no encoding: ASCII without NUL, CR and LF only as
// CRLF, no line too long.
bool mail_is_7bit(struct span text);
bool mail_is_8bit(struct span text); // the same, with bytes over 127
// Quoted-printable (RFC 2045 §6.7) of text with CRLF line ends; others are encoded.
void mail_quoted_put(struct buf *b, struct span text);
// Encoded-words (RFC 2047) of UTF-8, each of whole characters.
void mail_encoded_words(struct mail_fold *f, struct span s);
