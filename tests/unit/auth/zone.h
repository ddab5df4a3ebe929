// An in-memory DNS for the tests of this room: answers a dns_question from a
// table written as text, one record a line:
//
//   example.org       TXT   v=spf1 -all              the rest of the line, as it is
//   example.org       TXT   "v=spf1 " "\200 -all"    strings of one record, joined; \DDD decimal
//   example.org       MX    10 mx.example.org
//   mx.example.org    A     192.0.2.1                AAAA, PTR, CNAME (followed), TLSA 3 1 1 HEX
//   slow.example.org  A     !timeout                 !servfail, !bogus: no answer of that standing
//   dead.example.org  *     !timeout                 for every type that has no line of its own
//   e.example.org     TXT   !empty                   records that are there and cannot be read
//   e.example.org     A     !nodata
//   *.w.example.org   A     192.0.2.2                names that are not in the table otherwise
//   $secure                                          standing of the lines below; also $insecure
//
// Blank lines and those that begin with '#' are nothing. What is not in the
// table is NXDOMAIN, or NODATA where the name, or one below it, is (RFC 8020),
// with the standing in force at the end of the table.
// A mistake in the text panics.
#pragma once
#include "auth_ask.h"

struct zone;
struct zone *zone_new(const char *text); // NULL: empty
void zone_free(struct zone **z);         // for CLEANUP(zone_free) struct zone *z
void zone_read(struct zone *z, struct span text);
// One line in pieces; `value` as above but never quoted or split. False for what
// no dns_name or record can hold (and then nothing was added).
bool zone_add(struct zone *z, struct span name, struct span type, struct span value);
// The answer, its spans in `a`; counts the question.
struct dns_answer zone_answer(struct zone *z, const struct dns_question *q, struct arena *a);
unsigned zone_questions(const struct zone *z); // asked so far
// The n-th question asked, "mx.example.org A"; NULL past the end. Valid as long as the zone.
const char *zone_question(const struct zone *z, unsigned n);

// Questions under way, handed back in an order that `seed` chooses, so that a
// test can see that the order of answers changes nothing. Seed 0: as asked.
enum { ZONE_PENDING_MAX = 256 };
struct zone_pending {
    struct auth_step at[ZONE_PENDING_MAX];
    size_t count;
    unsigned seed;
};
void zone_pending_add(struct zone_pending *p, const struct auth_step *step);
bool zone_pending_take(struct zone_pending *p, struct auth_step *out); // false: none
