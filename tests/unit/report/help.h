// What the tests of the room share.
#pragma once
#include "base_buf.h"
#include "report_unpack.h"

// A file of GELEIT_VECTORS, in a buf to be freed; false (and nothing read): it is not there.
bool vector_read(struct buf *b, const char *name);
// The remarks as one line, "name:times name:times", by their place in the table.
const char *notes_line(const struct report_notes *n);
// Reads bytes to the end: unpacks and parses all of them; "tlsrpt gzip 1; dmarc plain 3" with the
// number of policies or records, or "fault: …".
const char *take(struct span bytes, struct report_notes *n);
