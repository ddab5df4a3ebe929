// geleit report import FILE...: reports of others into the history. Each file is read by a
// child of its own; one that is broken stops none of the others.
#include "admin_report.h"

#include <stdio.h>
#include <unistd.h>

#define PATIENCE SECONDS(90)

struct importing {
    struct admin_server server;
    struct admin_page page;
    struct json json;
    bool as_json;
    int status;
    size_t taken, known, broken;
};

static void say(struct importing *x, const char *path, const struct proc_taken *t, bool fresh)
{
    if (x->as_json) {
        json_open(&x->json, NULL, '{');
        json_str(&x->json, "file", span_str(path));
        json_str(&x->json, "kind", span_str(report_kind_text((enum report_kind)t->kind)));
        json_str(&x->json, "organization", t->organization);
        json_str(&x->json, "domain", t->domain);
        json_bool(&x->json, "new", fresh);
        json_bool(&x->json, "whole", t->content.len > 0);
        json_close(&x->json, '}');
        return;
    }
    admin_put(&x->page, INK_BOLD, span_str(path));
    admin_putf(&x->page, INK_NONE, "  %s about ", report_kind_text((enum report_kind)t->kind));
    admin_put(&x->page, INK_NONE, t->domain);
    admin_put(&x->page, INK_NONE, SPAN(" by "));
    admin_put(&x->page, INK_NONE, t->organization);
    admin_put(&x->page, fresh ? INK_GOOD : INK_DIM,
              fresh ? SPAN("  new") : SPAN("  known already"));
    if (!t->content.len)
        admin_put(&x->page, INK_WARN, SPAN("  only its sums are kept, it is too large"));
    buf_putc(&x->page.out, '\n');
}

static void document(void *arg, const char *path, const struct report_taken *d)
{
    struct importing *x = arg;
    struct proc_taken t;
    struct control_answer a;
    CLEANUP(buf_free) struct buf content = BUF(PROC_TAKEN_MAX), b = BUF(2 * PROC_TAKEN_MAX);
    if (x->status == ADMIN_LATER)
        return;
    proc_taken_of(&t, &content, d);
    t.way = REPORT_WAY_FILE;
    t.who = span_str(path);
    proc_taken_pack(&b, &t);
    struct control_request q = {.verb = CONTROL_REPORT_TAKE, .questions = buf_span(&b)};
    int status = admin_server_ask(&x->server, &q, &a, PATIENCE);
    if (status != ADMIN_DONE) {
        x->status = status;
        return;
    }
    bool fresh = span_eq(a.json, SPAN("{\"new\":true}"));
    x->taken += fresh;
    x->known += !fresh;
    say(x, path, &t, fresh);
}

static void broken(void *arg, const char *path, const char *why)
{
    struct importing *x = arg;
    x->broken++;
    admin_complain("%s: %s", path, why);
}

static void progress(size_t done, size_t all)
{
    if (all > 20 && isatty(STDERR_FILENO))
        fprintf(stderr, "\r%zu of %zu files%s", done, all, done == all ? "\n" : "");
}

int admin_report_import(const struct admin_call *call)
{
    struct importing x = {.page = ADMIN_PAGE(admin_colour()), .as_json = call->json};
    int status = admin_server_open(&x.server, call);
    if (status != ADMIN_DONE)
        return status;
    x.json = JSON(&x.page.out);
    if (x.as_json)
        json_open(&x.json, NULL, '[');
    for (unsigned i = 1; i < call->word_count && x.status != ADMIN_LATER; i++) {
        int one = admin_report_documents(call->words[i], document, broken, &x);
        x.status = one > x.status ? one : x.status;
        progress(i, call->word_count - 1);
    }
    admin_server_close(&x.server);
    if (x.as_json)
        json_close(&x.json, ']');
    else
        admin_putf(&x.page, INK_DIM, "%zu new, %zu known already, %zu broken.", x.taken, x.known,
                   x.broken);
    if (!x.as_json)
        buf_putc(&x.page.out, '\n');
    status = admin_print(&x.page.out);
    buf_free(&x.page.out);
    return status == ADMIN_DONE ? x.status : status;
}
