// The queue's commands: put to the store, whose documents are handed on.
#include "proc_control.h"

#include "store_queue.h"

#define PATIENCE SECONDS(60)

static const char *phrase(struct rc rc)
{
    return rc.code == RC_UNAVAILABLE ? "the store is not open now; the log says why"
           : rc.code == RC_FULL      ? "there is more to it than can be shown"
                                     : rc_text(rc);
}

// False: the question failed and the client has been told.
static bool fine(struct control_job *j, struct rd *r, bool well, struct rc rc)
{
    if (!r || !well)
        control_refuse(j, CONTROL_LATER, "the store does not answer now");
    else if (rc.code == RC_NOT_FOUND)
        control_refuse(j, CONTROL_NO, "no message %llx is in the queue%s",
                       (unsigned long long)j->request.id,
                       j->request.verb == CONTROL_QUEUE_SHOW ? ", or in the history" : "");
    else if (!rc_ok(rc))
        control_refuse(j, CONTROL_LATER, "%s", phrase(rc));
    else
        return true;
    return false;
}

static bool listed(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    uint64_t next = rd_u64(&r);
    struct span json = rd_span(&r);
    bool well = rd_end(&r);
    if (fine(j, m ? &r : NULL, well, rc))
        control_tell(
            j, &(struct control_answer){.result = CONTROL_DONE, .json = json, .next_id = next});
    return !m || well;
}

static bool shown(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    struct span json = rd_span(&r);
    bool well = rd_end(&r);
    if (fine(j, m ? &r : NULL, well, rc))
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE, .json = json});
    return !m || well;
}

static bool changed(void *arg, struct io_message *m)
{
    struct control_job *j = arg;
    struct rd r = RD(m ? m->payload : SPAN(""));
    struct rc rc = {(enum rc_code)rd_enum(&r, RC_COUNT)};
    uint64_t count = rd_u64(&r);
    bool well = rd_end(&r);
    CLEANUP(buf_free) struct buf b = BUF(256);
    buf_printf(&b, "{\"id\":\"%llx\",\"recipients\":%llu}", (unsigned long long)j->request.id,
               (unsigned long long)count);
    if (fine(j, m ? &r : NULL, well, rc))
        control_tell(j, &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&b)});
    return !m || well;
}

static void ask(struct control_job *j, enum proc_message kind, const struct buf *b,
                proc_answered answered)
{
    if (proc_peer(j->control->proc, PROC_STORE, 0))
        proc_ask(j->control->proc, PROC_STORE, 0, kind, buf_span(b), PATIENCE, answered, j);
    else
        control_refuse(j, CONTROL_LATER, "the store is not running now; the log says why");
}

void control_queue_list(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u64(&b, j->request.id);
    ask(j, MSG_QUEUE_LIST, &b, listed);
}

void control_queue_show(struct control_job *j)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u64(&b, j->request.id);
    ask(j, MSG_QUEUE_SHOW, &b, shown);
}

void control_queue_change(struct control_job *j)
{
    static const enum store_change changes[CONTROL_VERBS] = {
        [CONTROL_QUEUE_RETRY] = STORE_RETRY,
        [CONTROL_QUEUE_HOLD] = STORE_HOLD,
        [CONTROL_QUEUE_RELEASE] = STORE_RELEASE,
        [CONTROL_QUEUE_DELETE] = STORE_DELETE,
    };
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u64(&b, j->request.id);
    wr_u8(&b, (uint8_t)changes[j->request.verb]);
    ask(j, MSG_QUEUE_CHANGE, &b, changed);
}
