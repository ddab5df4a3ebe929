// What the parts of the receiver role share: the segments it writes to, and the
// way a finished message becomes durable.
#pragma once
#include "base_meter.h"
#include "proc_outbound.h"
#include "proc_role.h"
#include "io_stream.h"
#include "proc_segments.h"
#include "smtp_server.h"
#include "store_segment.h"

struct receiver;

// A message under way: in memory up to STORE_BUFFER_MAX, then in a file of its
// own. Errors are kept and told at the end: the client is answered once.
struct receiver_body {
    struct receiver *receiver;
    struct buf memory;
    bool own_file, waiting; // waiting: for a file of its own
    uint32_t segment;
    int fd;
    struct store_writer writer;
    struct rc failed;
    void (*ready)(void *arg); // called when waiting is over
    void *arg;
    struct receiver_body *next_waiting;
};
void receiver_body_start(struct receiver_body *b, struct receiver *r, void (*ready)(void *),
                         void *arg);
// False: a file was asked for; hold input back until `ready`.
bool receiver_body_add(struct receiver_body *b, struct span piece);
void receiver_body_forget(struct receiver_body *b); // aborted or committed
// Puts the body where it stays. FAILED as kept, UNAVAILABLE without a segment.
struct rc receiver_body_end(struct receiver_body *b, struct store_range *out);

// Commits `e` (its body is in place) with the bounces it replaces. `done` is
// called once, later, with OK when it is durable, and the id it has in the queue.
typedef void (*receiver_committed)(void *arg, struct rc rc, uint64_t id);
uint32_t receiver_commit(struct receiver *r, const struct store_envelope *e,
                         const uint64_t *replaces, size_t count, receiver_committed done,
                         void *arg);
void receiver_segments_renew(struct receiver *r);
bool receiver_can_store(const struct receiver *r); // a segment is at hand
// Of a message, out of those that the store gave with the segment: the one id of it, in
// Received, the 250, the log, the queue and the history. 0: none is left.
uint64_t receiver_new_id(struct receiver *r);
void receiver_id_text(char text[static 17], uint64_t id);

struct receiver_door { // where clients come in
    struct receiver *receiver;
    struct io_listener *listener;
    enum smtp_service service;
    int fd; // until it is open
};

struct receiver {
    struct proc *proc;
    struct receiver_rules *rules; // NULL: nothing is evaluated
    struct receiver_keys *keys;   // NULL: nothing is signed
    struct smtp_server_conf smtp;
    uint8_t mechanisms;     // bits of sasl_mechanism that the authenticator can serve now
    uint64_t last_exchange; // of logins
    struct outbound out;
    struct plans *plans; // for REQUIRETLS of users; NULL: nobody has wanted it yet
    struct io_tls_server *tls;
    struct tls_rules *tls_rules;
    struct networks *networks;
    struct aliases *aliases;
    struct guard *guard;
    struct receiver_door *doors;
    size_t door_count, session_count;
    size_t session_max, session_peak; // peak: since memory was last given back
    struct session *sessions;
    struct proc_segments *segments; // of others' messages, for bounces
    struct {
        uint32_t id;
        int fd; // -1: none
        uint64_t end;
        bool asked;
        uint64_t next_id, last_id; // for messages; none where next is not below last
    } current, spare;              // spare: an empty file for the next large message
    struct receiver_body *waiting;
    struct bounce *bounces;
    struct io_timer retry;
    unsigned reports;   // of ours that are being committed
    bool unsigned_said; // that TLS reports leave without a signature
};

// proc_receiver_session.c
void receiver_accept(void *door, int fd, const struct io_endpoint *peer);
void receiver_drain_sessions(struct receiver *r);
void receiver_limit_sessions(struct receiver *r); // by configuration and open files
// proc_receiver_foresee.c
void receiver_foresight_renew(struct receiver *r); // at a reload
// proc_receiver_tls.c
void receiver_tls_configure(struct receiver *r);
// proc_receiver_bounce.c
bool receiver_bounce(struct receiver *r, struct io_message *m);
void receiver_bounces_busy(struct receiver *r, struct buf *b);
// proc_receiver_report.c
bool receiver_report(struct receiver *r, struct proc_peer *peer, struct io_message *m);
// proc_receiver.c
void receiver_open_doors(struct receiver *r); // the store has answered: listen, if not yet
void receiver_idle(struct receiver *r);       // a session or bounce ended: drained now?
