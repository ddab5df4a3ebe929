// Who is told what of an attempt (RFC 3461 §5.2): one table over its outcome, what the
// sender asked for, and how long the message has waited. Pure.
#pragma once
#include "base_time.h"
#include "store_queue.h"

struct notice_case {
    enum store_result result; // DELIVERED, DEFERRED or FAILED; FAILED is for good
    enum store_hop hop;       // of DELIVERED
    uint8_t notify;           // STORE_NOTIFY bits; 0: not given
    bool null_path;           // nobody is there to be told (RFC 5321 §4.5.5)
    bool told;                // of the delay
    int64_t age_us, warn_us;  // of the message; when delay is worth telling, 0: never
    // Of the message itself, where its path is null.
    bool ours, eight_bit, requiretls;
    struct span status;
};
enum store_notice notice_due(const struct notice_case *c);
