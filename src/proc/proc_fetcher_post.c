// Reports by POST (RFC 8460 §5.4). Where to is what a stranger's record says: only over https, and
// only to addresses of the Internet, unless report.post_inside says otherwise.
#include "proc_fetcher.h"

#include "base_meter.h"
#include "report_https.h"

#include <stdlib.h>

enum { POSTS_MAX = 16 };

struct fetcher_post {
    struct fetcher_post *next, **at; // of those handed to `https`
    struct fetcher *fetcher;
    struct proc *proc;
    struct proc_asker asker;
    struct fetcher_addresses addresses;
    struct buf copy; // of the message
    struct report_https to;
    struct span media_type, body;
};

static void answer(struct fetcher_post *p, const struct lookup_posted *result)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    wr_u8(&b, (uint8_t)result->rc.code);
    wr_u16(&b, (uint16_t)result->status);
    wr_bool(&b, result->verified || !result->shaken);
    wr_span(&b, span_first(result->why, 2000));
    meter_count(rc_ok(result->rc) ? METER_POST_OK : METER_POST_FAILED, 1);
    p->fetcher->post_count--;
    proc_reply(&p->asker, MSG_REPORT_POSTED, buf_span(&b), -1);
    buf_free(&p->copy);
    free(p);
}

static void refuse(struct fetcher_post *p, struct rc rc, struct span why)
{
    answer(p, &(struct lookup_posted){.rc = rc, .why = why});
}

static void posted(void *arg, const struct lookup_posted *result)
{
    struct fetcher_post *p = arg;
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    answer(p, result);
}

static void post(struct fetcher_post *p)
{
    struct lookup_post what = {.host = p->to.host,
                               .port = p->to.port,
                               .target = p->to.target,
                               .media_type = p->media_type,
                               .body = p->body,
                               .timeout_us = conf_int(p->proc->conf, CONF_report_post_timeout)};
    p->next = p->fetcher->posts;
    p->at = &p->fetcher->posts;
    if (p->next)
        p->next->at = &p->next;
    p->fetcher->posts = p;
    lookup_https_post(p->fetcher->https, &what, p->addresses.at, p->addresses.count, posted, p);
}

// Whatever else stands beside them, those inside are not there.
static void leave_out_inside(struct fetcher_addresses *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->count; i++)
        if (dns_address_is_global(&a->at[i]))
            a->at[kept++] = a->at[i];
    a->count = kept;
}

static void addresses_known(void *arg)
{
    struct fetcher_post *p = arg;
    bool any = p->addresses.count > 0;
    if (!conf_bool(p->proc->conf, CONF_report_post_inside))
        leave_out_inside(&p->addresses);
    if (p->addresses.count)
        post(p);
    else if (p->addresses.unanswered)
        refuse(p, RC(UNAVAILABLE), SPAN("the addresses of its host cannot be learnt now"));
    else if (any)
        refuse(p, RC(DENIED),
               SPAN("its host has no address of the Internet, and "
                    "report.post_inside is not set"));
    else
        refuse(p, RC(UNAVAILABLE), SPAN("its host has no address"));
}

bool fetcher_post(struct fetcher *f, struct proc_peer *peer, struct io_message *m)
{
    struct fetcher_post *p = mem_new(sizeof *p);
    *p = (struct fetcher_post){.fetcher = f, .proc = peer->proc, .copy = BUF(IO_MESSAGE_MAX)};
    p->asker = proc_asker_of(peer, m);
    p->addresses = (struct fetcher_addresses){.proc = p->proc, .known = addresses_known, .arg = p};
    f->post_count++;
    buf_put(&p->copy, m->payload);
    struct rd r = RD(buf_span(&p->copy));
    struct span uri = rd_span(&r);
    p->media_type = rd_span(&r);
    p->body = rd_span(&r);
    if (!rd_end(&r) || !rc_ok(buf_state(&p->copy)))
        refuse(p, RC(MALFORMED), SPAN("the message is malformed"));
    else if (!report_https_parse(&p->to, uri))
        refuse(p, RC(MALFORMED), SPAN("it is no https URI of a host"));
    else if (f->post_count > POSTS_MAX)
        refuse(p, RC(FULL), SPAN("too many posts under way"));
    else
        fetcher_ask(&p->addresses, &p->to.host);
    return true;
}

void fetcher_posts_forgotten(struct fetcher *f)
{
    while (f->posts)
        posted(f->posts, &(struct lookup_posted){.rc = RC(UNAVAILABLE),
                                                 .why = SPAN("the fetcher was reloaded")});
}
