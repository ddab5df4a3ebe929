// The mail queue: queue.db (SQLite, WAL, synchronous=FULL) and the segments.
// Blocking; only the store role calls it.
//
// Changes gather in one transaction; store_sync() makes all of them durable at
// once: it syncs every segment a gathered message lies in, then commits. What
// was put is *accepted* only after store_sync() returned OK: then, and not
// before, a 250 may go out. After a failure everything gathered is undone: one
// that a put or an outcome meets fails the rest of its group and its sync with it.
// Reads see what is gathered, too: who must not, reads after a sync.
#pragma once
#include "base_arena.h"
#include "base_time.h"
#include "store_segment.h"

enum { // RFC 3461 §4.1
    STORE_NOTIFY_NEVER = 1,
    STORE_NOTIFY_SUCCESS = 2,
    STORE_NOTIFY_FAILURE = 4,
    STORE_NOTIFY_DELAY = 8,
};
enum store_state {
    STATE_PENDING,
    STATE_OWED, // done with: a notice is owed, and the row goes with it
    STATE_HELD, // by the operator, or a rule of his: not due until it is released
    STORE_STATES
};
// What a notice says of a recipient (RFC 3464 §2.3.3).
enum store_notice {
    STORE_NOTICE_NONE,
    STORE_NOTICE_FAILED,
    STORE_NOTICE_DELAYED,
    STORE_NOTICE_DELIVERED,
    STORE_NOTICE_RELAYED,
    STORE_NOTICE_EXPANDED,
    STORE_NOTICE_REDACTED, // none: the message itself is to go again, its content left out
    STORE_NOTICES
};
struct store_recipient {
    uint64_t id;             // by the store
    enum store_state state;  // as store_show tells it
    struct span address;     // local@domain
    struct span domain;      // A-labels, lower case; what deliveries are grouped by
    struct span return_path; // instead of the message's sender (SRS of what an alias sends on, or
                             // its owner); empty: the sender. A delivery takes those of one path
    struct span orcpt;       // DSN, may be empty
    uint8_t notify;          // STORE_NOTIFY bits; 0: default (tell of failure, and of delay)
    // Of an owed row; in store_put: the recipient is not delivered to, only told of.
    enum store_notice notice;
    unsigned attempts;
    struct wall due;
    struct wall tried; // the last attempt; 0: none
    // of the last attempt, for DSN and people; empty at first
    struct span status, reason, remote, diagnostic;
};

struct store_envelope {
    uint64_t id; // 0: by the store; else one that store_reserve() gave, kept
    struct wall received;
    struct span sender; // empty: null path
    struct span client; // "192.0.2.1", for people
    bool eight_bit, requiretls, tls_required_no;
    bool smtputf8; // UTF-8 in its header fields, as its client said there would be; that of
                   // addresses shows in them, and concerns those alone
    bool authenticated_tls; // came in over TLS
    bool report; // of ours: is not counted in reports, and given up quietly after a day
    struct span envid;      // DSN
    uint8_t ret;            // DSN: 0 default, 1 full, 2 headers
    struct span head;       // fields we add in front of the body, with CRLF
    struct store_range body;
    struct span wrapped_key; // of an encrypted body; empty: none
    size_t count;
    struct store_recipient *recipients;
    // Why it is to be held from the start; empty: it is not. For store_put only.
    struct span hold;
};

struct store;
// Opens or makes the store below `path` (its last folder with mode 0700), locks
// it against a second opener, checks its version, removes segments that no
// message refers to. *why: one sentence on failure, valid until the next one.
struct rc store_open(struct store **out, const char *path, const char **why);
void store_close(struct store *s);
// Segments that messages refer to and that are missing or cut short.
size_t store_damaged(const struct store *s);
// `gone` is called when a segment was removed: inside seal and sync.
void store_watch(struct store *s, void (*gone)(void *arg, uint32_t segment), void *arg);

// Ids are never used twice. The descriptor is for reading and writing, close-on-exec.
struct rc store_segment_new(struct store *s, uint32_t *id, int *fd); // caller owns fd
// No more will be appended or put; it goes when its last message goes. Until
// then the room of its removed messages is given back now and then.
void store_segment_seal(struct store *s, uint32_t id);
struct rc store_segment_open(struct store *s, uint32_t id, int *fd); // read only

// Ids for messages to come, as many as asked: the first of them. Never given twice,
// as long as who has them uses them with this opening of the store.
uint64_t store_reserve(struct store *s, uint32_t count);
// Gathers a message; sets ids that are 0. `replaces`: owed recipients (of other messages)
// that this message reports: they go in the same transaction.
// Refused, with nothing gathered and the group unharmed: NOT_FOUND: the segment
// takes no messages, or one of `replaces` is not owed (any more); CORRUPT: the
// range is no record of its own in it; MALFORMED: no recipient, one without
// address or domain, an id that was not given or is in the queue already; TOO_LARGE: too many.
struct rc store_put(struct store *s, struct store_envelope *e, const uint64_t *replaces,
                    size_t replaces_count);

enum store_result {
    STORE_DELIVERED, // the row goes; with a notice it is kept until a message replaces it
    STORE_DEFERRED,  // again at `due`; a notice (once: `told`) is owed by a row of its own
    STORE_FAILED,    // a notice is owed: kept until a message replaces it
    STORE_DROPPED,   // failed, and nobody is to be told (null sender): the row goes
    STORE_RESULTS
};
// DELIVERED: to whom, which says whether a report is due where NOTIFY has SUCCESS.
enum store_hop {
    STORE_HOP_PLAIN,   // a server without DSN: "relayed" is ours to tell (RFC 3461 §5.2.2)
    STORE_HOP_DSN,     // one that offers it: reports are its own to make (§5.2.1)
    STORE_HOP_MAILBOX, // the mailbox: "delivered" is ours to tell (§5.2.3)
    STORE_HOPS
};
struct store_outcome {
    uint64_t recipient;
    enum store_result result;
    enum store_hop hop;
    enum store_notice notice; // STORE_FAILED without one: STORE_NOTICE_FAILED
    struct wall due, now;     // next attempt; time of this one
    struct span status, reason, remote, diagnostic;
};
// Idempotent: an outcome for a recipient that is not pending (any more) is ignored.
struct rc store_outcome(struct store *s, const struct store_outcome *o);
struct rc store_sync(struct store *s);
size_t store_gathered(const struct store *s); // changes since the last sync

// The message with those of its recipients that are pending in `domain` and due
// at `now`, or with its owed ones if `domain` is empty: at most STORE_LOAD_MAX
// of them, soonest due first, and all of one return path (owed: and of one kind of
// notice): the others are left and come up again (store_next). NOT_FOUND: none (any more, or not
// yet: store_next() tells). FULL: the arena's ceiling.
enum { STORE_LOAD_MAX = 1000, STORE_DUE_MAX = 1 << 20 };
struct rc store_load(struct store *s, uint64_t id, struct span domain, struct wall now,
                     struct arena *a, struct store_envelope *out);

// For a message as store_load() gave it: its MAIL FROM, and who hears of failures.
struct span store_return_path(const struct store_envelope *e);

// What is due, oldest first, one row for each (message, domain) pair; owed
// notices have an empty domain and are always due (`due` is 0). At most `limit`
// rows: fewer than that means that there is no more before `until`.
struct store_due {
    uint64_t message;
    struct span domain; // borrowed during the call
    struct wall due;
    uint64_t size;
    bool bounce;
};
// `each` may not call the store.
struct rc store_due(struct store *s, struct wall until, size_t limit,
                    void (*each)(void *arg, const struct store_due *d), void *arg);
// Pending recipients due later than `latest` are due `now`: the clock was set back
// since their time was chosen. Gathers; *count: how many.
struct rc store_pull_in(struct store *s, struct wall latest, struct wall now, uint64_t *count);
// What is left of the pair (message, domain): its next due. NOT_FOUND: nothing.
struct rc store_next(struct store *s, uint64_t message, struct span domain, struct store_due *out);
// What deciding about a recipient's outcome needs. NOT_FOUND: gone.
struct store_facts {
    uint64_t message, size;
    struct wall received;
    bool null_sender, owed;
    bool report; // of ours, about others
    bool told; // of a delay
    bool ours; // a notice: nobody sent it to us
    bool eight_bit, requiretls;
    unsigned attempts;
    uint8_t notify;
};
struct rc store_find(struct store *s, uint64_t recipient, struct store_facts *out);
uint64_t store_recipient_message(uint64_t recipient); // whose recipient the id is
uint64_t store_count(struct store *s);                // messages in the queue
// When the oldest of them came, by the order of their ids; 0: there is none.
struct rc store_oldest(struct store *s, struct wall *received);

// ---- for people ----
// Ids of messages behind `after`, in their order, at most `limit`. `each` may not
// call the store.
struct rc store_list(struct store *s, uint64_t after, size_t limit,
                     void (*each)(void *arg, uint64_t id), void *arg);
// A message with its recipients in whatever state, at most STORE_LOAD_MAX of them;
// `tally` counts them all. NOT_FOUND: no such message.
struct store_tally {
    uint64_t count[STORE_STATES];
    uint64_t delays; // of those owed: notices of delay, whose recipients count besides
    struct wall due; // the next of the pending ones; WALL_NEVER: none
};
struct rc store_show(struct store *s, uint64_t id, struct arena *a, struct store_envelope *out,
                     struct store_tally *tally);

enum store_change {
    STORE_RETRY,   // what is pending is due now
    STORE_HOLD,    // what is pending is held
    STORE_RELEASE, // what was held is due now
    STORE_DELETE,  // the message is no more, and nobody is told
    STORE_CHANGES
};
// Gathered like a put. *count: recipients it was done to (0: nothing was to do).
// NOT_FOUND: no such message. A delivery that is under way meanwhile counts: who
// was held and has got the message does not get it again.
struct rc store_change(struct store *s, uint64_t id, enum store_change change, struct wall now,
                       uint64_t *count);
// The domains in which something is pending, to tell a scheduler of.
struct rc store_domains(struct store *s, uint64_t id, void (*each)(void *arg, struct span domain),
                        void *arg);
