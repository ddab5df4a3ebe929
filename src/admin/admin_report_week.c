// geleit report week: for each domain and day what we delivered to it, how protected, and what
// others say about it.
#include "admin_report.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_ROOM = 256 << 20, KEY_MAX = 400 };

// ---- one object a domain and day ----

static json_t *day_of(json_t *days, const json_t *row)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%s %s", admin_str(row, "domain"), admin_str(row, "day"));
    json_t *day = json_object_get(days, key);
    if (day)
        return day;
    day = json_pack("{s:s, s:s, s:{}, s:[], s:[]}", "domain", admin_str(row, "domain"), "day",
                    admin_str(row, "day"), "deliveries", "tlsrpt", "dmarc");
    json_object_set_new(days, key, day);
    return day;
}

// A row may come twice, at the border of two pages.
static bool has(const json_t *list, const char *organization)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) if (strcmp(admin_str(one, "organization"), organization) ==
                                         0) return true;
    return false;
}

static void row_add(json_t *days, const json_t *row)
{
    json_t *day = day_of(days, row);
    const char *kind = admin_str(row, "kind"), *who = admin_str(row, "organization");
    bool tls = strcmp(kind, "tlsrpt") == 0;
    if (!*kind) {
        json_object_set_new(json_object_get(day, "deliveries"), admin_str(row, "protection"),
                            json_integer(admin_int(row, "deliveries")));
        return;
    }
    json_t *list = json_object_get(day, tls ? "tlsrpt" : "dmarc");
    if (list && !has(list, who))
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:I, s:I}", "organization", who, "reports",
                            (json_int_t)admin_int(row, "reports"), tls ? "good" : "aligned",
                            (json_int_t)admin_int(row, "good"), tls ? "failed" : "unaligned",
                            (json_int_t)admin_int(row, "bad")));
}

static int key_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// As a list, by domain and day.
static json_t *sorted(json_t *days)
{
    size_t count = json_object_size(days), n = 0;
    const char **keys = mem_new((count ? count : 1) * sizeof *keys);
    json_t *out = json_array(), *day;
    const char *key;
    json_object_foreach(days, key, day) keys[n++] = key;
    qsort(keys, n, sizeof *keys, key_order);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, json_object_get(days, keys[i]));
    free(keys);
    return out;
}

static json_t *week_of(struct span text)
{
    json_t *rows = admin_json(text), *days = json_object(), *row;
    size_t i;
    if (rows)
        json_array_foreach(rows, i, row) row_add(days, row);
    json_t *out = rows ? sorted(days) : NULL;
    json_decref(rows);
    json_decref(days);
    return out;
}

// ---- for people ----

static enum admin_ink ink_of(const char *protection)
{
    return strcmp(protection, "clear") == 0       ? INK_BAD
           : strcmp(protection, "encrypted") == 0 ? INK_WARN
                                                  : INK_GOOD;
}

// The day stands before the first line only.
static void line_begin(struct admin_page *p, const char **day, const char *what)
{
    admin_putf(p, INK_NONE, "  %-10s  ", *day);
    admin_putf(p, INK_DIM, "%-9s  ", what);
    *day = "";
}

static void deliveries(struct admin_page *p, const json_t *o, const char **day)
{
    const char *how;
    json_t *all = json_object_get(o, "deliveries"), *count;
    bool first = true;
    if (!json_object_size(all))
        return;
    line_begin(p, day, "delivered");
    json_object_foreach(all, how, count)
    {
        admin_put(p, INK_NONE, first ? SPAN("") : SPAN(", "));
        admin_putf(p, ink_of(how), "%lld %s", (long long)json_integer_value(count), how);
        first = false;
    }
    buf_putc(&p->out, '\n');
}

static void told(struct admin_page *p, const json_t *o, const char *kind, const char **day)
{
    bool tls = strcmp(kind, "tlsrpt") == 0;
    const char *good = tls ? "good" : "aligned", *bad = tls ? "failed" : "unaligned";
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(o, kind), i, one)
    {
        line_begin(p, day, tls ? "TLS" : "DMARC");
        admin_putf(p, INK_GOOD, "%lld %s", (long long)admin_int(one, good), good);
        admin_put(p, INK_NONE, SPAN(", "));
        admin_putf(p, admin_int(one, bad) ? INK_BAD : INK_DIM, "%lld %s",
                   (long long)admin_int(one, bad), bad);
        admin_putf(p, INK_NONE, "  says %s", admin_str(one, "organization"));
        buf_putc(&p->out, '\n');
    }
}

static int show(const json_t *week)
{
    struct admin_page page = ADMIN_PAGE(admin_colour());
    const char *domain = "";
    size_t i;
    json_t *o;
    json_array_foreach(week, i, o)
    {
        const char *day = admin_str(o, "day");
        if (strcmp(domain, admin_str(o, "domain")) != 0)
            admin_report_say(&page, INK_BOLD, admin_str(o, "domain"));
        domain = admin_str(o, "domain");
        deliveries(&page, o, &day);
        told(&page, o, "tlsrpt", &day);
        told(&page, o, "dmarc", &day);
    }
    if (!json_array_size(week))
        admin_report_say(&page, INK_DIM,
                         "In the last seven days nothing was delivered, and nobody told of them.");
    return admin_report_print(&page);
}

int admin_report_week(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM);
    struct dns_name domain;
    if (!admin_report_domain(call, &domain))
        return ADMIN_USAGE;
    int status =
        admin_report_ask(call, CONTROL_REPORT_WEEK,
                         dns_name_is_root(&domain) ? SPAN("") : dns_name_span(&domain), &all);
    json_t *week = status == ADMIN_DONE ? week_of(buf_span(&all)) : NULL;
    if (!week)
        return status == ADMIN_DONE ? ADMIN_LATER : status;
    if (call->json)
        return admin_report_put_json(week);
    status = show(week);
    json_decref(week);
    return status;
}
