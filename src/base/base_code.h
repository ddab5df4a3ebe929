// Text encodings of bytes.
#pragma once
#include "base_buf.h"

void code_put_hex(struct buf *b, struct span bytes); // lower case
// Appends the bytes; false (and nothing usable appended) unless all is hex pairs.
bool code_get_hex(struct buf *b, struct span hex);
void code_put_base64(struct buf *b, struct span bytes); // RFC 4648 §4, padded, no line breaks
bool code_get_base64(struct buf *b, struct span text);  // strict: padded, no white space
