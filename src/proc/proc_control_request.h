// What is said at the local door: a request and its answer, each one message of
// io_channel.h (MSG_CONTROL, MSG_TOLD). Results are JSON documents; what people
// read is made of them by the command line.
#pragma once
#include "base_time.h"
#include "base_wire.h"
#include "dns_name.h"

enum control_verb {
    CONTROL_EXPLAIN,
    CONTROL_QUEUE_LIST,
    CONTROL_QUEUE_SHOW,
    CONTROL_QUEUE_RETRY,
    CONTROL_QUEUE_HOLD,
    CONTROL_QUEUE_RELEASE,
    CONTROL_QUEUE_DELETE,
    CONTROL_POLICY_LIST,
    CONTROL_POLICY_SHOW,
    CONTROL_POLICY_REFRESH,
    CONTROL_REPORT_PREVIEW, // word: next_word, of nobody else's making
    CONTROL_REPORT_SEND,
    CONTROL_REPORT_LIST,  // of others; id: those behind it
    CONTROL_REPORT_WEEK,  // deliveries by protection, and what others say; word: a domain, or none
    CONTROL_REPORT_TAKE,  // questions: proc_taken_pack
    CONTROL_REPORT_GET,   // id; json: proc_taken_pack
    CONTROL_REPORT_ASIDE, // those put aside
    CONTROL_REPORT_ASIDE_BYTES, // id; json: the bytes of that one
    CONTROL_DNS,                // plain questions to the resolver
    CONTROL_VERBS
};
struct control_request {
    enum control_verb verb;
    bool probe, requiretls, tls_required_no; // EXPLAIN
    uint64_t id;                             // of a message; QUEUE_LIST: those behind it
    struct span word;                        // address or domain; POLICY_LIST: those behind it
    // EXPLAIN, DNS: the section (conf_pack) that the asker would have explained by; the
    // server says OTHER where its own is not the same. Empty: the server's.
    struct span section;
    struct span questions; // DNS: dns_question_pack, 1 to CONTROL_QUESTIONS_MAX
};
enum { CONTROL_QUESTIONS_MAX = 32 };
void control_request_pack(struct buf *b, const struct control_request *q);
bool control_request_unpack(struct rd *r, struct control_request *out); // borrows; reads to the end

enum control_result {
    CONTROL_DONE,
    CONTROL_NO,    // there is no such thing
    CONTROL_WRONG, // it makes no sense
    CONTROL_LATER, // not now
    CONTROL_OTHER, // the server runs with another configuration
    CONTROL_RESULTS
};
struct control_answer {
    enum control_result result;
    struct span sentence; // unless DONE
    struct span json;     // DONE; of DNS: dns_answer_pack, one a question, in their order
    // Lists: where the next piece begins; both empty: that was all.
    uint64_t next_id;
    struct span next_word;
};
void control_answer_pack(struct buf *b, const struct control_answer *a);
bool control_answer_unpack(struct rd *r, struct control_answer *out);

// The domain of "user@example.org" or "example.org". NULL: fine; else what is wrong.
const char *control_domain(struct span text, struct dns_name *out);
