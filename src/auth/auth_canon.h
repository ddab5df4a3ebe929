// Canonical forms (RFC 6376 §3.4), shared by DKIM, ARC and whatever comes after
// them. Results go to a sink piece by piece; what the sum of the pieces is does
// not depend on how the input was cut.
#pragma once
#include "base_span.h"

enum auth_canon { AUTH_CANON_RELAXED, AUTH_CANON_SIMPLE, AUTH_CANONS };
const char *auth_canon_text(enum auth_canon c); // "relaxed"

struct auth_sink {
    void (*put)(void *context, struct span bytes);
    void *context;
};

// One header field, given without the CRLF at its end; `line_end` puts it in the
// result (RFC 6376 §3.7: all fields have it but the signature's own).
void auth_canon_field(enum auth_canon how, struct span field, bool line_end,
                      const struct auth_sink *to);
// A signature's own field: as if the bytes of `b_value`, which lie in the
// field, were not there, and without line end.
void auth_canon_own(enum auth_canon how, struct span field, struct span b_value,
                    const struct auth_sink *to);

// The body as a stream. Only CRLF ends a line. Start from {.how, .to}.
struct auth_canon_body {
    enum auth_canon how;
    struct auth_sink to;
    uint64_t len; // bytes of the canonical body so far; complete after _end
    // private: read, not yet known to be part of the result
    uint64_t line_ends;
    bool blank, cr;
};
void auth_canon_body_feed(struct auth_canon_body *b, struct span chunk);
void auth_canon_body_end(struct auth_canon_body *b);
