// What all roles share: the loop, the channel to the master (descriptor 3), the
// configuration section, the channels to peers, questions and answers by
// ticket, start, reload, drain. A role is a table of handlers.
#pragma once
#include "conf.h"
#include "io_channel.h"
#include "proc_message.h"
#include "proc_peers.h"
#include "smtp_server.h"

struct proc;
struct proc_peer {
    struct proc *proc;
    enum proc_kind kind;
    unsigned index;
    struct io_channel *channel; // NULL: dead, its successor has not come yet
    void *data;                 // the role's own
    unsigned generation;        // rises with every new channel
};

struct proc_role {
    enum proc_kind kind;
    // Everything from the master is here (section, keys, listeners, peers): begin.
    // The descriptors of the listeners are the role's from now on.
    void (*start)(struct proc *p);
    // A new section, keys and listeners were taken (those of `p` are the new ones, all
    // at once; the old listeners are the role's to close). The old `conf` stays readable
    // for a day: sessions may go on with it. May be NULL.
    void (*reload)(struct proc *p);
    // Finish what is under way, then proc_drained().
    void (*drain)(struct proc *p);
    // A peer's channel is there (again) or died. May be NULL. `peer_up` is called for each
    // peer, right after start() too, before the questions that waited are sent.
    void (*peer_up)(struct proc_peer *peer);
    void (*peer_down)(struct proc_peer *peer);
    // A question, or a message that is no answer, from a peer. False: malformed;
    // the channel is closed. `m->fd` is the handler's if it sets it to -1.
    bool (*got)(struct proc_peer *peer, struct io_message *m);
    // Sets the gauges (base_meter.h) that are not kept up to date anyway. May be NULL.
    void (*measure)(struct proc *p);
};

struct proc_listener {
    int fd;       // bound
    uint8_t kind; // smtp_service; of web: proc_web_door
};

struct proc {
    const struct proc_role *role;
    unsigned index;
    struct io_loop *loop;
    struct conf *conf;
    struct span tls;     // as MSG_KEYS has it; the place of key handles
    struct span signers; // DKIM keys as MSG_SIGNERS has them; the place of key handles
    struct span aliases; // MSG_ALIASES
    int aliases_fd;      // -1: none
    struct proc_listener *listeners;
    size_t listener_count;
    unsigned listeners_generation; // rises when they came anew
    struct proc_peer **peers;
    size_t peer_count;
    void *data; // the role's own
    bool draining;
};

// Runs a role until the master is gone or it has drained; the process's exit status.
int proc_role_run(const struct proc_role *role, unsigned index);
// What is queued for peers still leaves; the master ends the process.
void proc_drained(struct proc *p);
// The role cannot do its work, and has said why on the log. While the server starts
// the master gives up with exit status 2; later it starts the role again, with pauses.
void proc_fail(struct proc *p);

struct proc_peer *proc_peer(struct proc *p, enum proc_kind kind, unsigned index); // NULL: none
void proc_send(struct proc_peer *peer, enum proc_message kind, uint32_t ticket, struct span payload,
               int fd); // to a dead peer: dropped

// Asks; `answered` is called exactly once, later: with the answer, or with NULL
// when the peer died or `timeout_us` passed first ("no answer" is never "no").
// It returns false for a malformed answer. Cancelling by proc_forget: no call.
// Without a live peer the question waits for its successor until the time-out.
typedef bool (*proc_answered)(void *arg, struct io_message *answer);
uint32_t proc_ask(struct proc *p, enum proc_kind kind, unsigned index, enum proc_message question,
                  struct span payload, int64_t timeout_us, proc_answered answered, void *arg);
// The same with a descriptor (or -1), which is duplicated.
uint32_t proc_ask_with(struct proc *p, enum proc_kind kind, unsigned index,
                       enum proc_message question, struct span payload, int fd, int64_t timeout_us,
                       proc_answered answered, void *arg);
void proc_forget(struct proc *p, uint32_t ticket);

extern const struct proc_role proc_reporter, proc_receiver, proc_store, proc_queue, proc_sender,
    proc_resolver, proc_fetcher, proc_control, proc_authenticator, proc_web;
