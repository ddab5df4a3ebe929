// geleit report list, aside, preview, send, show ID: asked of the running server.
#include "admin_report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_ROOM = 256 << 20, WORD_ROOM = 2048 };
#define PATIENCE SECONDS(90)

int admin_report_ask(const struct admin_call *call, enum control_verb verb, struct span word,
                     struct buf *all)
{
    struct admin_server s;
    struct control_request q = {.verb = verb, .word = word};
    struct control_answer a;
    int status = admin_server_open(&s, call);
    if (status != ADMIN_DONE)
        return status;
    buf_putc(all, '[');
    do {
        status = admin_server_ask(&s, &q, &a, PATIENCE);
        if (status != ADMIN_DONE)
            break;
        struct span inside = span_first(span_skip(a.json, 1), a.json.len < 2 ? 0 : a.json.len - 2);
        if (inside.len && all->len > 1)
            buf_putc(all, ',');
        buf_put(all, inside);
        q.id = a.next_id;
    } while (a.next_id);
    buf_putc(all, ']');
    admin_server_close(&s);
    return status;
}

static int ask_one(const struct admin_call *call, enum control_verb verb, uint64_t id,
                   struct buf *out)
{
    struct admin_server s;
    struct control_request q = {.verb = verb, .id = id};
    struct control_answer a;
    int status = admin_server_open(&s, call);
    if (status != ADMIN_DONE)
        return status;
    status = admin_server_ask(&s, &q, &a, PATIENCE);
    if (status == ADMIN_DONE)
        buf_put(out, a.json);
    admin_server_close(&s);
    return status;
}

void admin_report_say(struct admin_page *p, enum admin_ink ink, const char *sentence)
{
    admin_put(p, ink, span_str(sentence));
    buf_putc(&p->out, '\n');
}

int admin_report_print(struct admin_page *page)
{
    int status = admin_print(&page->out);
    buf_free(&page->out);
    return status;
}

bool admin_report_domain(const struct admin_call *call, struct dns_name *out)
{
    *out = (struct dns_name){0};
    const char *wrong = call->word_count > 1 ? control_domain(span_str(call->words[1]), out) : NULL;
    if (wrong)
        admin_complain("report %s: '%s' %s", call->words[0], call->words[1], wrong);
    return !wrong;
}

int admin_report_put_json(json_t *o)
{
    CLEANUP(buf_free) struct buf b = BUF(LIST_ROOM);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    buf_put(&b, span_str(text ? text : "null"));
    buf_putc(&b, '\n');
    free(text);
    return admin_print(&b);
}

static json_t *only(json_t *list, const struct dns_name *domain)
{
    json_t *out = json_array(), *one;
    size_t i;
    json_array_foreach(list, i, one) if (dns_name_is_root(domain) ||
                                         strcmp(admin_str(one, "domain"), domain->text) == 0)
        json_array_append(out, one);
    json_decref(list);
    return out;
}

// The list as it is, or a line for each; frees it. An exit status.
static int rows(const struct admin_call *call, json_t *list, const char *none,
                void (*row)(struct admin_page *p, const json_t *o))
{
    if (call->json)
        return admin_report_put_json(list);
    struct admin_page page = ADMIN_PAGE(admin_colour());
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++)
        row(&page, json_array_get(list, i));
    if (!count)
        admin_report_say(&page, INK_DIM, none);
    json_decref(list);
    return admin_report_print(&page);
}

static void taken_row(struct admin_page *p, const json_t *o)
{
    bool tls = strcmp(admin_str(o, "kind"), "tlsrpt") == 0;
    admin_putf(p, INK_DIM, "%6lld  ", (long long)admin_int(o, "id"));
    admin_putf(p, INK_NONE, "%s  %-6s  ", admin_str(o, "day"), admin_str(o, "kind"));
    admin_putf(p, INK_BOLD, "%-30s ", admin_str(o, "domain"));
    admin_putf(p, INK_GOOD, "%9lld good ", (long long)admin_int(o, "good"));
    admin_putf(p, admin_int(o, "bad") ? INK_BAD : INK_DIM, "%9lld %s",
               (long long)admin_int(o, "bad"), tls ? "failed    " : "unaligned ");
    admin_putf(p, INK_NONE, " by %s", admin_str(o, "organization"));
    if (*admin_str(o, "remark"))
        admin_putf(p, INK_WARN, "  (%s)", admin_str(o, "remark"));
    buf_putc(&p->out, '\n');
}

int admin_report_list(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM);
    struct dns_name domain;
    if (!admin_report_domain(call, &domain))
        return ADMIN_USAGE;
    int status = admin_report_ask(call, CONTROL_REPORT_LIST, SPAN(""), &all);
    json_t *list = status == ADMIN_DONE ? admin_json(buf_span(&all)) : NULL;
    if (!list)
        return status == ADMIN_DONE ? ADMIN_LATER : status;
    return rows(call, only(list, &domain), "No report of others was taken in.", taken_row);
}

static void aside_row(struct admin_page *p, const json_t *o)
{
    admin_putf(p, INK_DIM, "%6lld  ", (long long)admin_int(o, "id"));
    admin_putf(p, INK_NONE, "%.19s  %-4s  %9lld  ", admin_str(o, "when"), admin_str(o, "way"),
               (long long)admin_int(o, "size"));
    admin_putf(p, INK_BOLD, "%s", *admin_str(o, "from") ? admin_str(o, "from") : "<>");
    admin_putf(p, INK_WARN, "  %s", admin_str(o, "why"));
    buf_putc(&p->out, '\n');
}

// As they came, so that another program may look at them: a terminal is not for that.
static int aside_bytes(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf out = BUF(LIST_ROOM);
    uint64_t id;
    if (!span_number(span_str(call->words[1]), INT64_MAX, &id))
        return admin_complain("report aside: '%s' is no number that 'geleit report aside' lists",
                              call->words[1]);
    if (isatty(STDOUT_FILENO))
        return admin_complain("report aside %s: these are bytes of a stranger, which may steer a "
                              "terminal; send them to a file or a pipe",
                              call->words[1]);
    int status = ask_one(call, CONTROL_REPORT_ASIDE_BYTES, id, &out);
    return status == ADMIN_DONE ? admin_print(&out) : status;
}

int admin_report_aside(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM);
    if (call->word_count > 1)
        return aside_bytes(call);
    int status = admin_report_ask(call, CONTROL_REPORT_ASIDE, SPAN(""), &all);
    json_t *list = status == ADMIN_DONE ? admin_json(buf_span(&all)) : NULL;
    if (!list)
        return status == ADMIN_DONE ? ADMIN_LATER : status;
    return rows(call, list, "Nothing was put aside.", aside_row);
}

int admin_report_taken(const struct admin_call *call, uint64_t id, struct buf *packed,
                       struct proc_taken *t)
{
    int status = ask_one(call, CONTROL_REPORT_GET, id, packed);
    struct rd r = RD(buf_span(packed));
    if (status != ADMIN_DONE || proc_taken_unpack(&r, t))
        return status;
    admin_complain("report %llu: the server's answer makes no sense", (unsigned long long)id);
    return ADMIN_LATER;
}

static void preview_row(struct admin_page *p, const json_t *o)
{
    bool tls = strcmp(admin_str(o, "kind"), "tlsrpt") == 0;
    const json_t *rua = admin_at(o, "rua");
    admin_putf(p, INK_NONE, "%s  %-6s  ", admin_str(o, "day"), admin_str(o, "kind"));
    admin_putf(p, INK_BOLD, "%-30s ", admin_str(o, "domain"));
    admin_putf(p, INK_NONE, "%9lld %s", (long long)admin_int(o, tls ? "sessions" : "messages"),
               tls ? "sessions" : "messages");
    buf_putc(&p->out, '\n');
    for (size_t i = 0; i < json_array_size(rua); i++)
        admin_line(p, "            ", "to", INK_NONE, json_string_value(json_array_get(rua, i)));
}

static int preview_show(const json_t *o)
{
    struct admin_page page = ADMIN_PAGE(admin_colour());
    const json_t *reports = admin_at(o, "reports");
    for (size_t i = 0; i < json_array_size(reports); i++)
        preview_row(&page, json_array_get(reports, i));
    if (!json_array_size(reports))
        admin_report_say(&page, INK_DIM, "There is nothing to report.");
    if (!*admin_str(o, "from"))
        admin_report_say(&page, INK_WARN, "report.from is not set: none of this will be sent.");
    return admin_report_print(&page);
}

// The pages as one; NULL: *status says why.
static json_t *preview_whole(struct admin_server *s, int *status)
{
    CLEANUP(buf_free) struct buf word = BUF(WORD_ROOM);
    json_t *whole = NULL;
    do {
        struct control_request q = {.verb = CONTROL_REPORT_PREVIEW, .word = buf_span(&word)};
        struct control_answer a;
        *status = admin_server_ask(s, &q, &a, PATIENCE);
        json_t *page = *status == ADMIN_DONE ? admin_json(a.json) : NULL;
        if (!page) {
            json_decref(whole);
            return NULL;
        }
        buf_clear(&word);
        buf_put(&word, a.next_word);
        if (whole)
            json_array_extend(json_object_get(whole, "reports"), json_object_get(page, "reports"));
        else
            whole = json_incref(page);
        json_decref(page);
    } while (word.len);
    return whole;
}

int admin_report_preview(const struct admin_call *call)
{
    struct admin_server s;
    int status = admin_server_open(&s, call);
    if (status != ADMIN_DONE)
        return status;
    json_t *whole = preview_whole(&s, &status);
    admin_server_close(&s);
    if (!whole)
        return status == ADMIN_DONE ? ADMIN_LATER : status;
    if (call->json)
        return admin_report_put_json(whole);
    status = preview_show(whole);
    json_decref(whole);
    return status;
}

int admin_report_send(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf out = BUF(LIST_ROOM);
    int status = ask_one(call, CONTROL_REPORT_SEND, 0, &out);
    if (status != ADMIN_DONE)
        return status;
    if (call->json)
        buf_putc(&out, '\n');
    else {
        buf_clear(&out);
        buf_put(&out, SPAN("The reports about yesterday that are left are being sent; the log "
                           "says what becomes of each.\n"));
    }
    return admin_print(&out);
}
