// Every message between roles: kind, direction, payload. Questions have even
// kinds, the answer to a question is its kind + 1 and repeats its ticket.
//
// Payload notation: fields in order, as written by base_wire.h (span: u32
// length and bytes), [x] a u16 count and that many x.
#pragma once
#include "base_arena.h"
#include "base_wire.h"
#include "store_history.h"
#include "store_queue.h"

enum proc_message {
    // master -> role
    MSG_SECTION = 2, // conf_pack: at start and at reload
    // [span chain, span key (PEM)] (none: no TLS), span io_tls_ticket_keys, span client_ca
    // (PEM). Before START and at reload
    MSG_KEYS = 4,
    MSG_SIGNERS = 16, // DKIM: [span domain, span selector, span sender, u8 services, span key
                      // (PEM)], read by proc_signer_unpack(). As MSG_KEYS
    MSG_LISTEN = 6,   // fd: a bound socket; u8 smtp_service (of web: proc_web_door), span text. A
                      // reload sends them anew after LISTEN_RESET
    MSG_ALIASES = 18, // [span file, u64 bytes of it], [span SRS secret]; fd: their texts, one
                      // behind the other (none: no files). As MSG_KEYS
    MSG_LISTEN_RESET = 8,
    MSG_PEER = 10,  // u8 kind, u16 index, fd: channel to that peer (replaces a dead one)
    MSG_START = 12, // all of the above is complete: begin, or (again) put into force
    MSG_DRAIN = 14, // finish what is under way, take nothing new, then say DRAINED
    MSG_ALIVE = 26, // (empty) -> (empty), from the role's loop: does it go round?
    MSG_ALIVE_IS,
    // role -> master
    MSG_READY = 20,
    MSG_DRAINED = 22,
    MSG_CUT_OFF = 24, // u8 kind, u16 index: that channel was closed, and no other has come

    // receiver -> store
    MSG_SEGMENT = 30, // bool own_file -> u8 rc, u32 segment, u64 first id of messages to be put
                      //   in it, u32 how many (own_file: none); fd
    MSG_SEGMENT_IS,
    MSG_COMMIT = 32, // envelope (with an id that came with a segment, or 0), [u64 replaced
                     // recipient] -> u8 rc, u64 id (NOT_FOUND: a notice that is not owed any more).
                     // A file of its own is sealed with its message
    MSG_COMMITTED,
    MSG_SEAL = 34,       // u32 segment: no more will be appended
    MSG_EVALUATION = 36, // evaluation: of a message that came in, whatever became of it
    // receiver, sender -> store
    MSG_LOAD = 40, // u64 message, span domain (empty: the owed ones) -> u8 rc, envelope
    MSG_LOADED,    //   (rc other than OK: nothing follows it; NOT_FOUND: nothing is due, and
                   //   the queue was told by DUE when something will be);
                   //   fd: the body's segment, the first time this peer meets it
    MSG_SEGMENT_GONE = 42, // store ->: u32 segment; forget its descriptor
    // sender -> store
    MSG_OUTCOME = 50, // attempt, [outcome] -> u8 rc
    MSG_OUTCOME_DONE,
    MSG_POLICY_GET = 52, // span domain -> bool found, trust_sts_pack
    MSG_POLICY_IS,
    MSG_POLICY_PUT = 54,      // span domain, i64 expires, span value
    MSG_POLICY_EXPIRING = 56, // i64 until, u32 limit -> [span domain]
    MSG_POLICIES,

    // queue <-> store
    MSG_FILL = 60, // i64 until, u32 limit -> i64 horizon: all before it was sent as DUE
    MSG_FILLED,
    MSG_DUE = 62,         // store ->: u64 message, span domain, i64 due, u64 size
    MSG_INTERRUPTED = 64, // queue ->: u64 message, span domain; who tried it died, twice in a row

    // queue -> sender, receiver (notices: empty domain)
    MSG_JOB = 70,   // u64 job, u64 message, span domain, u64 size
    MSG_ENDED = 72, // -> queue: u64 job, bool again, i64 due
    MSG_BUSY = 74,  // -> queue, first on every new channel: [u64 message, span domain, u64 job]
    // sender, control <-> queue
    MSG_SLOT = 76, // span host -> (empty): a connection may be opened
    MSG_SLOT_YOURS,
    MSG_SLOT_BACK = 78, // span host: it was closed, or is not wanted any more

    // receiver, sender, control, fetcher -> resolver
    MSG_DNS = 80, // dns_question_pack -> dns_answer_pack
    MSG_DNS_IS,
    MSG_SELF_TEST = 94, // control ->: (empty) -> u8 self_test_is
    MSG_SELF_TEST_IS,
    // sender, control -> fetcher
    MSG_FETCH = 82, // span domain, span id of its record -> trust_fetched_pack
    MSG_FETCHED,

    // control -> store; JSON as `geleit queue --json` prints it
    MSG_QUEUE_LIST = 84, // u64 those behind it -> u8 rc, u64 next (0: all), span JSON array
    MSG_QUEUE_LISTED,
    MSG_QUEUE_SHOW = 86, // u64 message -> u8 rc, span JSON
    MSG_QUEUE_SHOWN,
    MSG_QUEUE_CHANGE = 88, // u64 message, u8 store_change -> u8 rc, u64 recipients
    MSG_QUEUE_CHANGED,
    MSG_POLICY_LIST = 92, // span those behind it -> u8 rc, span next (empty: all),
    MSG_POLICY_LISTED,    //   [span domain, span value]

    // receiver -> authenticator (proc_login.h)
    MSG_LOGIN = 120, // login_request -> login_answer
    MSG_LOGIN_IS,
    MSG_LOGIN_MORE = 122, // u64 exchange, span the client's message -> login_answer
    MSG_LOGIN_MORE_IS,
    MSG_LOGIN_GONE = 124, // u64 exchange: forget it
    MSG_MAILBOX = 126,    // span address -> u8 mailbox_is
    MSG_MAILBOX_IS,
    MSG_ALLOWANCE = 128,  // span user, u32 messages, u32 recipients -> i64 microseconds until there
    MSG_ALLOWED,          //   is room for them (0: they are counted; INT64_MAX: never)
    MSG_MECHANISMS = 130, // authenticator ->: u8 bits of sasl_mechanism

    // web -> every role (proc_meters.c answers for all)
    MSG_METERS = 150, // (empty) -> i64 when the process began, i64 microseconds of processor,
    MSG_METERS_ARE,   //   i64 most bytes of memory, meter_pack

    // reporter, control -> store (proc_reports.h)
    MSG_REPORT_SUBJECTS = 160, // i64 from, i64 to (days), bool undone, subject those behind it
                               // -> u8 rc, bool more, [row]
    MSG_REPORT_SUBJECTS_ARE,
    MSG_REPORT_TALLIES = 162,   // subject, span policy, span detail (those behind)
    MSG_REPORT_TALLIES_ARE,     // -> u8 rc, bool more, [span, span, u64 sessions, u64 times]
    MSG_REPORT_SENT_LIST = 164, // subject -> u8 rc, bool more, [span uri, u8 store_sent_state]
    MSG_REPORT_SENT_ARE,
    MSG_REPORT_SENT = 166, // subject, span uri (or none), u8 store_sent_state, span why, bool done
    MSG_REPORT_NOTED,      // -> u8 rc, bool
    MSG_REPORT_TAKE = 168, // reporter, control ->: a report of others -> u8 rc, bool it is new
    MSG_REPORT_TAKEN,
    MSG_REPORT_LIST = 170, // control ->: u64 those behind it, bool those put aside instead
    MSG_REPORT_LISTED,     // -> u8 rc, u64 next (0: all), span JSON array
    // reporter -> receiver
    MSG_REPORT_MAIL = 172, // bool TLS, span sender, [span to], span mail -> u8 rc, u64 id
    MSG_REPORT_MAILED,
    // reporter -> fetcher: by HTTPS POST
    MSG_REPORT_POST = 176, // span uri, span media type, span body -> u8 rc (rc_retry(): whether to
    MSG_REPORT_POSTED,     //   try again), u16 HTTP status (0: none), bool nothing wrong with the
                           //   certificate (or none was seen), span why
    // sender, web -> reporter: what others sent (docs/decisions/0031)
    MSG_REPORT_INTAKE = 178, // u8 report_way, span who, span head (of mail: our own fields), u64
                             // at, u64 length; fd -> u8 rc (OK: all of it is taken or put aside;
    MSG_REPORT_INTAKEN,      // FULL, UNAVAILABLE…: again later), u32 taken, u32 aside, span why
                             // (of the first put aside; of a failure)
    // reporter, control -> store: bytes that could not be read
    MSG_REPORT_ASIDE = 180, // u8 report_way, span who, span why, u64 bytes in all, span the first
    MSG_REPORT_ASIDE_KEPT,  //   STORE_ASIDE_BYTES of them -> u8 rc, bool true
    // control -> store: one of those that were taken in, or put aside
    MSG_REPORT_GET = 186, // bool aside, u64 id -> u8 rc, then as in REPORT_TAKE or REPORT_ASIDE
    MSG_REPORT_GOT,
    // control -> reporter
    // The week at a glance: control ->: u64 rows that are known, span domain (or none) -> as
    MSG_REPORT_WEEK = 184, // MSG_REPORT_LISTED; rows of deliveries, then of what others tell
    MSG_REPORT_WEEK_IS,
    MSG_REPORT_NOW = 174, // (empty) -> bool reports are sent here
    MSG_REPORT_BEGUN,

    // the command line -> control, at the local door (proc_control_request.h)
    MSG_CONTROL = 90, // control_request -> control_answer
    MSG_TOLD,
};

// Envelopes, attempts and outcomes as payload. Unpacking checks everything and
// copies into `a`; false: malformed (the channel is closed).
void proc_envelope_pack(struct buf *b, const struct store_envelope *e);
bool proc_envelope_unpack(struct rd *r, struct store_envelope *out, struct arena *a);
void proc_attempt_pack(struct buf *b, const struct store_attempt *a);
bool proc_attempt_unpack(struct rd *r, struct store_attempt *out); // borrows from r

// Of the outcomes a sender reports the store decides when to try again or to
// give up: here `due` is unused and STORE_FAILED means "refused for good".
void proc_outcome_pack(struct buf *b, const struct store_outcome *o);
bool proc_outcome_unpack(struct rd *r, struct store_outcome *out); // borrows from r

void proc_evaluation_pack(struct buf *b, const struct store_evaluation *e);
bool proc_evaluation_unpack(struct rd *r, struct store_evaluation *out); // borrows from r
