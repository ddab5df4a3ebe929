// A domain name as a value that cannot hold nonsense: lower case, A-labels
// (RFC 5890), printable ASCII, 1 to 63 bytes a label, at most 253 in all, no
// dot at the end. The empty text is the root. Whoever has a dns_name has
// checked it.
#pragma once
#include "base_span.h"

struct dns_name {
    uint8_t len;
    char text[254]; // NUL-terminated
};

static inline struct span dns_name_span(const struct dns_name *n)
{
    return (struct span){n->text, n->len};
}

// From text: U-labels become A-labels (IDNA 2008, non-transitional), one dot
// at the end is taken off. False for anything that is no name, the empty text
// included; "." is the root.
bool dns_name_parse(struct dns_name *out, struct span text);
// The same, but each label must be letters, digits and hyphens (RFC 5321
// §2.3.5), with no hyphen at its ends: for names of hosts and of mail domains.
// The root is none.
bool dns_name_parse_host(struct dns_name *out, struct span text);
// From the wire form at `*offset` of a whole DNS message, following compression
// (RFC 1035 §4.1.4; pointers lead backwards only). *offset moves behind the
// name; on false nothing is changed. False also for labels with other bytes
// than printable ASCII, or with a dot inside.
bool dns_name_from_wire(struct dns_name *out, struct span message, size_t *offset);
// Moves *offset behind a name whatever its bytes are; false if it does not end.
bool dns_name_skip_wire(struct span message, size_t *offset);

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
bool dns_name_is_root(const struct dns_name *n);
bool dns_name_is_host(const struct dns_name *n); // as dns_name_parse_host has it
// "_25._tcp." and the like before a name (the dot at its end may be left out);
// false if it grows too long. `out` may be `n`, here and below.
bool dns_name_prepend(struct dns_name *out, struct span labels, const struct dns_name *n);
// Without the leftmost label; the root has none.
bool dns_name_parent(struct dns_name *out, const struct dns_name *n);
// An A-label name for people: U-labels where they convert. Borrows `room`.
struct span dns_name_shown(const struct dns_name *n, char room[static 512]);
