// A report of others as it is handed to the store, by command and reporter alike.
#pragma once
#include "base_time.h"
#include "base_wire.h"
#include "report_take.h"

// How a report of others came in.
enum report_way { REPORT_WAY_MAIL, REPORT_WAY_POST, REPORT_WAY_FILE, REPORT_WAYS };

struct proc_taken {
    unsigned kind; // enum report_kind
    struct span organization, report, domain;
    struct wall begin, end;
    uint64_t good, bad;  // sessions or messages
    struct span content; // the document, packed; empty where it is too large to be kept
    unsigned way;        // enum report_way
    struct span who;     // that brought it
    struct span remark;  // one sentence, or nothing
};
enum { PROC_TAKEN_MAX = 1 << 20 };
// Of a good document; `content` is to have that room, and what is there borrows of both.
// `way`, `who` and `remark` are left to the caller.
void proc_taken_of(struct proc_taken *t, struct buf *content, const struct report_taken *d);
void proc_taken_pack(struct buf *b, const struct proc_taken *t); // MSG_REPORT_TAKE
bool proc_taken_unpack(struct rd *r, struct proc_taken *t);      // borrows; to the end
// The document again. False: its content was not kept, or is none.
bool proc_taken_document(const struct proc_taken *t, struct report_taken *out, struct arena *a);

// Foreign bytes, read by a child of its own (io_child.h); what report_take() says of them goes to
// `out`. NULL, or the sentence why not; *later: because no child could be started.
const char *proc_taken_read(struct buf *out, struct span bytes, bool *later);
