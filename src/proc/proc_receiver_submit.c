#include "proc_receiver_submit.h"

#include "auth_from.h"
#include "auth_head.h"
#include "io_loop.h"
#include "sasl_users.h"

#include <stdlib.h>

struct receiver_submit {
    const struct receiver_user *user;
    struct wall now;
    struct span hostname;
    struct auth_split split;
    bool looked;
    struct buf fields, refusal;
};

struct receiver_submit *receiver_submit_new(const struct receiver_user *user, struct wall now,
                                            struct span hostname)
{
    struct receiver_submit *s = mem_new(sizeof *s);
    *s = (struct receiver_submit){.user = user,
                                  .now = now,
                                  .hostname = hostname,
                                  .split = AUTH_SPLIT,
                                  .fields = BUF(1024),
                                  .refusal = BUF(1024)};
    return s;
}

void receiver_submit_free(struct receiver_submit *s)
{
    if (!s)
        return;
    auth_split_free(&s->split);
    buf_free(&s->fields);
    buf_free(&s->refusal);
    free(s);
}

static bool is_own(const struct receiver_submit *s, const struct auth_mailbox *m)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    if (m->literal || m->local.len == 0)
        return false;
    buf_printf(&b, "%.*s@%s", SPAN_FMT(m->local), m->domain.text);
    return rc_ok(buf_state(&b)) &&
           sasl_may_send(s->user->name, s->user->senders, s->user->sender_count, buf_span(&b));
}

static void refuse(struct receiver_submit *s, const char *field, const struct auth_mailbox *m)
{
    if (s->refusal.len)
        return;
    if (m && !m->literal && m->local.len)
        buf_printf(&s->refusal, "%s: %.*s@%s is no address of yours", field,
                   SPAN_FMT(span_first(m->local, 64)), m->domain.text);
    else
        buf_printf(&s->refusal, "%s: there must be an address of yours in it, and no other", field);
}

static void check_field(struct receiver_submit *s, const char *field, struct span value)
{
    struct auth_mailboxes list = {.rest = value};
    struct auth_mailbox m = {0};
    size_t count = 0;
    for (; auth_mailbox_next(&list, &m); count++)
        if (!is_own(s, &m))
            refuse(s, field, &m);
    if (list.bad || count == 0)
        refuse(s, field, NULL);
}

static void check_authors(struct receiver_submit *s, const struct auth_head *head)
{
    static const char *const fields[] = {"From", "Sender", "Resent-From", "Resent-Sender"};
    size_t from = 0;
    for (size_t i = 0; i < head->count; i++)
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
            if (!span_ieq(head->at[i].name, span_str(fields[f])))
                continue;
            from += f == 0;
            check_field(s, fields[f], head->at[i].value);
        }
    if (from == 0 && !s->refusal.len) // RFC 5322 §3.6
        buf_printf(&s->refusal, "the message has no From field, which says who wrote it");
    if (from > 1 && !s->refusal.len)
        buf_printf(&s->refusal, "the message has %zu From fields, where one may stand", from);
}

// Resent messages have theirs already; what is there is never touched.
static void add_missing(struct receiver_submit *s, const struct auth_head *head)
{
    if (auth_head_count(head, SPAN("Date")) == 0) {
        buf_put(&s->fields, SPAN("Date: "));
        time_put_rfc5322(&s->fields, s->now);
        buf_put(&s->fields, SPAN("\r\n"));
    }
    if (auth_head_count(head, SPAN("Message-ID")) == 0)
        buf_printf(&s->fields, "Message-ID: <%llx.%llx@%.*s>\r\n", (unsigned long long)s->now.us,
                   (unsigned long long)io_random(), SPAN_FMT(s->hostname));
}

static void look(struct receiver_submit *s)
{
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_HEAD_MAX);
    struct auth_head head;
    s->looked = true;
    auth_head_read(&head, buf_span(&s->split.head), &a);
    if (s->split.too_large || head.fault) {
        buf_printf(&s->refusal, "the header cannot be read: %s",
                   head.fault ? head.fault : "it is too large");
        return;
    }
    check_authors(s, &head);
    add_missing(s, &head);
}

bool receiver_submit_feed(struct receiver_submit *s, struct span piece)
{
    if (s->looked)
        return false;
    (void)auth_split_feed(&s->split, piece);
    if (s->split.done || s->split.too_large)
        look(s);
    return s->looked;
}

bool receiver_submit_end(struct receiver_submit *s)
{
    if (s->looked)
        return false;
    look(s);
    return true;
}

struct span receiver_submit_fields(const struct receiver_submit *s)
{
    return buf_span(&s->fields);
}

struct span receiver_submit_refusal(struct receiver_submit *s)
{
    return buf_span(&s->refusal);
}
