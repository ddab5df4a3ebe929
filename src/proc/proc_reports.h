// What reporter, store and control say to each other about reports (proc_message.h).
#pragma once
#include "base_wire.h"
#include "proc_taken.h"
#include "store_taken.h"

void reports_subject_pack(struct buf *b, const struct store_subject *s);
bool reports_subject_unpack(struct rd *r, struct store_subject *out); // borrows

void reports_row_pack(struct buf *b, const struct store_subject_row *s);
bool reports_row_unpack(struct rd *r, struct store_subject_row *out);

// As proc_taken_pack() has it, in the store's words: without id and time; to the end.
void reports_taken_pack(struct buf *b, const struct store_taken *t);
bool reports_taken_unpack(struct rd *r, struct store_taken *out);

const char *reports_way_text(enum report_way w); // "mail", "post", "file"

// MSG_REPORT_ASIDE.
void reports_aside_pack(struct buf *b, const struct store_aside *a);
bool reports_aside_unpack(struct rd *r, struct store_aside *out); // borrows

// The domain of recipients that are report.addresses: nobody else's mail is in it (RFC 6761 §6.4).
#define REPORTS_DOMAIN "reports.invalid"
