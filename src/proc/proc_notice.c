#include "proc_notice.h"

enum { PLAIN = 1 << STORE_HOP_PLAIN, MAILBOX = 1 << STORE_HOP_MAILBOX, ANY_HOP = 7 };

// RFC 3461 §5.2.2 (b), §5.2.3 (a), §5.2.5 and §5.2.6. A next hop with DSN was asked
// to tell of success itself (§5.2.1), so there is no row for it.
static const struct row {
    enum store_result result;
    unsigned hops;
    uint8_t asked;
    bool unasked; // also where NOTIFY was not given
    enum store_notice notice;
} rows[] = {
    {STORE_DELIVERED, MAILBOX, STORE_NOTIFY_SUCCESS, false, STORE_NOTICE_DELIVERED},
    {STORE_DELIVERED, PLAIN, STORE_NOTIFY_SUCCESS, false, STORE_NOTICE_RELAYED},
    {STORE_FAILED, ANY_HOP, STORE_NOTIFY_FAILURE, true, STORE_NOTICE_FAILED},
    {STORE_DEFERRED, ANY_HOP, STORE_NOTIFY_DELAY, true, STORE_NOTICE_DELAYED},
};

static bool asked(const struct row *r, uint8_t notify)
{
    if (notify & STORE_NOTIFY_NEVER)
        return false;
    return notify ? notify & r->asked : r->unasked;
}

// A notice that may not travel as it is goes again without what it returns: one with
// REQUIRETLS for want of protection (RFC 8689 §5), one of ours with 8-bit content to a
// server that takes none. What is left needs neither, so this happens once.
static enum store_notice of_null_path(const struct notice_case *c)
{
    bool protection = span_eq(c->status, SPAN("5.7.10")) || span_eq(c->status, SPAN("5.7.30")) ||
                      span_starts(c->status, SPAN("4.7."));
    bool content = c->ours && c->eight_bit && span_eq(c->status, SPAN("5.6.3"));
    bool again = (c->requiretls && protection) || content;
    return c->result == STORE_FAILED && again ? STORE_NOTICE_REDACTED : STORE_NOTICE_NONE;
}

static bool worth_telling(const struct notice_case *c)
{
    return c->warn_us > 0 && c->age_us >= c->warn_us && !c->told;
}

enum store_notice notice_due(const struct notice_case *c)
{
    if (c->null_path)
        return of_null_path(c);
    if (c->result == STORE_DEFERRED && !worth_telling(c))
        return STORE_NOTICE_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == c->result && rows[i].hops & 1U << c->hop &&
            asked(&rows[i], c->notify))
            return rows[i].notice;
    return STORE_NOTICE_NONE;
}
