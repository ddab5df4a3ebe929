// geleit report: documents for people.
#pragma once
#include "admin_ask.h"
#include "report_take.h"

// Reads and parses the bytes in a child that may open nothing and is bounded in memory and time;
// what it found is appended to `out`. ADMIN_DONE, or an exit status after a sentence.
int admin_report_child(struct span bytes, const char *title, struct buf *out);
void admin_report_show(struct admin_page *p, const struct report_taken *d);
void admin_report_json(struct json *j, const struct report_taken *d);
