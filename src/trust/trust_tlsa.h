// TLSA records for a handshake (RFC 6698 §2.1, RFC 7671 §9, RFC 7672 §3.1).
#pragma once
#include "trust_plan.h"

enum { TRUST_TLSA_MAX = 32, TRUST_TLSA_BYTES_MAX = 8192 }; // of one host

// The answer's records in the arena, sorted, each marked usable or not, and how many
// are. False: more or larger ones than anyone needs.
bool trust_tlsa_take(const struct dns_answer *answer, struct arena *a, struct trust_tlsa **out,
                     size_t *count, size_t *usable);
