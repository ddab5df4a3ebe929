// Outbound connections of a role, each for one *user* at a time: a slot at the
// host, the socket, TLS, the client machine. The sender's users are deliveries,
// which go on to a transaction; control's are probes, which stop after EHLO.
#pragma once
#include "crypto_digest.h"
#include "io_stream.h"
#include "proc_outbound.h"
#include "smtp_client.h"
#include "trust_record.h"

struct link;
struct link_wish {
    const struct trust_host *host;
    const struct dns_address *address;
    bool clear; // no STARTTLS on this one
};
// What a link tells its user. After OVER it has no user any more.
enum link_event {
    LINK_SEEN, // link->seen is new: rule on it (link_go_on or link_leave)
    LINK_BODY, // 354: send the message (link_body_piece)
    LINK_DONE, // the transaction's outcomes are set; the link is idle or gone
    LINK_OVER, // lost during a transaction: link->failure; outcomes are set
};
// Who the links of a role work for.
struct link_user {
    void (*event)(void *user, struct link *l, enum link_event e);
    void (*handshake)(void *user, struct link *l); // answer with link_handshake
    // For users with transactions; else NULL.
    void (*drained)(void *user, struct link *l); // room to write again
    bool (*wants)(const void *user, const struct link *idle);
    void (*take_over)(void *user, struct link *idle);
};
struct links {
    const struct outbound *out;
    const struct link_user *user;
    struct link *first;
    unsigned rules;  // rises when what is open was opened under old rules
    int64_t most_us; // of a connection's life; 0: as long as each wait in it may be
};
struct link {
    struct link *next, *previous; // of the role
    struct links *links;
    void *user; // NULL: idle or leaving
    enum {
        LINK_WAITS_SLOT,
        LINK_CONNECTS,
        LINK_OPENS,
        LINK_HANDSHAKE,
        LINK_RULED,
        LINK_TALKS,
        LINK_IDLE,
        LINK_LEAVES
    } state;
    struct crypto_digest key; // what it was opened and verified for
    struct dns_name host;
    uint16_t port;
    struct dns_address address;
    bool lmtp; // the mailbox server's; host.text is "unix:/path" where session.local
    bool clear, secured, uncertain, pumping, dead;
    bool crowded;  // its host had no slot for it
    uint32_t slot; // ticket; 0: none
    bool slot_held;
    unsigned slot_generation;
    struct io_stream *stream;
    struct smtp_client *smtp;
    struct smtp_client_conf smtp_conf;
    struct io_timer timer;
    struct mono end; // of its life, where that is bound
    unsigned messages, rules;
    struct trust_seen seen;
    enum trust_result_type fault; // of the handshake
    char detail[512];             // behind seen.detail
    char helo[SMTP_PEER_NAME_MAX + 1];
    struct rc failure;
    struct trust_session session;
};

// The key under which a connection may be used again: everything that was
// asked of it (TRAPS DANE 10).
struct crypto_digest link_key(const struct trust_host *host, const struct trust_need *need);
// An idle link with this key, taken out of idleness for `user`; NULL: none.
struct link *link_reuse(struct links *s, const struct crypto_digest *key, void *user);
struct link *link_open(struct links *s, void *user, const struct link_wish *wish,
                       const struct crypto_digest *key);
void link_starttls(struct link *l);
// With what the host calls for: TLSA records, names, pin, strength.
void link_handshake(struct link *l, const struct trust_host *host);
void link_secured(struct link *l); // the handshake was ruled good: EHLO again
void link_begin(struct link *l, struct smtp_client_transaction *t);
struct buf *link_out(struct link *l);
void link_body_piece(struct link *l, struct span piece);
void link_body_end(struct link *l);
void link_leave(struct link *l); // without its user: QUIT where it can be said
// And who is at work now is not used again: trust anchors and rules may be others.
void links_close_idle(struct links *s);
