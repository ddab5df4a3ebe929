// The answer section of a DNS message (RFC 1035 §4), for this room only: rows
// with what they say left where it stands, and the reading of one record's data.
#pragma once
#include "dns_answer.h"

struct dns_row {
    struct dns_name owner; // valid if `named`
    bool named;            // false: the owner's bytes are no dns_name
    uint16_t type, class;
    uint32_t ttl;   // RFC 2181 §8: with the top bit set it is 0
    size_t at, len; // RDATA in the message
};

struct dns_rows {
    struct span message;
    size_t at;
    unsigned left; // rows not yet read
    bool bad;      // sticky: the message ended early
};

// Stands before the first answer; `bad` for what is no DNS message.
struct dns_rows dns_rows_begin(struct span message);
bool dns_rows_next(struct dns_rows *r, struct dns_row *out); // false: end, or bad

// The row's data as a record; false for what does not parse. Its spans are in
// `a`, except that `*full` says there was no room in it.
bool dns_record_read(struct dns_record *out, struct span message, const struct dns_row *row,
                     struct arena *a, bool *full);
