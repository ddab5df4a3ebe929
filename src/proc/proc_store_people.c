// What control asks the store for people: the queue, what happened to a message,
// the policies. The documents are made here, where the data is.
#include "proc_store.h"

#include "base_json.h"
#include "base_log.h"

#include <stdio.h>

enum {
    LIST_MOST = 200,      // messages a piece
    LIST_ROOM = 3 << 20,  // and bytes
    SHOW_ROOM = 16 << 20, // of a message in memory
    ATTEMPTS_MOST = 1000,
    NAMED_MOST = 20,    // recipients named in a list
    POLICIES_MOST = 40, // a piece; each may have 64 KiB
};

static const char *const states[STORE_STATES] = {
    [STATE_PENDING] = "pending", [STATE_OWED] = "owed", [STATE_HELD] = "held"};
static const char *const notices[STORE_NOTICES] = {"",        "failed",   "delayed", "delivered",
                                                   "relayed", "expanded", "redacted"};

static void put_id(struct json *j, uint64_t id)
{
    char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)id);
    json_str(j, "id", span_str(text));
}

static void put_time(struct json *j, const char *key, struct wall t)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    if (t.us == WALL_NEVER.us) {
        json_none(j, key);
        return;
    }
    time_put_iso(&b, t);
    json_str(j, key, buf_span(&b));
}

static void put_head(struct store_role *r, struct json *j, const struct store_envelope *e,
                     const struct store_tally *t)
{
    put_id(j, e->id);
    put_time(j, "received", e->received);
    json_int(j, "age_s", (io_wall(r->proc->loop).us - e->received.us) / US_PER_S);
    json_int(j, "size", (int64_t)(e->head.len + e->body.length));
    json_str(j, "sender", e->sender);
    for (unsigned i = 0; i < STORE_STATES; i++)
        json_int(j, states[i], (int64_t)t->count[i]);
    json_int(j, "delay_notices", (int64_t)t->delays);
    put_time(j, "due", t->due);
}

// The reason of whoever was tried last is what keeps the message here.
static struct span last_reason(const struct store_envelope *e)
{
    const struct store_recipient *last = NULL;
    for (size_t i = 0; i < e->count; i++)
        if (e->recipients[i].reason.len && (!last || e->recipients[i].attempts > last->attempts))
            last = &e->recipients[i];
    return last ? last->reason : (struct span){NULL, 0};
}

struct listing {
    struct store_role *role;
    uint64_t ids[LIST_MOST];
    size_t count;
};

static void list_one(void *arg, uint64_t id)
{
    struct listing *l = arg;
    l->ids[l->count++] = id;
}

static struct rc put_row(struct store_role *r, struct json *j, uint64_t id)
{
    CLEANUP(arena_free) struct arena a = ARENA(SHOW_ROOM);
    struct store_envelope e;
    struct store_tally t;
    TRY(store_show(r->store, id, &a, &e, &t));
    json_open(j, NULL, '{');
    put_head(r, j, &e, &t);
    json_open(j, "recipients", '[');
    for (size_t i = 0, named = 0; i < e.count && named < NAMED_MOST; i++) {
        if (e.recipients[i].notice == STORE_NOTICE_DELAYED) // who waits is named already
            continue;
        json_str(j, NULL, e.recipients[i].address);
        named++;
    }
    json_close(j, ']');
    json_str(j, "reason", last_reason(&e));
    json_close(j, '}');
    return RC(OK);
}

static struct rc list(struct store_role *r, uint64_t after, struct buf *b, uint64_t *next)
{
    struct listing l = {.role = r};
    struct json j = JSON(b);
    if (!r->store)
        return RC(UNAVAILABLE);
    TRY(store_list(r->store, after, LIST_MOST, list_one, &l));
    json_open(&j, NULL, '[');
    size_t done = 0;
    for (; done < l.count && b->len < LIST_ROOM; done++)
        TRY(put_row(r, &j, l.ids[done]));
    json_close(&j, ']');
    *next = done == LIST_MOST || done < l.count ? l.ids[done - 1] : 0;
    return buf_state(b);
}

bool proc_people_list(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf json = BUF(IO_MESSAGE_MAX - 64), b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    uint64_t after = rd_u64(&rd), next = 0;
    if (!rd_end(&rd))
        return false;
    struct rc rc = list(r, after, &json, &next);
    wr_u8(&b, (uint8_t)rc.code);
    wr_u64(&b, next);
    wr_span(&b, rc_ok(rc) ? buf_span(&json) : SPAN(""));
    proc_send(peer, MSG_QUEUE_LISTED, m->ticket, buf_span(&b), -1);
    return true;
}

// ---- one message, whole ----

// As RCPT has it (RFC 3461 §4.1); empty: it was not given.
static struct span notify_text(unsigned bits)
{
    static const char *const texts[] = {
        "",      "SUCCESS",       "FAILURE",       "SUCCESS,FAILURE",
        "DELAY", "SUCCESS,DELAY", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY",
    };
    return span_str(bits & STORE_NOTIFY_NEVER ? "NEVER" : texts[bits / 2 % 8]);
}

static void put_recipient(struct json *j, const struct store_recipient *who)
{
    json_open(j, NULL, '{');
    json_str(j, "address", who->address);
    json_str(j, "domain", who->domain);
    json_str(j, "state", span_str(states[who->state]));
    json_str(j, "notice", span_str(notices[who->notice]));
    json_str(j, "return_path", who->return_path);
    json_str(j, "notify", notify_text(who->notify));
    json_str(j, "orcpt", who->orcpt);
    json_int(j, "attempts", who->attempts);
    put_time(j, "due", who->state == STATE_PENDING ? who->due : WALL_NEVER);
    json_str(j, "status", who->status);
    json_str(j, "reason", who->reason);
    json_str(j, "host", who->remote);
    json_str(j, "reply", who->diagnostic);
    json_close(j, '}');
}

struct attempts {
    struct buf *out; // of the document
    struct json *json;
    size_t count, left_out;
};

// Stored by us, but by way of a file: what does not look like JSON would spoil all.
static struct span document(struct span s, char bracket)
{
    return s.len >= 2 && s.at[0] == bracket ? s : SPAN("null");
}

static bool put_attempt(void *arg, const struct store_attempt *a)
{
    struct attempts *x = arg;
    struct json *j = x->json;
    size_t more = a->plan.len + a->sessions.len + a->recipients.len + 4096;
    if (x->out->len + more > LIST_ROOM) {
        x->left_out++;
        return true;
    }
    x->count++;
    json_open(j, NULL, '{');
    put_time(j, "at", a->when);
    json_str(j, "domain", a->domain);
    json_str(j, "decision", a->decision);
    json_str(j, "reason", a->reason);
    json_int(j, "duration_ms", a->duration_us / US_PER_MS);
    json_raw(j, "recipients", document(a->recipients, '['));
    json_raw(j, "sessions", document(a->sessions, '['));
    json_raw(j, "plan", document(a->plan, '{'));
    json_close(j, '}');
    return true;
}

static const char *const rets[] = {"", "FULL", "HDRS"}; // RFC 3461 §4.3

static void put_envelope(struct store_role *r, struct json *j, const struct store_envelope *e,
                         const struct store_tally *t)
{
    put_head(r, j, e, t);
    json_str(j, "client", e->client);
    json_bool(j, "came_over_tls", e->authenticated_tls);
    json_bool(j, "requiretls", e->requiretls);
    json_bool(j, "tls_required_no", e->tls_required_no);
    json_bool(j, "eight_bit", e->eight_bit);
    json_bool(j, "smtputf8", e->smtputf8);
    json_str(j, "envid", e->envid);
    json_str(j, "ret", span_str(rets[e->ret % 3]));
    json_open(j, "recipients", '[');
    for (size_t i = 0; i < e->count; i++)
        put_recipient(j, &e->recipients[i]);
    json_close(j, ']');
}

static struct rc put_attempts(struct store_role *r, uint64_t id, struct attempts *x)
{
    json_open(x->json, "attempts", '[');
    if (r->history)
        TRY(store_history_of(r->history, id, ATTEMPTS_MOST, put_attempt, x));
    json_close(x->json, ']');
    json_int(x->json, "attempts_left_out", (int64_t)x->left_out);
    return RC(OK);
}

// A message that is delivered or returned is not in the queue; what happened to it
// still is in the history.
static struct rc show(struct store_role *r, uint64_t id, struct buf *b)
{
    CLEANUP(arena_free) struct arena a = ARENA(SHOW_ROOM);
    struct store_envelope e;
    struct store_tally t;
    struct json j = JSON(b);
    struct attempts x = {.out = b, .json = &j};
    if (!r->store)
        return RC(UNAVAILABLE);
    struct rc rc = store_show(r->store, id, &a, &e, &t);
    if (!rc_ok(rc) && rc.code != RC_NOT_FOUND)
        return rc;
    json_open(&j, NULL, '{');
    json_bool(&j, "in_queue", rc_ok(rc));
    if (rc_ok(rc))
        put_envelope(r, &j, &e, &t);
    else
        put_id(&j, id);
    TRY(put_attempts(r, id, &x));
    json_close(&j, '}');
    if (!rc_ok(rc) && x.count == 0)
        return RC(NOT_FOUND);
    return buf_state(b);
}

bool proc_people_show(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf json = BUF(IO_MESSAGE_MAX - 64), b = BUF(IO_MESSAGE_MAX);
    struct rd rd = RD(m->payload);
    uint64_t id = rd_u64(&rd);
    if (!rd_end(&rd))
        return false;
    struct rc rc = show(r, id, &json);
    wr_u8(&b, (uint8_t)rc.code);
    wr_span(&b, rc_ok(rc) ? buf_span(&json) : SPAN(""));
    proc_send(peer, MSG_QUEUE_SHOWN, m->ticket, buf_span(&b), -1);
    return true;
}

// ---- changes, in the group under way ----

struct touching {
    struct store_role *role;
    uint64_t message;
};

static void touch(void *arg, struct span domain)
{
    const struct touching *t = arg;
    proc_group_touched(t->role, t->message, domain);
}

bool proc_people_change(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    static const char *const names[STORE_CHANGES] = {
        [STORE_RETRY] = "retry",
        [STORE_HOLD] = "hold",
        [STORE_RELEASE] = "release",
        [STORE_DELETE] = "delete",
    };
    struct rd rd = RD(m->payload);
    uint64_t id = rd_u64(&rd), count = 0;
    enum store_change what = (enum store_change)rd_enum(&rd, STORE_CHANGES);
    if (!rd_end(&rd))
        return false;
    proc_group_schedule(r);
    proc_damaged_forget(r);
    struct touching t = {r, id};
    struct rc rc = r->store ? store_change(r->store, id, what, io_wall(r->proc->loop), &count)
                            : RC(UNAVAILABLE);
    if (rc_ok(rc) && (what == STORE_RETRY || what == STORE_RELEASE))
        rc = store_domains(r->store, id, touch, &t);
    if (rc_ok(rc) && what == STORE_RELEASE)
        touch(&t, SPAN("")); // notices that were held with it
    char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)id);
    LOG(LOG_INFO, "queue-changed", LOG_T("id", text), LOG_T("by", names[what]),
        LOG_I("recipients", count), LOG_T("outcome", rc_text(rc)));
    proc_group_reply(r, (struct reply){peer, MSG_QUEUE_CHANGED, m->ticket, rc, count});
    return true;
}

// ---- policies ----

struct policies {
    struct buf list;
    uint16_t count;
    struct arena arena;
    struct span last;
};

static void policy_one(void *arg, struct span domain, struct span value)
{
    struct policies *x = arg;
    wr_span(&x->list, domain);
    wr_span(&x->list, value);
    x->last = arena_dup(&x->arena, domain);
    x->count++;
}

bool proc_people_policies(struct store_role *r, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    struct policies x = {.list = BUF(IO_MESSAGE_MAX - 1024), .arena = ARENA(65536)};
    struct rd rd = RD(m->payload);
    struct span after = rd_span(&rd);
    if (!rd_end(&rd))
        return false;
    struct rc rc = r->policy ? store_policy_list(r->policy, after, POLICIES_MOST, policy_one, &x)
                             : RC(UNAVAILABLE);
    wr_u8(&b, (uint8_t)rc.code);
    wr_span(&b, x.count == POLICIES_MOST ? x.last : SPAN(""));
    wr_u16(&b, x.count);
    buf_put(&b, buf_span(&x.list));
    proc_send(peer, MSG_POLICY_LISTED, m->ticket, buf_span(&b), -1);
    buf_free(&x.list);
    arena_free(&x.arena);
    return true;
}
