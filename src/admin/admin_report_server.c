// geleit report list, aside, week, preview, send, show ID: asked of the running server.
#include "admin_report.h"

#include <string.h>
#include <unistd.h>

enum { LIST_ROOM = 256 << 20 };
#define PATIENCE SECONDS(90)

static int ask_all(const struct admin_call *call, enum control_verb verb, struct buf *all)
{
    struct admin_server s;
    struct control_request q = {.verb = verb};
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

static int print_page(struct admin_page *page)
{
    int status = admin_print(&page->out);
    buf_free(&page->out);
    return status;
}

static int rows(const struct admin_call *call, struct buf *all, const char *none,
                void (*row)(struct admin_page *p, const json_t *o))
{
    if (call->json) {
        buf_putc(all, '\n');
        return admin_print(all);
    }
    json_t *list = admin_json(buf_span(all));
    if (!list)
        return ADMIN_LATER;
    struct admin_page page = ADMIN_PAGE(admin_colour());
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++)
        row(&page, json_array_get(list, i));
    if (!count)
        admin_putf(&page, INK_DIM, "%s\n", none);
    json_decref(list);
    return print_page(&page);
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
    int status = ask_all(call, CONTROL_REPORT_LIST, &all);
    return status == ADMIN_DONE ? rows(call, &all, "No report of others was taken in.", taken_row)
                                : status;
}

static void aside_row(struct admin_page *p, const json_t *o)
{
    admin_putf(p, INK_DIM, "%6lld  ", (long long)admin_int(o, "id"));
    admin_putf(p, INK_NONE, "%.19s  %-4s  %9lld  ", admin_str(o, "when"), admin_str(o, "way"),
               (long long)admin_int(o, "size"));
    admin_putf(p, INK_BOLD, "%s", *admin_str(o, "from") ? admin_str(o, "from") : "<>");
    admin_putf(p, INK_WARN, "  %s\n", admin_str(o, "why"));
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
    int status = ask_all(call, CONTROL_REPORT_ASIDE, &all);
    return status == ADMIN_DONE ? rows(call, &all, "Nothing was put aside.", aside_row) : status;
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

static void week_row(struct admin_page *p, const json_t *o)
{
    const char *how = admin_str(o, "protection");
    enum admin_ink ink = strcmp(how, "clear") == 0       ? INK_BAD
                         : strcmp(how, "encrypted") == 0 ? INK_WARN
                                                         : INK_GOOD;
    admin_putf(p, INK_NONE, "%s  ", admin_str(o, "day"));
    admin_putf(p, INK_BOLD, "%-30s ", admin_str(o, "domain"));
    admin_putf(p, ink, "%-10s", how);
    admin_putf(p, INK_NONE, "%9lld\n", (long long)admin_int(o, "deliveries"));
}

int admin_report_week(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM);
    int status = ask_all(call, CONTROL_REPORT_WEEK, &all);
    return status == ADMIN_DONE
               ? rows(call, &all, "Nothing was delivered to others in the last seven days.",
                      week_row)
               : status;
}

static void preview_row(struct admin_page *p, const json_t *o)
{
    bool tls = strcmp(admin_str(o, "kind"), "tlsrpt") == 0;
    const json_t *rua = admin_at(o, "rua");
    admin_putf(p, INK_NONE, "%s  %-6s  ", admin_str(o, "day"), admin_str(o, "kind"));
    admin_putf(p, INK_BOLD, "%-30s ", admin_str(o, "domain"));
    admin_putf(p, INK_NONE, "%9lld %s\n", (long long)admin_int(o, tls ? "sessions" : "messages"),
               tls ? "sessions" : "messages");
    for (size_t i = 0; i < json_array_size(rua); i++)
        admin_line(p, "            ", "to", INK_NONE, json_string_value(json_array_get(rua, i)));
}

static int preview_show(struct span text)
{
    json_t *o = admin_json(text);
    if (!o)
        return ADMIN_LATER;
    struct admin_page page = ADMIN_PAGE(admin_colour());
    const json_t *reports = admin_at(o, "reports");
    for (size_t i = 0; i < json_array_size(reports); i++)
        preview_row(&page, json_array_get(reports, i));
    if (admin_bool(o, "more"))
        admin_putf(&page, INK_WARN, "There are more.\n");
    if (!json_array_size(reports))
        admin_putf(&page, INK_DIM, "There is nothing to report.\n");
    if (!*admin_str(o, "from"))
        admin_putf(&page, INK_WARN, "report.from is not set: none of this will be sent.\n");
    json_decref(o);
    return print_page(&page);
}

int admin_report_preview(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf out = BUF(LIST_ROOM);
    int status = ask_one(call, CONTROL_REPORT_PREVIEW, 0, &out);
    if (status != ADMIN_DONE)
        return status;
    if (!call->json)
        return preview_show(buf_span(&out));
    buf_putc(&out, '\n');
    return admin_print(&out);
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
