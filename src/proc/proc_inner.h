// Inside the common part of a role: what its files share.
#pragma once
#include "proc_role.h"

// A question and where it stands. Its ticket is generation and place, so that an
// answer that comes after its time-out meets nobody else's question.
struct proc_question {
    struct proc *proc;
    uint32_t ticket;
    enum proc_kind kind;
    unsigned index;
    uint16_t message;
    bool sent;
    struct buf payload; // while it waits for a successor
    int fd;             // goes with it, or -1
    struct io_timer timer;
    proc_answered answered;
    void *arg;
};

enum { PROC_QUESTIONS_MAX = 1 << 20, PROC_EXIT_CONFIG = 2, PROC_CONTROL_FD = 3 };

struct proc_questions {
    struct proc_question **at; // NULL: free
    uint32_t *generation;
    uint32_t *free; // stack of free places
    size_t count, free_count;
};

// What the master sent and START has not yet put into force.
struct proc_coming {
    struct conf *conf;
    struct buf tls, signers, aliases;
    int aliases_fd;
    bool keys, signs, aliased;
    struct proc_listener *listeners;
    size_t listener_count;
    bool reset; // the listeners replace those that are there
};

struct proc_inner {
    struct proc proc; // first: a proc is found again by its address
    struct io_channel *master;
    struct proc_questions questions;
    struct proc_coming coming;
    struct buf tls, signers, aliases;
    bool aliased;
    struct proc_retired *retired;
    bool started;
    struct wall began; // tells this process from one before it
    int status;
};

static inline struct proc_inner *proc_inner(struct proc *p)
{
    return CONTAINER(p, struct proc_inner, proc);
}

// proc_ask.c
void proc_questions_free(struct proc *p);
bool proc_answer_got(struct proc_peer *peer, struct io_message *m);
void proc_questions_up(struct proc_peer *peer);   // sends what waited
void proc_questions_down(struct proc_peer *peer); // what was sent gets no answer

// proc_peer.c

void proc_peer_give(struct proc *p, enum proc_kind kind, unsigned index, int fd);
void proc_peers_open(struct proc *p); // channels for all that were given before START
void proc_peers_up(struct proc *p);   // tells the role of each
void proc_peers_free(struct proc *p);

// proc_meters.c
bool proc_meters_answer(struct proc_peer *peer, const struct io_message *m);
void proc_meters_put(struct proc *p, struct buf *b); // what MSG_METERS_ARE says

// proc_coming.c
bool proc_coming_got(struct proc *p, struct io_message *m); // SECTION, KEYS, LISTEN, LISTEN_RESET
void proc_coming_take(struct proc *p);                      // at START
void proc_coming_free(struct proc *p);
