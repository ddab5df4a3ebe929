// Private to the room: the folder of segments, who refers to them, and when
// one goes. Counts follow the transaction: what is claimed or released counts
// only after store_body_settle(committed), and is forgotten otherwise.
#pragma once
#include "store_segment.h"

enum { STORE_PUNCH_AFTER = 4 << 20 }; // dead bytes in a sealed segment worth punching out

struct store_body_segment {
    uint32_t id;
    int fd; // -1: none held, it is sealed
    bool sealed;
    bool touched, claimed; // in this transaction; claimed: to be synced
    uint64_t end;          // behind the last record that a message refers or referred to
    uint64_t dead;         // bytes freed since holes were punched last
    uint64_t refs;         // messages that lie in it
    int64_t gathered_refs;
    uint64_t gathered_dead;
};

struct store_body {
    int folder;
    bool folder_dirty; // a file was made since the folder was synced
    bool punch;        // a sealed segment has enough dead bytes
    uint32_t next;     // id of the next segment: never used twice
    size_t count, cap;
    struct store_body_segment **at; // by id
    size_t touched_count, touched_cap;
    struct store_body_segment **touched; // in this transaction
    void (*gone)(void *arg, uint32_t segment);
    void *arg;
};

struct rc store_body_open(struct store_body *b, int parent); // the folder "body" in `parent`
void store_body_close(struct store_body *b);

// While opening: a message refers to the segment; then everything else goes.
struct store_body_segment *store_body_learn(struct store_body *b, uint32_t id);
struct rc store_body_sweep(struct store_body *b);

struct store_body_segment *store_body_find(const struct store_body *b, uint32_t id); // NULL: none
struct rc store_body_new(struct store_body *b, uint32_t *id, int *fd);
void store_body_seal(struct store_body *b, uint32_t id);
struct rc store_body_reopen(struct store_body *b, uint32_t id, int flags, int *fd);

// May a message lie there? NOT_FOUND: no such segment, or it takes no more;
// CORRUPT: no such record in it.
struct rc store_body_check(struct store_body *b, const struct store_range *r);
void store_body_claim(struct store_body *b, const struct store_range *r);
void store_body_release(struct store_body *b, uint32_t id, uint64_t length);
struct rc store_body_sync(struct store_body *b); // what this transaction claimed
void store_body_settle(struct store_body *b, bool committed);

// Gives the room between two offsets back to the system; failing is no harm.
void store_body_punch(int fd, uint64_t from, uint64_t to);
