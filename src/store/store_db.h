// Private to the room: the queue's database, its statements, and the ids.
//
// A recipient's id is its message's id and its place in it, so that the
// recipients of a message are one range of the table and need no index. Ids
// are never used twice: a block of them is reserved in the database ahead.
#pragma once
#include "store_body.h"
#include "store_queue.h"
#include "store_sql.h"

enum {
    STORE_RECIPIENT_BITS = 20,
    // The other half is for notices of delay, each at its recipient's place.
    STORE_RECIPIENTS_MAX = 1 << (STORE_RECIPIENT_BITS - 1),
    STORE_RESERVE = 4096, // messages, or segments
};

enum store_flag {
    FLAG_EIGHT_BIT = 1,
    FLAG_REQUIRETLS = 2,
    FLAG_TLS_REQUIRED_NO = 4,
    FLAG_SMTPUTF8 = 8,
    FLAG_TLS = 16,
    FLAG_REPORT = 32,
};

enum store_statement {
    SQL_COUNTER_GET,
    SQL_COUNTER_SET,
    SQL_LAST_MESSAGE,
    SQL_REFS,
    SQL_RANGES,
    SQL_BEFORE,
    SQL_PUT_MESSAGE,
    SQL_PUT_RECIPIENT,
    SQL_HAS_RECIPIENT,
    SQL_GET_RANGE,
    SQL_DROP_MESSAGE,
    SQL_DROP_RECIPIENT,
    SQL_MARK,
    SQL_OWE,
    SQL_TOLD,
    SQL_LOAD_MESSAGE,
    SQL_LOAD_PENDING,
    SQL_LOAD_OWED,
    SQL_DUE,
    SQL_FIND,
    SQL_NEXT_PENDING,
    SQL_NEXT_OWED,
    SQL_OLDEST,
    SQL_LIST,
    SQL_SHOW,
    SQL_TALLY,
    SQL_DOMAINS,
    SQL_RETRY,
    SQL_PULL_IN,
    SQL_HOLD,
    SQL_RELEASE,
    SQL_DROP_ALL,
    SQL_STATEMENTS
};
extern const struct store_schema store_queue_schema;

enum { COUNTER_MESSAGE = 1, COUNTER_SEGMENT = 2 };

struct store {
    struct store_sql sql;
    struct store_body body;
    int folder, lock;
    uint64_t next_message, reserved_message, reserved_segment;
    uint64_t count;         // messages, as committed
    int64_t gathered_count; // and what this transaction adds
    size_t gathered;
    size_t damaged;
    struct rc failed; // the first failure since the last sync
};

// The first recipient id of a message; those of the next one follow.
static inline int64_t store_first(uint64_t message)
{
    return (int64_t)(message << STORE_RECIPIENT_BITS);
}
// What the parts of the queue share.
struct rc store_undo(struct store *s, struct rc rc); // a failure takes the group with it
struct rc store_drop_message(struct store *s, uint64_t message);
struct rc store_read_message(struct store *s, uint64_t id, struct arena *a,
                             struct store_envelope *out);
bool store_read_recipient(struct store_row *r, struct arena *a, struct store_recipient *out);
// Gives back the room between the records of sealed segments that are worth it.
void store_punch(struct store *s, uint64_t least);
