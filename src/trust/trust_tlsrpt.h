// Where a domain wants its TLS reports: the _smtp._tls TXT record (RFC 8460 §3).
#pragma once
#include "dns_answer.h"

enum { TLSRPT_URIS_MAX = 16, TLSRPT_URI_MAX = 2000 };

// The mailto: and https: URIs of rua, copied into `a`; their count. 0: the
// domain wants no reports (no record, several, one that is malformed).
size_t trust_tlsrpt_record(const struct dns_answer *txt, struct arena *a, struct span **out);
