// Questions answered from a zone file (RFC 1035 §5) instead of the network, for
// tests and post-mortems: the same answers whatever DNS says today.
//
// Read are $ORIGIN, $TTL, parentheses, quoted strings, \X and \DDD, relative names
// (without $ORIGIN: to the root), units of time ("1h30m"), and the records A, AAAA,
// MX, TXT, CNAME, NS, PTR, TLSA. Other known types make their owner exist and are
// not looked into. $INCLUDE and $GENERATE are faults (no file leads to another), and
// DNAME, which would answer for names that are not there. An owner with bytes that no
// dns_name holds (blanks, controls) is passed over: nobody asks for it.
// Several zones in one file are one tree of names: there are no zone cuts in it.
//
// What is read is bounded; a fault never leaves anything half read behind.
#pragma once
#include "dns_answer.h"

enum {
    DNS_ZONE_TEXT_MAX = 16 << 20, // bytes of a file
    DNS_ZONE_RECORDS_MAX = 50000,
    DNS_ZONE_ITEMS_MAX = 4096, // words of one record
};

struct dns_zone_fault {
    unsigned line;
    char text[200]; // what is wrong, without the line
};

struct dns_zone;
// NULL, and *fault says why.
struct dns_zone *dns_zone_new(struct span text, struct dns_zone_fault *fault);
void dns_zone_free(struct dns_zone *z); // NULL is fine

// Standing INSECURE. CNAMEs are followed (at most 16; a loop is INDETERMINATE),
// wildcards stand for names that are not there (RFC 4592), and what is not in the
// file is NXDOMAIN or NODATA. Spans live in `a`; if it is full: INDETERMINATE.
void dns_zone_answer(const struct dns_zone *z, const struct dns_question *q, struct dns_answer *out,
                     struct arena *a);
