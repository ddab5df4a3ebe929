// What the sender counts of its sessions and outcomes.
#pragma once
#include "store_queue.h"
#include "trust_record.h"

void sender_count_session(bool usable); // with another server: a transaction may follow
// After a handshake: `ok` if it was all that was asked.
void sender_count_tls(const struct trust_session *s, bool ok);
void sender_count_delivered(const struct trust_session *s, bool lmtp); // a recipient
void sender_count_outcome(const struct store_outcome *o);              // of a recipient
// An attempt: the worst of its recipients' results, and how long it took.
void sender_count_attempt(enum store_result worst, int64_t took_us);
