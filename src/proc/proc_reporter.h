// The parts of the reporter role: which subjects a day has, the document about one of them, and
// where it goes. One subject is in hand at a time; what is in hand lives in its arena.
#pragma once
#include "proc_asker.h"
#include "proc_reports.h"
#include "proc_tallies.h"

#include "report_dmarc.h"
#include "report_mail.h"
#include "report_take.h"
#include "report_tlsrpt.h"

#define REPORTER_PATIENCE SECONDS(120)
enum { REPORTER_SILENT_MAX = 64, REPORTER_POSTS_MAX = 8 };

struct reporter_open; // a subject whose posts are under way

struct reporter {
    struct proc *proc;
    struct io_timer timer;
    int64_t delay_day, delay_us;                 // chosen for that day
    int64_t next_us;                             // wall clock: not before
    int64_t again_us;                            // after a run that left something
    bool running, now;                           // now: somebody asked; one more run
    int64_t day;                                 // that is reported on
    bool last;                                   // for the last time: what is put off is given up
    struct dns_name silent[REPORTER_SILENT_MAX]; // hosts that gave no answer in this run
    size_t silent_count;                         // so many were put there, one over the other
    unsigned posts;                              // under way: the day is not over before they are
    bool post_waits, day_waits;                  // for one of them; for all of them
    struct store_subject behind;                 // its domain in behind_text
    char behind_text[256];
    struct buf page; // of subjects
    struct rd rows;
    unsigned rows_left;
    bool rows_more;
    unsigned sent, left;
    // the subject in hand
    struct store_subject_row row; // borrows from page
    struct tallies_about about;
    struct arena arena;
    struct report_tls_tally *tallies;
    struct report_dmarc_tally *records;
    size_t count, room;
    struct span last_policy, last_detail;
    struct span settled[TALLIES_RUA_MAX * 2];
    size_t settled_count;
    struct span mailed[TALLIES_RUA_MAX]; // where mail went in this turn
    size_t mailed_count;
    struct report_cover cover;
    struct buf packed;
    struct report_rua rua;
    size_t rua_next;
    bool later;
    struct reporter_open *open; // once something of it is posted
    // reports of others
    struct intake *intake;  // in hand
    struct intake *waiting; // then these, in their order
    unsigned waiting_count;
};

// All that is undone of that day, one subject after the other; then reporter_day_over(). In the
// last run about a day what cannot be sent is given up.
void reporter_day(struct reporter *r, int64_t day, bool last);
void reporter_day_over(struct reporter *r);

// What became of a subject at one destination, or (`uri` empty) of all of it, to be kept.
struct reporter_fate {
    struct store_subject subject;
    struct span uri;
    enum store_sent_state state;
    struct span why;
    bool done;
};
void reporter_note(struct reporter *r, const struct reporter_fate *f, proc_answered then,
                   void *arg);
// On to the next subject.
void reporter_subject_over(struct reporter *r);

// Its tallies are there: makes the document, `packed`, of at most so many bytes, and sends it; or
// the subject is over.
enum { REPORTER_PACKED_MAX = 2 << 20 };
void reporter_document(struct reporter *r);

struct span reporter_organization(const struct reporter *r);

// To each destination that is not settled; then the subject is over.
void reporter_send(struct reporter *r);
// What became of it at the destination in hand; then the next one.
void reporter_settle(struct reporter *r, enum store_sent_state state, struct span why);
// The same of one that is not in hand any more: in the log and in the history. Gives the state
// that stands there: in the last run about its day what is put off is given up.
enum store_sent_state reporter_settle_posted(struct reporter *r, struct reporter_fate f,
                                             proc_answered then, void *arg);

// To the https destination in hand, while the others have their turn.
void reporter_post(struct reporter *r);
// The subject in hand has had all its turns. True: posts of it are under way, and what is left
// to do about it is done when they are settled.
bool reporter_posts_left(struct reporter *r);

// Whether a report that came by mail is signed by who sends it: RFC 8460 §3 has a TLS report
// ignored that is not. `head`: our own fields, from the receiver. NULL: it may be taken in, and
// *remark is something to be said of it or NULL; else the sentence why not, valid until the next
// call.
const char *reporter_signature(struct span head, const struct report_taking *t,
                               enum report_kind kind, const char **remark);

// MSG_REPORT_INTAKE. False: malformed.
bool reporter_intake(struct reporter *r, struct proc_peer *peer, struct io_message *m);
void reporter_intake_end(struct reporter *r); // who waits is to ask again
