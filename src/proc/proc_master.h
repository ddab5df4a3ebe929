// Inside the master: its instances of roles, and what happens to one.
#pragma once
#include "io_channel.h"
#include "proc_message.h"
#include "proc_setup.h"

#include <sys/types.h>

struct proc_master;
struct proc_instance {
    struct proc_master *master;
    enum proc_kind kind;
    unsigned index;
    pid_t pid;                  // 0: no process
    struct io_channel *channel; // NULL: none
    bool ready, drained;
    bool asked;            // whether it is alive
    unsigned missed;       // rounds of the watch since then
    struct mono since;     // when the process was started
    unsigned quick;        // deaths soon after the start, in a row
    struct io_timer again; // after the pause
    struct io_timer grace; // between a closed channel and the death
};

struct proc_master_tls {                                  // proc_master_tls.c
    struct io_tls_ticket_key tickets[IO_TLS_TICKET_KEYS]; // that of new tickets first
    size_t ticket_count;
    struct mono rotated, told; // told: of dates
    uint64_t seen;             // stamp of the files at the last look
};

struct proc_master {
    const struct proc_master_conf *mc;
    struct proc_setup *setup;
    struct io_loop *loop;
    struct proc_instance *instances;
    size_t count;
    bool serving; // every role was ready once
    bool draining;
    size_t stage;      // of the drain
    struct mono since; // when it began
    struct io_timer limit;
    struct io_timer look; // at the folder of keys
    struct io_timer watch;
    struct proc_master_tls tls;
    int status;
};

// proc_instance.c
void proc_instance_spawn(struct proc_instance *i);     // process, settings; no peers, no START
void proc_instance_link(struct proc_instance *i);      // channels to and from every live peer
void proc_instance_configure(struct proc_instance *i); // SECTION, KEYS, LISTEN
void proc_instance_send_keys(struct proc_instance *i); // KEYS alone
void proc_instance_send(struct proc_instance *i, enum proc_message kind, struct span payload,
                        int fd);
void proc_instance_died(struct proc_instance *i, int wait_status);

// proc_master_keys.c
// Keys come into force and go out of it without a signal: the folder is looked at
// every few seconds.
void proc_master_keys_watch(struct proc_master *m);

// proc_master_tls.c
void proc_master_tls_begin(struct proc_master *m); // before receivers are configured
// Every few seconds; true: they are to be given what is new.
bool proc_master_tls_look(struct proc_master *m);
void proc_master_tls_tell(struct proc_master *m); // of dates, to the log
struct span proc_master_tickets(const struct proc_master *m);

// proc_master_watch.c
// A role that hangs is none that died: each is asked whether its loop goes round,
// and killed when it has not answered for roles.patience.
void proc_master_watch(struct proc_master *m);
void proc_master_watch_answered(struct proc_instance *i);

// proc_drain.c
void proc_drain_begin(struct proc_master *m, int status);
void proc_drain_advance(struct proc_master *m); // after a death

// proc_master.c
void proc_master_ready(struct proc_master *m); // one more role is
// Makes the instances of these roles, of each as many as the setup says, and starts
// them: who answers comes before who asks.
void proc_master_start(struct proc_master *m, const enum proc_kind *kinds, size_t count);
void proc_master_reap(void *master); // at SIGCHLD
