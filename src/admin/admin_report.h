// geleit report: documents for people.
#pragma once
#include "admin_ask.h"
#include "proc_taken.h"
#include "report_take.h"

// Calls `each` with every document of a file; An exit status.
int admin_report_documents(const char *path,
                           void (*each)(void *arg, const char *path, const struct report_taken *d),
                           void (*fault)(void *arg, const char *path, const char *why), void *arg);
// All that a running server has to say to `verb`, page by page, as one list. An exit status.
int admin_report_ask(const struct admin_call *call, enum control_verb verb, struct span word,
                     struct buf *all);
// The domain behind the verb, the root where there is none. False after a sentence.
bool admin_report_domain(const struct admin_call *call, struct dns_name *out);
void admin_report_say(struct admin_page *p, enum admin_ink ink, const char *sentence); // a line
// Print, and free. An exit status.
int admin_report_print(struct admin_page *page);
int admin_report_put_json(json_t *o);
int admin_report_import(const struct admin_call *call);
int admin_report_aside(const struct admin_call *call);
// One that was taken in; what is in *t is in `packed`. An exit status.
int admin_report_taken(const struct admin_call *call, uint64_t id, struct buf *packed,
                       struct proc_taken *t);
int admin_report_list(const struct admin_call *call);
int admin_report_week(const struct admin_call *call);
int admin_report_preview(const struct admin_call *call);
int admin_report_send(const struct admin_call *call);
void admin_report_show(struct admin_page *p, const struct report_taken *d);
void admin_report_json(struct json *j, const struct report_taken *d);
