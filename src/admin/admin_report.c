// geleit report show FILE...: reports that lie in files, in whatever they are packed, or that were
// taken in.
#include "admin_report.h"
#include "admin_dns.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = REPORT_INPUT_MAX, TAKEN_MOST = 256 << 20 };

struct showing {
    struct admin_page page;
    struct json json;
    bool as_json;
};

static void put(void *arg, const char *path, const struct report_taken *d)
{
    struct showing *s = arg;
    if (s->as_json) {
        json_open(&s->json, NULL, '{');
        json_str(&s->json, "file", span_str(path));
        admin_report_json(&s->json, d);
        json_close(&s->json, '}');
        return;
    }
    admin_put(&s->page, INK_BOLD, span_str(path));
    admin_report_show(&s->page, d);
}

static void put_fault(void *arg, const char *path, const char *fault)
{
    struct showing *s = arg;
    admin_complain("%s: %s", path, fault);
    if (!s->as_json)
        return;
    json_open(&s->json, NULL, '{');
    json_str(&s->json, "file", span_str(path));
    json_str(&s->json, "error", span_str(fault));
    json_close(&s->json, '}');
}

struct reading {
    void (*each)(void *arg, const char *path, const struct report_taken *d);
    void (*fault)(void *arg, const char *path, const char *why);
    void *arg;
};

// One document after the other, so that only one is in memory.
static int documents(const struct reading *s, const char *path, struct span taken)
{
    CLEANUP(arena_free) struct arena a = ARENA(REPORT_DMARC_ARENA);
    struct rd r = RD(taken);
    struct report_taking t;
    int status = ADMIN_DONE;
    if (!report_taking_open(&r, &t, &a)) {
        s->fault(s->arg, path, "its reader died on it");
        return ADMIN_NEGATIVE;
    }
    if (!t.count) {
        s->fault(s->arg, path, t.fault);
        return ADMIN_NEGATIVE;
    }
    for (size_t i = 0; i < t.count; i++) {
        CLEANUP(arena_free) struct arena each = ARENA(REPORT_DMARC_ARENA);
        struct report_taken d;
        if (!report_taking_next(&r, &d, &each)) {
            s->fault(s->arg, path, "its reader died on it");
            return ADMIN_NEGATIVE;
        }
        if (d.good)
            s->each(s->arg, path, &d);
        else
            s->fault(s->arg, path, d.notes.fault);
        status = d.good ? status : ADMIN_NEGATIVE;
    }
    return status;
}

int admin_report_documents(const char *path,
                           void (*each)(void *arg, const char *path, const struct report_taken *d),
                           void (*fault)(void *arg, const char *path, const char *why), void *arg)
{
    CLEANUP(buf_free) struct buf bytes = BUF(FILE_MOST), taken = BUF(TAKEN_MOST);
    const struct reading r = {each, fault, arg};
    bool later = false;
    int status = admin_file(path, &bytes);
    if (status != ADMIN_DONE)
        return status;
    const char *why = proc_taken_read(&taken, buf_span(&bytes), &later);
    if (!why)
        return documents(&r, path, buf_span(&taken));
    fault(arg, path, why);
    return later ? ADMIN_LATER : ADMIN_NEGATIVE;
}

// A number, and no file of that name.
static bool is_taken(const char *word, uint64_t *id)
{
    return span_number(span_str(word), INT64_MAX, id) && access(word, F_OK) != 0;
}

static void put_taken(struct showing *s, uint64_t id, const char *title, const struct proc_taken *t,
                      const struct report_taken *d)
{
    if (s->as_json) {
        json_open(&s->json, NULL, '{');
        json_int(&s->json, "id", (int64_t)id);
        admin_report_json(&s->json, d);
        json_str(&s->json, "from", t->who);
        json_str(&s->json, "remark", t->remark);
        json_close(&s->json, '}');
        return;
    }
    put(s, title, d);
    admin_putf(&s->page, INK_DIM, "  %-11s", "came from");
    admin_put(&s->page, INK_NONE, t->who);
    if (t->remark.len) {
        buf_putc(&s->page.out, '\n');
        admin_putf(&s->page, INK_DIM, "  %-11s", "remark");
        admin_put(&s->page, INK_WARN, t->remark);
    }
    buf_putc(&s->page.out, '\n');
}

static int show_taken(const struct admin_call *call, uint64_t id, struct showing *s)
{
    CLEANUP(arena_free) struct arena a = ARENA(REPORT_DMARC_ARENA);
    CLEANUP(buf_free) struct buf packed = BUF(TAKEN_MOST), title = BUF(64);
    struct proc_taken t;
    struct report_taken d;
    int status = admin_report_taken(call, id, &packed, &t);
    if (status != ADMIN_DONE)
        return status;
    buf_printf(&title, "%llu", (unsigned long long)id);
    if (proc_taken_document(&t, &d, &a)) {
        d.wrap = SPAN("taken in");
        put_taken(s, id, buf_str(&title), &t, &d);
        return ADMIN_DONE;
    }
    put_fault(s, buf_str(&title),
              "it was too large to be kept whole (or too much came that day); 'geleit report list' "
              "has its sums");
    return ADMIN_NEGATIVE;
}

static int show(const struct admin_call *call)
{
    struct showing s = {.page = ADMIN_PAGE(admin_colour()), .as_json = call->json};
    int status = ADMIN_DONE;
    s.json = JSON(&s.page.out);
    if (s.as_json)
        json_open(&s.json, NULL, '[');
    for (unsigned i = 1; i < call->word_count; i++) {
        uint64_t id;
        int one = is_taken(call->words[i], &id)
                      ? show_taken(call, id, &s)
                      : admin_report_documents(call->words[i], put, put_fault, &s);
        status = one > status ? one : status;
    }
    if (s.as_json)
        json_close(&s.json, ']');
    int printed = admin_print(&s.page.out);
    buf_free(&s.page.out);
    return printed == ADMIN_DONE ? status : printed;
}

int admin_report(const struct admin_call *call)
{
    static const struct {
        const char *verb;
        unsigned least, most; // words behind it
        int (*run)(const struct admin_call *call);
        bool domain; // one may be named
    } verbs[] = {
        {"show", 1, UINT_MAX, show},
        {"import", 1, UINT_MAX, admin_report_import},
        {"list", 0, 1, admin_report_list, true},
        {"aside", 0, 1, admin_report_aside},
        {"week", 0, 1, admin_report_week, true},
        {"preview", 0, 0, admin_report_preview},
        {"send", 0, 0, admin_report_send},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(call->words[0], verbs[i].verb) != 0)
            continue;
        unsigned words = call->word_count - 1;
        if (words < verbs[i].least)
            return admin_complain("report %s: name at least one file ('-': standard input)",
                                  verbs[i].verb);
        if (verbs[i].domain && words > 1)
            return admin_complain("report %s: name one domain, or none", verbs[i].verb);
        if (words > verbs[i].most)
            return admin_complain(verbs[i].most ? "report %s takes one argument, or none"
                                                : "report %s takes no argument",
                                  verbs[i].verb);
        return verbs[i].run(call);
    }
    return admin_complain("report: '%s' is not known; try 'geleit report show FILE'",
                          call->words[0]);
}
