// Private to the store role: its state, and what it keeps beside the store
// itself: the group under way (proc_store_group.c, filled by proc_store_take.c)
// and who was given which segment (proc_store_held.c).
#pragma once
#include "proc_role.h"
#include "proc_taken.h"
#include "queue_schedule.h"
#include "store_policy.h"

// A segment as this process gave it out.
struct held {
    uint32_t id;
    struct proc_peer *writer; // NULL: nobody writes to it any more
    bool own_file;            // for one large message
    struct proc_peer **readers;
    size_t reader_count;
};

// Who is to hear how the group ended.
struct reply {
    struct proc_peer *peer; // NULL: died meanwhile
    enum proc_message kind;
    uint32_t ticket;
    struct rc own; // failed by itself, whatever becomes of the group
    uint64_t id;   // COMMITTED; QUEUE_CHANGED: how many
};

struct store_role {
    struct proc *proc;
    struct store *store; // NULL: cannot be opened (now); it is tried again
    struct store_history *history;
    struct store_policy *policy;
    struct queue_retry retry;
    int64_t delay_warning_us; // 0: never
    struct io_timer reopen, trim;
    char said[512];                // the last sentence about a store that cannot be opened
    struct rc last;                // how the last group ended, so that a trouble is said once
    bool history_fails;            // said already
    int64_t full_day[REPORT_WAYS]; // said of that day: no more of that way is taken in

    struct damaged *damaged; // NULL: never any
    size_t damaged_count;
    struct held *held; // by id
    size_t held_count, held_cap;

    bool scheduled;
    struct reply *replies;
    size_t reply_count, reply_cap;
    struct buf fresh;                 // DUE payloads, if the group succeeds
    struct buf touched;               // u64 message, span domain: what is due next is to be asked
    struct buf attempts, evaluations; // for the history
    uint32_t *seals;                  // files whose only message is in the group
    size_t seal_count, seal_cap;
    struct {
        bool waiting;
        uint32_t ticket, limit;
        struct wall until;
    } fill;
};

// proc_store_held.c
struct held *proc_held_find(struct store_role *r, uint32_t id);
struct held *proc_held_add(struct store_role *r, uint32_t id);
bool proc_held_read(struct held *h, struct proc_peer *peer); // false: has it already
void proc_held_gone(void *role, uint32_t id);                // tells the readers
void proc_held_peer_died(struct store_role *r, struct proc_peer *peer);

// proc_store_damaged.c
// True: it could not be read, and is not to be tried again yet; the queue was told when.
bool proc_damaged_waits(struct store_role *r, uint64_t message, struct span domain);
// How loading it went: what failed, and not for want of something else, waits from now on.
void proc_damaged_saw(struct store_role *r, uint64_t message, struct span domain, struct rc rc);
void proc_damaged_forget(struct store_role *r); // somebody mended something, perhaps

// proc_store_group.c
void proc_group_schedule(struct store_role *r);
void proc_group_flush(struct store_role *r);
void proc_group_reply(struct store_role *r, struct reply reply);
void proc_group_fresh(struct store_role *r, const struct store_envelope *e);
void proc_group_touched(struct store_role *r, uint64_t message, struct span domain);
void proc_group_seal(struct store_role *r, uint32_t segment);
void proc_group_bound(struct store_role *r); // flushes a group that is large enough
void proc_due_tell(struct store_role *r, const struct store_due *d); // the queue
void proc_group_peer_died(struct store_role *r, const struct proc_peer *peer);

// proc_store_take.c
const char *proc_id_text(uint64_t id); // valid until the next call
bool proc_group_commit(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_group_outcome(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_group_interrupted(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_group_evaluation(struct store_role *r, struct proc_peer *peer, struct io_message *m);

// proc_store_report.c
// What ends most of them: u8 rc, bool.
void proc_report_reply(struct proc_peer *peer, enum proc_message kind, uint32_t ticket,
                       struct rc rc, bool fresh);
bool proc_report_subjects(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_tallies(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_sent_list(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_sent(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_list(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_week(struct store_role *r, struct proc_peer *peer, struct io_message *m);

// proc_store_taken.c
bool proc_report_take(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_get(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_report_aside(struct store_role *r, struct proc_peer *peer, struct io_message *m);

// proc_store_people.c
bool proc_people_list(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_people_show(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_people_change(struct store_role *r, struct proc_peer *peer, struct io_message *m);
bool proc_people_policies(struct store_role *r, struct proc_peer *peer, struct io_message *m);
