// How a command puts its question to a server, and what people are shown of the
// JSON that comes back. What a foreign server said never steers a terminal.
#pragma once
#include "admin_command.h"
#include "proc_client.h"

#include <jansson.h>

// A question to the running server, opened with the first.
struct admin_server {
    struct proc_master_conf mc;
    struct conf *conf;
    struct proc_client *client;
};
// ADMIN_DONE, or the exit status after a sentence on standard error.
int admin_server_open(struct admin_server *s, const struct admin_call *call);
int admin_server_conf(struct admin_server *s, const struct admin_call *call); // without asking
void admin_server_close(struct admin_server *s);
// The same for one question: fills *out, or has complained.
int admin_server_ask(struct admin_server *s, const struct control_request *q,
                     struct control_answer *out, int64_t patience_us);
json_t *admin_json(struct span text); // NULL after a sentence; json_decref

// ---- admin_show.c: words, colours, columns ----
enum admin_ink { INK_NONE, INK_BOLD, INK_DIM, INK_GOOD, INK_WARN, INK_BAD, INKS };
struct admin_page {
    struct buf out;
    bool colour;
};
#define ADMIN_PAGE(c) ((struct admin_page){.out = BUF(64 << 20), .colour = (c)})
void admin_put(struct admin_page *p, enum admin_ink ink, struct span text); // made harmless
void admin_putf(struct admin_page *p, enum admin_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A line "label      value", the label in a column of its own.
void admin_line(struct admin_page *p, const char *indent, const char *label, enum admin_ink ink,
                const char *value);
enum admin_ink admin_ink_of(const char *word); // "secure", "deliver", "bogus"…
// Members of an object, where absent or of another type: "", 0, false.
const char *admin_str(const json_t *o, const char *key);
int64_t admin_int(const json_t *o, const char *key);
bool admin_bool(const json_t *o, const char *key);
const json_t *admin_at(const json_t *o, const char *key);

// ---- admin_show_plan.c ----
void admin_show_plan(struct admin_page *p, const char *title, const json_t *plan);
void admin_show_session(struct admin_page *p, const char *indent, const json_t *session);
