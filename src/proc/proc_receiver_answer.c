#include "proc_receiver_session.h"

#include "proc_networks.h"

static void accept_mail(struct session *s)
{
    session_answer(s, 250, "2.1.0", SPAN("sender ok"));
}

void session_answer_mail(struct session *s, const struct mail_address *from)
{
    receiver_screen_drop(&s->screen); // of a transaction that came to nothing
    session_routes_drop(s);
    s->inside = s->login.user || networks_hold(s->receiver->networks, &s->peer);
    struct guard_refusal no = guard_message(s);
    if (session_refuse(s, &no))
        return;
    if (from->kind == MAIL_LITERAL) // it could not be told of a failure
        session_answer(s, 550, "5.1.7", SPAN("address literals cannot be answered"));
    else if (session_tls_refuses(s, from))
        meter_count(METER_REFUSED_TLS, 1);
    else if (!session_may_send(s, from)) { // RFC 6409 §6.1
        meter_count(METER_REFUSED_SENDER, 1);
        session_answer(s, 553, "5.7.1", SPAN("this is no address of yours"));
    } else
        session_count(s, 1, 0, accept_mail);
}

// SPF is asked as soon as somebody is there who would get the message.
void session_accept_rcpt(struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);
    if (!s->login.user) // who a user is has been shown
        receiver_screen_sender(&s->screen, s->receiver, s->inside,
                               &(struct receiver_auth_request){.client = &s->peer,
                                                               .helo = smtp_server_helo(s->smtp),
                                                               .sender = t->sender.text});
    session_answer(s, 250, "2.1.5", SPAN("recipient ok"));
}

static void route_asked(struct session *s)
{
    session_route(s, s->asked);
}

// Postmasters are there for those who are refused, too (RFC 5321 §4.5.1).
static void route_judged(struct session *s)
{
    struct guard_refusal no = guard_verdict(s);
    if (span_ieq(s->asked->local, SPAN("postmaster")) || !session_refuse(s, &no))
        session_route(s, s->asked);
}

void session_answer_rcpt(struct session *s, const struct mail_address *to)
{
    struct guard_refusal no = guard_recipient(s);
    s->asked = to;
    if (to->kind == MAIL_LITERAL)
        session_answer(s, 550, "5.1.2", SPAN("address literals are not relayed"));
    else if (session_refuse(s, &no))
        return;
    else if (s->inside)
        route_asked(s);
    else
        guard_await(s, route_judged);
}

void session_answer_data(struct session *s)
{
    if (receiver_can_store(s->receiver))
        session_answer(s, 354, "", SPAN("end with <CR><LF>.<CR><LF>"));
    else
        session_answer(s, 451, "4.3.0", SPAN("the mail store is not available, try again later"));
}
