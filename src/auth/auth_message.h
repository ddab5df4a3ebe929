// All evaluators over one message as it streams in: SPF, DKIM, ARC and DMARC,
// with what each hands the others, and the Authentication-Results field
// (RFC 8601) that says it. One machine as auth_ask.h has it: its tickets are its
// own, and questions of all evaluators may be under way together.
//
// Order: new, feed… , end. next() at any time: SPF asks before the first byte,
// DKIM, ARC and DMARC's policy discovery as soon as the header is whole. DONE
// only after end() and the last answer.
#pragma once
#include "auth_arc.h"
#include "auth_dkim.h"
#include "auth_dmarc.h"
#include "auth_spf.h"

struct auth_domains { // each with all that is below it
    const struct dns_name *at;
    size_t count;
};

struct auth_message_request {
    struct auth_spf_request spf; // its spans are borrowed until AUTH_DONE
    bool no_spf;                 // no client to speak of: a stored message, a submission
    struct auth_dkim_options dkim;
    struct auth_arc_options arc; // sealers are copied
    // What the operator knows of this message. More may come to it: trusted_forwarder by
    // a chain of configured sealers, or by what `believed` says; the others by the lists.
    struct auth_dmarc_facts facts; // `detail` is borrowed until AUTH_DONE, like these:
    struct auth_domains lists;     // mailing lists; SPF or DKIM must show that it is one
    struct auth_domains exempt;    // authors whose policy is not enforced
    struct span believed;          // authserv-id of a server this came from; empty: none
};

struct auth_message_result {
    const struct auth_spf_result *spf; // NULL: no_spf
    const struct auth_dkim *dkim;      // auth_dkim_count, auth_dkim_result
    const struct auth_arc_result *arc;
    const struct auth_dmarc_result *dmarc;
    // Sealers we trust saw DMARC pass for this author domain (RFC 8617 §7.2.1).
    bool arc_vouches;
    // They, or another forwarder or list that the operator knows, handled it: that SPF
    // fails says nothing.
    bool forwarded;
    struct auth_dmarc_ruling ruling; // what is to be done about DMARC, and why
};

struct auth_message;
struct auth_message *auth_message_new(const struct auth_message_request *r);
void auth_message_free(struct auth_message **m); // for CLEANUP

void auth_message_feed(struct auth_message *m, struct span chunk); // CRLF line ends
void auth_message_end(struct auth_message *m);
struct auth_step auth_message_next(struct auth_message *m);
// A ticket that is not under way is ignored.
void auth_message_answer(struct auth_message *m, unsigned ticket, const struct dns_answer *a);
// NULL before AUTH_DONE; all of it valid as long as the machine.
const struct auth_message_result *auth_message_result(const struct auth_message *m);

// The field with its CRLF, by the name of `id`; after AUTH_DONE. `utf8`: the
// message may hold UTF-8 in its header (RFC 6532).
void auth_message_put_results(const struct auth_message *m, struct buf *b, struct span id,
                              bool utf8);
