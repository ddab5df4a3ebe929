// The week at a glance, as JSON: what was delivered how, and what others say about it.
#include "proc_store.h"

#include "base_json.h"
#include "store_tally.h"

enum { PAGE = 2 << 20, DAYS = 7 };

struct week {
    struct buf out;
    struct json json;
    uint64_t known, row; // rows the asker has; rows seen
    bool more;
};

// Whether the row is one to be told. Rows that come in between move others behind, never before.
static bool row_is_new(struct week *w)
{
    if (w->row < w->known) {
        w->row++;
        return false;
    }
    w->more = w->out.len > PAGE;
    w->row += !w->more;
    return !w->more;
}

static void row_open(struct week *w, int64_t day, struct span domain)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    time_put_iso(&b, (struct wall){day * SECONDS(86400)});
    json_open(&w->json, NULL, '{');
    json_str(&w->json, "day", span_first(buf_span(&b), 10));
    json_str(&w->json, "domain", domain);
}

static bool delivery_one(void *arg, const struct store_delivery_row *d)
{
    struct week *w = arg;
    if (!row_is_new(w))
        return !w->more;
    row_open(w, d->day, d->domain);
    json_str(&w->json, "protection", span_str(store_protection_text(d->protection)));
    json_int(&w->json, "deliveries", (int64_t)d->count);
    json_close(&w->json, '}');
    return true;
}

static bool told_one(void *arg, const struct store_told_row *t)
{
    struct week *w = arg;
    if (!row_is_new(w))
        return !w->more;
    row_open(w, t->day, t->domain);
    json_str(&w->json, "kind", t->kind == STORE_ABOUT_TLS ? SPAN("tlsrpt") : SPAN("dmarc"));
    json_str(&w->json, "organization", t->organization);
    json_int(&w->json, "reports", (int64_t)t->reports);
    json_int(&w->json, "good", (int64_t)t->good);
    json_int(&w->json, "bad", (int64_t)t->bad);
    json_close(&w->json, '}');
    return true;
}

static struct rc rows(struct store_role *r, struct week *w, struct span domain)
{
    int64_t today = store_day(io_wall(r->proc->loop)), from = today - DAYS + 1;
    if (!r->history)
        return RC(UNAVAILABLE);
    TRY(store_deliveries(r->history, from, today, domain, delivery_one, w));
    return w->more ? RC(OK) : store_told(r->history, from, today, domain, told_one, w);
}

bool proc_report_week(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    struct week w = {.out = BUF(IO_MESSAGE_MAX - 1024), .known = rd_u64(&rd)};
    struct span domain = rd_span(&rd);
    if (!rd_end(&rd))
        return false;
    proc_group_flush(r);
    w.json = JSON(&w.out);
    json_open(&w.json, NULL, '[');
    struct rc rc = rows(r, &w, domain);
    json_close(&w.json, ']');
    wr_u8(&b, (uint8_t)rc.code);
    wr_u64(&b, w.more ? w.row : 0);
    wr_span(&b, buf_span(&w.out));
    proc_send(peer, MSG_REPORT_WEEK_IS, m->ticket, buf_span(&b), -1);
    buf_free(&w.out);
    return true;
}
