// Names and passwords made comparable: SASLprep (RFC 4013), so that a password
// typed on another keyboard is the same password.
//
// Code points newer than Unicode 3.2 are taken as they are ("queries" of RFC 3454
// §7, for storing too: a table of 2002 would forbid what people type today), and
// NFKC is that of libunistring.
#pragma once
#include "base_buf.h"

// Appends the prepared form. False: no UTF-8, something prohibited, nothing left,
// or no room; then what was appended means nothing.
bool sasl_prep(struct buf *out, struct span text);
