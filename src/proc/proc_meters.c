// What every role answers the web role: its meters, and what the process itself is.
#include "proc_inner.h"

#include "base_meter.h"

#include <sys/resource.h>

static int64_t us_of(struct timeval t)
{
    return SECONDS(t.tv_sec) + t.tv_usec;
}

void proc_meters_put(struct proc *p, struct buf *b)
{
    struct rusage used = {0};
    if (p->role->measure && p->data)
        p->role->measure(p);
    (void)getrusage(RUSAGE_SELF, &used);
    wr_i64(b, proc_inner(p)->began.us);
    wr_i64(b, us_of(used.ru_utime) + us_of(used.ru_stime));
    wr_i64(b, used.ru_maxrss * INT64_C(1024));
    meter_pack(b);
}

bool proc_meters_answer(struct proc_peer *peer, const struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    if (m->payload.len)
        return false;
    proc_meters_put(peer->proc, &b);
    proc_send(peer, MSG_METERS_ARE, m->ticket, buf_span(&b), -1);
    return true;
}
