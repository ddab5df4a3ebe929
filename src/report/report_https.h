// https URIs of destinations (RFC 8460 §3), in parts of which none can hold nonsense.
#pragma once
#include "dns_name.h"

enum { REPORT_URI_MAX = 2000 };

struct report_https {
    struct dns_name host; // a host's name, and nothing that could be read as an address
    uint16_t port;
    struct span target; // path and query as they stand there, borrowed; may be empty
};

// False: not https, no name of a host, with user information, or no URI at all. A fragment is
// never sent, and left out.
bool report_https_parse(struct report_https *out, struct span uri);
// Whether the bytes can be a URI: no spaces, no control characters, not too many.
bool report_is_uri_text(struct span s);
