// geleit queue: what waits, why, and what to do with it.
#include "admin_ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { YES }; // as in admin_command.c
enum { LIST_ROOM = 256 << 20, ID_DIGITS = 16 };
#define PATIENCE SECONDS(90)

// Ids are what the reply to the message said.
static bool id_parse(const char *text, uint64_t *out)
{
    struct span s = span_str(text);
    *out = 0;
    if (s.len == 0 || s.len > ID_DIGITS)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool digit = c >= '0' && c <= '9', low = c >= 'a' && c <= 'f', high = c >= 'A' && c <= 'F';
        if (!digit && !low && !high)
            return false;
        *out = *out << 4 | (unsigned)(digit ? c - '0' : low ? c - 'a' + 10 : c - 'A' + 10);
    }
    return *out != 0;
}

// ---- list ----

static void put_age(struct admin_page *p, const json_t *m)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_duration(&b, admin_int(m, "age_s") * US_PER_S);
    admin_putf(p, INK_NONE, "%-9s", buf_str(&b));
}

static void show_row(struct admin_page *p, const json_t *m)
{
    const json_t *to = admin_at(m, "recipients");
    const char *first = json_string_value(json_array_get(to, 0));
    int64_t held = admin_int(m, "held"), owed = admin_int(m, "owed");
    int64_t all = held + owed + admin_int(m, "pending") - admin_int(m, "delay_notices");
    admin_putf(p, INK_BOLD, "%-10s ", admin_str(m, "id"));
    put_age(p, m);
    admin_putf(p, INK_NONE, "%9lld  %s → %s", (long long)admin_int(m, "size"),
               *admin_str(m, "sender") ? admin_str(m, "sender") : "<>", first ? first : "?");
    if (all > 1)
        admin_putf(p, INK_NONE, " and %lld more", (long long)(all - 1));
    buf_putc(&p->out, '\n');
    if (*admin_str(m, "due"))
        admin_line(p, "           ", "next try", INK_NONE, admin_str(m, "due"));
    if (held)
        admin_line(p, "           ", "held", INK_WARN, "until it is released");
    if (owed)
        admin_line(p, "           ", "notice", INK_WARN, "its sender is about to be told");
    if (*admin_str(m, "reason"))
        admin_line(p, "           ", "last", INK_WARN, admin_str(m, "reason"));
}

// The pieces of a list, joined: what is between their brackets.
static int collect(struct admin_server *s, struct control_request *q, struct buf *all)
{
    struct control_answer a;
    buf_putc(all, '[');
    do {
        int status = admin_server_ask(s, q, &a, PATIENCE);
        if (status != ADMIN_DONE)
            return status;
        struct span inside = span_first(span_skip(a.json, 1), a.json.len < 2 ? 0 : a.json.len - 2);
        if (inside.len && all->len > 1)
            buf_putc(all, ',');
        buf_put(all, inside);
        q->id = a.next_id;
    } while (a.next_id);
    buf_putc(all, ']');
    return ADMIN_DONE;
}

static int show_list(const struct buf *all)
{
    json_t *list = admin_json(buf_span(all));
    if (!list)
        return ADMIN_LATER;
    struct admin_page page = ADMIN_PAGE(admin_colour());
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++)
        show_row(&page, json_array_get(list, i));
    admin_putf(&page, INK_DIM, count ? "%zu message%s." : "The queue is empty.", count,
               count == 1 ? "" : "s");
    buf_putc(&page.out, '\n');
    int status = admin_print(&page.out);
    buf_free(&page.out);
    json_decref(list);
    return status;
}

static int queue_list(struct admin_server *s, const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM);
    struct control_request q = {.verb = CONTROL_QUEUE_LIST};
    int status = collect(s, &q, &all);
    if (status != ADMIN_DONE)
        return status;
    if (!call->json)
        return show_list(&all);
    buf_putc(&all, '\n');
    return admin_print(&all);
}

// ---- show ----

// What the sender is about to be told, for a recipient whose part is over.
static const char *owed_text(const json_t *r)
{
    static const struct {
        const char *notice, *text;
    } texts[] = {
        {"failed", "failed, and a notice of that is owed"},
        {"delayed", "a notice of its delay is owed"},
        {"delivered", "delivered, and a notice of that is owed"},
        {"relayed", "passed on to a server without DSN, and a notice of that is owed"},
        {"expanded", "sent on to several, and a notice of that is owed"},
        {"redacted", "may not travel as it is: it is owed again without its content"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].notice, admin_str(r, "notice")) == 0)
            return texts[i].text;
    return "a notice is owed";
}

static void show_recipient(struct admin_page *p, const json_t *r)
{
    const char *state = admin_str(r, "state");
    if (strcmp(state, "owed") == 0)
        state = owed_text(r);
    admin_put(p, INK_NONE, SPAN("  to         "));
    admin_put(p, INK_BOLD, span_str(admin_str(r, "address")));
    admin_put(p, INK_NONE, SPAN("  "));
    admin_put(p, admin_ink_of(state), span_str(state));
    admin_putf(p, INK_NONE, " after %lld attempt%s", (long long)admin_int(r, "attempts"),
               admin_int(r, "attempts") == 1 ? "" : "s");
    if (*admin_str(r, "due"))
        admin_putf(p, INK_NONE, ", next at %s", admin_str(r, "due"));
    buf_putc(&p->out, '\n');
    if (*admin_str(r, "reason"))
        admin_line(p, "  ", "", INK_WARN, admin_str(r, "reason"));
}

static void show_attempt(struct admin_page *p, const json_t *a)
{
    const char *decision = admin_str(a, "decision");
    const json_t *plan = admin_at(a, "plan"), *sessions = admin_at(a, "sessions");
    buf_putc(&p->out, '\n');
    admin_putf(p, INK_BOLD, "%s", admin_str(a, "at"));
    admin_putf(p, INK_NONE, "  %s: ", admin_str(a, "domain"));
    admin_put(p, admin_ink_of(decision), span_str(decision));
    admin_putf(p, INK_NONE, " after %lld ms", (long long)admin_int(a, "duration_ms"));
    buf_putc(&p->out, '\n');
    admin_line(p, "  ", "why", INK_NONE, admin_str(a, "reason"));
    for (size_t i = 0; i < json_array_size(sessions); i++) {
        const json_t *one = json_array_get(sessions, i);
        admin_line(p, "  ", "host", INK_BOLD, admin_str(one, "host"));
        admin_show_session(p, "    ", one);
    }
    if (json_is_object(plan)) {
        CLEANUP(buf_free) struct buf title = BUF(1024);
        buf_printf(&title, "  the plan for %s:", admin_str(plan, "recipient_domain"));
        admin_show_plan(p, buf_str(&title), plan);
    }
}

static void show_envelope(struct admin_page *p, const json_t *m)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    buf_printf(&b, "%lld bytes, received %s from %s%s", (long long)admin_int(m, "size"),
               admin_str(m, "received"), admin_str(m, "client"),
               admin_bool(m, "came_over_tls") ? " over TLS" : " in the clear");
    admin_line(p, "  ", "message", INK_NONE, buf_str(&b));
    admin_line(p, "  ", "from", INK_NONE, *admin_str(m, "sender") ? admin_str(m, "sender") : "<>");
    if (admin_bool(m, "requiretls"))
        admin_line(p, "  ", "asks", INK_NONE, "REQUIRETLS: protected all the way, or not at all");
    if (admin_bool(m, "tls_required_no"))
        admin_line(p, "  ", "asks", INK_NONE, "TLS-Required: No: it travels whatever policies say");
    for (size_t i = 0; i < json_array_size(admin_at(m, "recipients")); i++)
        show_recipient(p, json_array_get(admin_at(m, "recipients"), i));
}

static int show_message(struct span text)
{
    json_t *m = admin_json(text);
    if (!m)
        return ADMIN_LATER;
    struct admin_page page = ADMIN_PAGE(admin_colour());
    const json_t *attempts = admin_at(m, "attempts");
    admin_putf(&page, INK_BOLD, "%s", admin_str(m, "id"));
    buf_putc(&page.out, '\n');
    if (admin_bool(m, "in_queue"))
        show_envelope(&page, m);
    else
        admin_line(&page, "  ", "message", INK_NONE, "no longer in the queue; this is its history");
    if (json_array_size(attempts) == 0)
        admin_line(&page, "  ", "attempts", INK_NONE, "none yet");
    for (size_t i = json_array_size(attempts); i > 0; i--) // they come latest first
        show_attempt(&page, json_array_get(attempts, i - 1));
    if (admin_int(m, "attempts_left_out")) {
        buf_putc(&page.out, '\n');
        admin_putf(&page, INK_DIM, "%lld earlier attempts are not shown.",
                   (long long)admin_int(m, "attempts_left_out"));
        buf_putc(&page.out, '\n');
    }
    int status = admin_print(&page.out);
    buf_free(&page.out);
    json_decref(m);
    return status;
}

static int queue_show(struct admin_server *s, const struct admin_call *call)
{
    struct control_answer a;
    struct control_request q = {.verb = CONTROL_QUEUE_SHOW};
    id_parse(call->words[1], &q.id);
    int status = admin_server_ask(s, &q, &a, PATIENCE);
    if (status != ADMIN_DONE)
        return status;
    if (!call->json)
        return show_message(a.json);
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    buf_put(&b, a.json);
    buf_putc(&b, '\n');
    return admin_print(&b);
}

// ---- changes ----

struct change {
    const char *word, *done, *nothing;
    enum control_verb verb;
};
static const struct change changes[] = {
    {"retry", "is tried now", "has nothing that waits for another try", CONTROL_QUEUE_RETRY},
    {"hold", "is held until it is released", "has nothing to hold", CONTROL_QUEUE_HOLD},
    {"release", "is released and tried now", "has nothing that is held", CONTROL_QUEUE_RELEASE},
    {"delete", "is deleted", "is deleted", CONTROL_QUEUE_DELETE},
};

static bool confirmed(const struct admin_call *call)
{
    unsigned count = call->word_count - 1;
    if (call->flags[YES])
        return true;
    if (!isatty(STDIN_FILENO)) {
        admin_complain("delete asks before it does so; where nobody can answer, add --yes");
        return false;
    }
    fprintf(stderr, "Delete %u message%s for good? Neither sender nor recipients are told. [y/N] ",
            count, count == 1 ? "" : "s");
    char answer[16];
    bool yes = fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
    if (!yes)
        admin_complain("nothing was deleted");
    return yes;
}

static int change_one(struct admin_server *s, const struct change *c, const char *id,
                      struct admin_page *page, struct buf *json)
{
    struct control_answer a;
    struct control_request q = {.verb = c->verb};
    id_parse(id, &q.id);
    int status = admin_server_ask(s, &q, &a, PATIENCE);
    if (status != ADMIN_DONE)
        return status;
    buf_put(json, json->len > 1 ? SPAN(",") : SPAN(""));
    buf_put(json, a.json);
    json_t *done = admin_json(a.json);
    if (!done)
        return ADMIN_LATER;
    int64_t count = admin_int(done, "recipients");
    admin_putf(page, INK_NONE, "Message %s %s", admin_str(done, "id"),
               count ? c->done : c->nothing);
    if (count > 1)
        admin_putf(page, INK_NONE, ", for %lld recipients", (long long)count);
    admin_put(page, INK_NONE, SPAN("."));
    buf_putc(&page->out, '\n');
    json_decref(done);
    return ADMIN_DONE;
}

static int queue_change(struct admin_server *s, const struct admin_call *call,
                        const struct change *c)
{
    CLEANUP(buf_free) struct buf json = BUF(LIST_ROOM);
    struct admin_page page = ADMIN_PAGE(admin_colour());
    int worst = ADMIN_DONE;
    buf_putc(&json, '[');
    for (unsigned i = 1; i < call->word_count && worst != ADMIN_LATER; i++) {
        int status = change_one(s, c, call->words[i], &page, &json);
        worst = status > worst ? status : worst;
    }
    buf_put(&json, SPAN("]\n"));
    int printed = admin_print(call->json ? &json : &page.out);
    buf_free(&page.out);
    return printed == ADMIN_DONE ? worst : printed;
}

// ---- the command ----

static const struct change *change_of(const char *word)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (strcmp(changes[i].word, word) == 0)
            return &changes[i];
    return NULL;
}

// What can be told without a server. ADMIN_DONE: it makes sense.
static int check(const struct admin_call *call)
{
    const char *verb = call->words[0];
    uint64_t id;
    bool list = strcmp(verb, "list") == 0, show = strcmp(verb, "show") == 0;
    if (!list && !show && !change_of(verb))
        return admin_complain("'queue' knows list, show, retry, hold, release and delete, "
                              "and not '%s'",
                              verb);
    if (list && call->word_count > 1)
        return admin_complain("'queue list' takes no id");
    if (!list && call->word_count < 2)
        return admin_complain("'queue %s' needs the id of a message, as 'queue list' shows it",
                              verb);
    if (show && call->word_count > 2)
        return admin_complain("'queue show' takes one id");
    for (unsigned i = 1; i < call->word_count; i++)
        if (!id_parse(call->words[i], &id))
            return admin_complain("'%s' is no id of a message; they look like 1a2f",
                                  call->words[i]);
    return ADMIN_DONE;
}

int admin_queue(const struct admin_call *call)
{
    struct admin_server s;
    const struct change *c = change_of(call->words[0]);
    int status = check(call);
    if (status != ADMIN_DONE)
        return status;
    if (c && c->verb == CONTROL_QUEUE_DELETE && !confirmed(call))
        return ADMIN_USAGE;
    status = admin_server_open(&s, call);
    if (status == ADMIN_DONE && c)
        status = queue_change(&s, call, c);
    else if (status == ADMIN_DONE)
        status = call->words[0][0] == 'l' ? queue_list(&s, call) : queue_show(&s, call);
    admin_server_close(&s);
    return status;
}
