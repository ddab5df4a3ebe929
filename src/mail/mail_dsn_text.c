// What a notice says to people.
#include "mail_dsn_inner.h"

static const struct {
    const char *action, *subject, *none, *did;
} words[MAIL_DSN_ACTIONS] = {
    [MAIL_DSN_FAILED] = {"failed", "Your message could not be delivered",
                         "The message was not delivered.",
                         "could not deliver it to the recipients below, and has given up.\r\n"},
    [MAIL_DSN_DELAYED] =
        {"delayed", "Your message has not been delivered yet",
         "The message has not been delivered yet.",
         "could not deliver it to the recipients below yet, and goes on trying.\r\n"},
    [MAIL_DSN_DELIVERED] = {"delivered", "Your message was delivered", "The message was delivered.",
                            "and has delivered it to the recipients below.\r\n"},
    [MAIL_DSN_RELAYED] =
        {"relayed", "Your message was passed on", "The message was passed on.",
         "and has passed it on, for the recipients below, to a server that does not\r\n"
         "confirm delivery.\r\n"},
    [MAIL_DSN_EXPANDED] = {"expanded", "Your message was passed on",
                           "The address stands for others, to whom the message goes on.",
                           "and sends it on to those whom the addresses below stand for.\r\n"},
};

struct span mail_dsn_subject(enum mail_dsn_action action)
{
    return span_str(words[action].subject);
}

struct span mail_dsn_action_text(enum mail_dsn_action action)
{
    return span_str(words[action].action);
}

static void line_end(struct buf *b)
{
    buf_put(b, SPAN("\r\n"));
}

static void recipient_text(struct buf *b, const struct mail_dsn_recipient *r)
{
    line_end(b);
    buf_putc(b, '<');
    mail_line_put(b, r->address, MAIL_DSN_TEXT_MAX);
    buf_put(b, SPAN(">:\r\n    "));
    mail_line_put(b, r->reason, MAIL_DSN_TEXT_MAX);
    line_end(b);
    if (!r->diagnostic.len)
        return;
    buf_put(b, SPAN("    "));
    mail_line_put(b, r->remote_mta.len ? r->remote_mta : SPAN("The server"), MAIL_DSN_NAME_MAX);
    buf_put(b, SPAN(" said: "));
    mail_line_put(b, r->diagnostic, MAIL_DSN_TEXT_MAX);
    line_end(b);
}

// Who only waits must not think that it is his to send the message again.
static void patience_text(struct buf *b, const struct mail_dsn *d)
{
    if (d->action != MAIL_DSN_DELAYED)
        return;
    buf_put(b, SPAN("You need not do anything: it is tried until "));
    time_put_rfc5322(b, d->retry_until);
    buf_put(b, SPAN(".\r\n"));
}

static void returned_text(struct buf *b, const struct mail_dsn *d, enum mail_dsn_returned returned)
{
    if (d->leave_out_original)
        buf_put(b, SPAN("\r\nYour message may only travel protected (REQUIRETLS), and the way back "
                        "to you\r\nis not: nothing of it is returned here.\r\n"));
    else if (returned == MAIL_DSN_HEADER_INSTEAD)
        buf_put(b, d->too_large ? SPAN("\r\nYour message is too large to be returned whole: its "
                                       "header is below.\r\n")
                                : SPAN("\r\nYour message cannot be returned whole, for its form: "
                                       "its header is below.\r\n"));
}

void mail_dsn_text(struct buf *b, const struct mail_dsn *d, enum mail_dsn_returned returned)
{
    struct span reason = d->count ? d->recipients[0].reason : SPAN("");
    mail_line_put(b, reason.len ? reason : span_str(words[d->action].none), MAIL_DSN_TEXT_MAX);
    buf_put(b, SPAN("\r\n\r\nThis is the mail server "));
    mail_line_put(b, d->reporting_mta, MAIL_DSN_NAME_MAX);
    buf_put(b, SPAN(".\r\nIt received your message on "));
    time_put_rfc5322(b, d->arrived);
    buf_put(b, SPAN(",\r\n"));
    buf_put(b, span_str(words[d->action].did));
    patience_text(b, d);
    for (size_t i = 0; i < d->count; i++)
        recipient_text(b, &d->recipients[i]);
    returned_text(b, d, returned);
}
