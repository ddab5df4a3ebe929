#include "store_db.h"

static int64_t flags_of(const struct store_envelope *e)
{
    return (e->eight_bit ? FLAG_EIGHT_BIT : 0) | (e->requiretls ? FLAG_REQUIRETLS : 0) |
           (e->tls_required_no ? FLAG_TLS_REQUIRED_NO : 0) | (e->smtputf8 ? FLAG_SMTPUTF8 : 0) |
           (e->authenticated_tls ? FLAG_TLS : 0) | (e->report ? FLAG_REPORT : 0);
}

// One failure undoes the whole group at once, and what comes until the next
// sync is refused with it: a group is there or it is not.
struct rc store_undo(struct store *s, struct rc rc)
{
    store_sql_rollback(&s->sql);
    store_body_settle(&s->body, false);
    s->gathered_count = 0;
    s->gathered++;
    s->failed = rc;
    return rc;
}

static struct rc put_message(struct store *s, const struct store_envelope *e)
{
    struct store_row r = store_row_begin(&s->sql, SQL_PUT_MESSAGE);
    store_row_int(&r, (int64_t)e->id);
    store_row_int(&r, e->received.us);
    store_row_text(&r, e->sender);
    store_row_text(&r, e->client);
    store_row_int(&r, flags_of(e));
    store_row_text(&r, e->envid);
    store_row_int(&r, e->ret);
    store_row_blob(&r, e->head);
    store_row_int(&r, e->body.segment);
    store_row_int(&r, (int64_t)e->body.offset);
    store_row_int(&r, (int64_t)e->body.length);
    store_row_blob(&r, SPAN_OF(e->body.digest.at));
    store_row_int(&r, e->body.cipher);
    store_row_blob(&r, e->wrapped_key);
    return store_row_run(&r);
}

// A notice waits with the message that is held: nobody is told what has not happened.
static struct rc put_recipient(struct store *s, const struct store_recipient *who, struct span hold)
{
    struct store_row r = store_row_begin(&s->sql, SQL_PUT_RECIPIENT);
    store_row_int(&r, (int64_t)who->id);
    store_row_int(&r, hold.len ? STATE_HELD : who->notice ? STATE_OWED : STATE_PENDING);
    store_row_int(&r, hold.len ? WALL_NEVER.us : who->notice ? 0 : who->due.us);
    store_row_int(&r, who->attempts);
    store_row_int(&r, who->notify);
    store_row_text(&r, who->domain);
    store_row_text(&r, who->address);
    store_row_text(&r, who->orcpt);
    store_row_text(&r, who->notice ? who->reason : hold);
    store_row_text(&r, who->return_path);
    store_row_int(&r, who->notice);
    store_row_text(&r, who->status);
    return store_row_run(&r);
}

static struct rc has_recipient(struct store *s, uint64_t message, bool *has)
{
    struct store_row r = store_row_begin(&s->sql, SQL_HAS_RECIPIENT);
    store_row_int(&r, store_first(message));
    store_row_int(&r, store_first(message + 1));
    *has = store_row_next(&r);
    return store_row_done(&r);
}

struct rc store_drop_message(struct store *s, uint64_t message)
{
    struct store_row r = store_row_begin(&s->sql, SQL_GET_RANGE);
    store_row_int(&r, (int64_t)message);
    bool there = store_row_next(&r);
    uint32_t segment = there ? (uint32_t)store_row_get(&r) : 0;
    uint64_t length = there ? (uint64_t)store_row_get(&r) : 0;
    TRY(store_row_done(&r));
    if (!there)
        return RC(CORRUPT); // a recipient without its message
    r = store_row_begin(&s->sql, SQL_DROP_MESSAGE);
    store_row_int(&r, (int64_t)message);
    TRY(store_row_run(&r));
    store_body_release(&s->body, segment, length);
    s->gathered_count--;
    return RC(OK);
}

// The row goes if it is there in this state, and its message with the last row.
static struct rc drop_recipient(struct store *s, uint64_t recipient, enum store_state state,
                                bool *was_there)
{
    bool others;
    struct store_row r = store_row_begin(&s->sql, SQL_DROP_RECIPIENT);
    store_row_int(&r, (int64_t)recipient);
    store_row_int(&r, state);
    TRY(store_row_run(&r));
    *was_there = sqlite3_changes(s->sql.db) > 0;
    if (!*was_there)
        return RC(OK);
    TRY(has_recipient(s, store_recipient_message(recipient), &others));
    return others ? RC(OK) : store_drop_message(s, store_recipient_message(recipient));
}

static struct rc is_owed(struct store *s, uint64_t recipient, bool *owed)
{
    struct store_facts facts;
    struct rc rc = store_find(s, recipient, &facts);
    *owed = rc_ok(rc) && facts.owed;
    return rc.code == RC_NOT_FOUND ? RC(OK) : rc;
}

// All must still be owed: a notice is never sent twice.
static struct rc check_replaced(struct store *s, const uint64_t *replaces, size_t count)
{
    bool owed;
    for (size_t i = 0; i < count; i++) {
        TRY(is_owed(s, replaces[i], &owed));
        if (!owed)
            return RC(NOT_FOUND);
    }
    return RC(OK);
}

// Records of one segment never overlap, or removing one would harm another.
static struct rc check_free(struct store *s, const struct store_range *range)
{
    uint64_t begin = range->offset - STORE_RECORD_HEADER;
    if (begin >= store_body_find(&s->body, range->segment)->end)
        return RC(OK);
    struct store_row r = store_row_begin(&s->sql, SQL_BEFORE);
    store_row_int(&r, range->segment);
    store_row_int(&r, (int64_t)(range->offset + range->length + STORE_RECORD_HEADER));
    bool overlaps = store_row_next(&r) && (uint64_t)store_row_get(&r) > begin;
    TRY(store_row_done(&r));
    return overlaps ? RC(CORRUPT) : RC(OK);
}

// An id that a client was told must lead to one message only.
static struct rc check_id(struct store *s, uint64_t id)
{
    if (id == 0)
        return RC(OK);
    if (id >= s->next_message)
        return RC(MALFORMED);
    struct store_row r = store_row_begin(&s->sql, SQL_GET_RANGE);
    store_row_int(&r, (int64_t)id);
    bool there = store_row_next(&r);
    TRY(store_row_done(&r));
    return there ? RC(MALFORMED) : RC(OK);
}

static struct rc check_put(struct store *s, const struct store_envelope *e)
{
    if (e->count == 0)
        return RC(MALFORMED);
    if (e->count > STORE_RECIPIENTS_MAX)
        return RC(TOO_LARGE);
    for (size_t i = 0; i < e->count; i++)
        if (e->recipients[i].domain.len == 0 || e->recipients[i].address.len == 0)
            return RC(MALFORMED);
    TRY(check_id(s, e->id));
    TRY(store_body_check(&s->body, &e->body));
    return check_free(s, &e->body);
}

static struct rc put_all(struct store *s, struct store_envelope *e, const uint64_t *replaces,
                         size_t replaces_count)
{
    bool was_there;
    TRY(put_message(s, e));
    for (size_t i = 0; i < e->count; i++) {
        e->recipients[i].id = (uint64_t)store_first(e->id) + i;
        TRY(put_recipient(s, &e->recipients[i], e->hold));
    }
    store_body_claim(&s->body, &e->body);
    s->gathered_count++;
    for (size_t i = 0; i < replaces_count; i++)
        TRY(drop_recipient(s, replaces[i], STATE_OWED, &was_there));
    return RC(OK);
}

struct rc store_put(struct store *s, struct store_envelope *e, const uint64_t *replaces,
                    size_t replaces_count)
{
    TRY(s->failed);
    TRY(check_put(s, e));
    TRY(check_replaced(s, replaces, replaces_count));
    TRY(store_sql_begin(&s->sql));
    if (e->id == 0)
        e->id = s->next_message++;
    struct rc rc = put_all(s, e, replaces, replaces_count);
    if (!rc_ok(rc))
        return store_undo(s, rc);
    s->gathered++;
    return RC(OK);
}

static struct rc mark(struct store *s, const struct store_outcome *o)
{
    bool over = o->result != STORE_DEFERRED;
    struct store_row r = store_row_begin(&s->sql, SQL_MARK);
    store_row_int(&r, over ? STATE_OWED : STATE_PENDING);
    store_row_int(&r, over ? 0 : o->due.us); // a notice is due at once
    store_row_text(&r, o->status);
    store_row_text(&r, o->reason);
    store_row_text(&r, o->remote);
    store_row_text(&r, o->diagnostic);
    store_row_int(&r, (int64_t)o->recipient);
    store_row_int(&r, !over ? STORE_NOTICE_NONE : o->notice ? o->notice : STORE_NOTICE_FAILED);
    store_row_int(&r, o->now.us);
    return store_row_run(&r);
}

// Who waits goes on waiting; the notice is a row beside it, once.
static struct rc owe_delay(struct store *s, const struct store_outcome *o)
{
    struct store_row r = store_row_begin(&s->sql, SQL_OWE);
    store_row_int(&r, (int64_t)o->recipient);
    store_row_int(&r, STORE_RECIPIENTS_MAX);
    store_row_int(&r, o->notice);
    TRY(store_row_run(&r));
    r = store_row_begin(&s->sql, SQL_TOLD);
    store_row_int(&r, (int64_t)o->recipient);
    return store_row_run(&r);
}

static struct rc take_outcome(struct store *s, const struct store_outcome *o)
{
    bool was_there;
    if (o->result == STORE_DEFERRED) {
        TRY(mark(s, o));
        return o->notice ? owe_delay(s, o) : RC(OK);
    }
    if (o->result == STORE_FAILED || (o->result == STORE_DELIVERED && o->notice))
        return mark(s, o);
    TRY(drop_recipient(s, o->recipient, STATE_PENDING, &was_there));
    if (was_there)
        return RC(OK);
    // Held while its delivery was under way.
    return drop_recipient(s, o->recipient, STATE_HELD, &was_there);
}

struct rc store_outcome(struct store *s, const struct store_outcome *o)
{
    if (o->recipient > INT64_MAX)
        return RC(OK); // no such recipient
    TRY(s->failed);
    TRY(store_sql_begin(&s->sql));
    struct rc rc = take_outcome(s, o);
    if (!rc_ok(rc))
        return store_undo(s, rc);
    s->gathered++;
    return RC(OK);
}
