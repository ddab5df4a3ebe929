// A user of the store who says in shared memory what it was told, and who looks
// afterwards whether that is so. For a child that dies and its parent.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_queue.h"

#include <sys/types.h>

enum { KEYS = 60000 };

// What the child knows of message `key`. A bounce has the next key.
enum state {
    NEVER,
    PUTTING, // in the group under way
    THERE,
    REFUSED, // its sync failed
    LEAVING, // its outcome is in the group under way
    GONE,
    FAILING, // the same for a failure
    OWED,
    REPLACING, // its bounce is in the group under way
    DELAYING,  // it waits, and the group under way makes a notice of that owed
    BOTH,      // so it is
    TELLING,   // the notice is in the group under way
    TOLD,      // it waits, and is not told of again
};

extern struct shared {
    uint32_t next; // key
    uint8_t state[KEYS];
    uint64_t recipient[KEYS];
    long operations;
    bool wrong;
} * shared;
extern char path[80]; // of the store

int setup(void **state);
int teardown(void **state);
void store_remove(void);
void wait_for(pid_t child);

struct user {
    struct store *store;
    uint32_t segment;
    int fd;
    uint64_t end;
    bool trouble; // something failed
};

bool user_begin(struct user *u);
// A few puts, then outcomes of both kinds and a bounce: each in a group.
void turn(struct user *u, unsigned random);
// Opens the store, looks at every byte of it and compares. `undone`: what was
// refused must not be there.
void check(bool undone);
