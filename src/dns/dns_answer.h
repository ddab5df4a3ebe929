// Questions to the DNS and their answers with their DNSSEC standing, as values.
//
// The four standings are never collapsed: BOGUS and INDETERMINATE (timeout,
// SERVFAIL, a packet that does not parse) are not "no record". An answer of
// these two standings has presence NO_ANSWER and no records: code that forgets
// to look at the standing finds nothing to misuse, and must treat NO_ANSWER.
#pragma once
#include "base_arena.h"
#include "base_wire.h"
#include "dns_name.h"

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_TLSA = 52,
};
const char *dns_type_text(enum dns_type t); // "MX"; NULL for any other number

enum dns_standing { DNS_INDETERMINATE, DNS_BOGUS, DNS_INSECURE, DNS_SECURE, DNS_STANDINGS };
const char *dns_standing_text(enum dns_standing s); // as in `geleit explain --json`

// NODATA: the name is there, records of this type are not. DATA with count 0:
// records are there, but not one could be read: never "there is no record".
enum dns_presence { DNS_NO_ANSWER, DNS_NODATA, DNS_NXDOMAIN, DNS_DATA, DNS_PRESENCES };

struct dns_question {
    struct dns_name name;
    enum dns_type type;
};

struct dns_address { // A or AAAA
    bool v6;
    unsigned char at[16]; // 4 used for A, the others 0
};

struct dns_record {
    uint16_t preference;        // MX
    struct dns_name name;       // MX exchange (root: null MX), CNAME, NS, PTR
    struct dns_address address; // A, AAAA
    // TLSA (RFC 6698 §2.1). RDATA shorter than 4 bytes is `short_rdata`: it counts
    // as a record that is there and cannot be used (TRAPS: 0 to 3 bytes).
    uint8_t usage, selector, matching;
    bool short_rdata;
    struct span data; // TLSA association data; TXT: all strings of the record joined
};

struct dns_answer {
    enum dns_standing standing;
    enum dns_presence presence;
    uint32_t ttl;             // seconds the answer may be kept; NO_ANSWER: 0
    bool aliased;             // a CNAME was followed
    struct dns_name expanded; // where the chain ended; the question's name without one
    unsigned rcode;
    struct span why; // why bogus or indeterminate, for people; may be empty
    size_t count;
    struct dns_record *records; // of the question's type, in wire order
    bool unread;                // there are more of them: unreadable, or too many
};

enum {
    DNS_RECORDS_MAX = 256,       // more in one answer than anyone needs: the rest is left out
    DNS_ANSWER_ARENA = 256 << 10 // an arena with this ceiling has room for any answer
};

// What a validating resolver says of a question, before it is a dns_answer.
struct dns_verdict {
    bool secure, bogus, no_answer; // no_answer: timeout or failure without a packet
    unsigned rcode;
    uint32_t ttl;
    struct span why;
    struct span packet; // the answer as it came (RFC 1035), may be empty
};

// Reads the packet's answer section: follows the CNAME chain from the
// question's name (at most 16, in whatever order they stand), takes the records
// of its type. Records that do not parse are left out, but a TLSA of any length
// is kept; a packet that does not parse as a whole, or one whose chain is longer
// or loops, is INDETERMINATE. Rcodes other than 0 and NXDOMAIN are
// INDETERMINATE and their packet is not read. The TTL is the least of the chain
// and the records, the verdict's where there is none. An NXDOMAIN may come
// without a packet. Spans in *out live in `a`; if it is full: INDETERMINATE.
void dns_answer_read(struct dns_answer *out, const struct dns_question *q,
                     const struct dns_verdict *v, struct arena *a);

// Whether the packet's answer section has a record of this type (also of those that
// have no place in enum dns_type). False for a packet that does not parse.
bool dns_packet_holds(struct span packet, unsigned type);

// One byte form, for messages between processes. Unpacking checks everything
// again and copies into `a`; false for what is no answer, and if `a` is full.
void dns_answer_pack(struct buf *b, const struct dns_answer *answer);
bool dns_answer_unpack(struct rd *r, struct dns_answer *out, struct arena *a);
void dns_question_pack(struct buf *b, const struct dns_question *q);
bool dns_question_unpack(struct rd *r, struct dns_question *out);
void dns_name_pack(struct buf *b, const struct dns_name *n);
bool dns_name_unpack(struct rd *r, struct dns_name *out);
void dns_address_pack(struct buf *b, const struct dns_address *a);
bool dns_address_unpack(struct rd *r, struct dns_address *out);

bool dns_address_eq(const struct dns_address *a, const struct dns_address *b);
// "192.0.2.1", "2001:db8::1"
void dns_address_put(struct buf *b, const struct dns_address *a);
bool dns_address_parse(struct dns_address *out, struct span text);
// Whether it is an address of the Internet: globally reachable by the IANA registries of
// special-purpose addresses (RFC 6890), not loopback, private, link-local, multicast or the like.
// An IPv4 address within one of NAT64 (RFC 6052) or 6to4 decides for it; a mapped one never is.
bool dns_address_is_global(const struct dns_address *a);
