// TLS of a session: how its handshake is done, and what must be proved before its
// mail is taken.
#include "proc_receiver_session.h"

#include "base_log.h"
#include "base_meter.h"
#include "proc_networks.h"
#include "proc_tls.h"

#include <stdlib.h>

struct tls_rule { // its texts are the configuration's
    struct span who, names;
    bool network, verify;
};
struct tls_rules {
    size_t count;
    struct tls_rule at[];
};

// ---- configuration

static struct tls_rule rule_of(struct span entry)
{
    struct span rest = entry, who = span_cut(&rest, ' ');
    rest = span_trim(rest);
    bool verify = span_eq(span_cut(&rest, ' '), SPAN("verify"));
    bool network = span_index(who, '/') < who.len;
    return (struct tls_rule){who, span_trim(rest), network, verify};
}

static struct tls_rules *rules_new(const struct conf *c)
{
    size_t count = conf_count(c, CONF_tls_require);
    struct tls_rules *r = mem_new(sizeof *r + count * sizeof r->at[0]);
    for (size_t i = 0; i < count; i++)
        r->at[r->count++] = rule_of(conf_item(c, CONF_tls_require, i));
    return r;
}

static bool any_verify(const struct tls_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rules->at[i].verify)
            return true;
    return false;
}

static struct io_tls_server *server_of(const struct receiver *r)
{
    struct proc_tls_about about;
    struct proc_tls_use use = {.clients = any_verify(r->tls_rules)};
    struct io_tls_server *s = proc_tls_server(r->proc, &use, &about);
    meter_set(METER_CERTIFICATES, (int64_t)about.count);
    meter_set(METER_CERTIFICATE_EXPIRES, about.first);
    return s;
}

void receiver_tls_configure(struct receiver *r)
{
    free(r->tls_rules);
    r->tls_rules = rules_new(r->proc->conf);
    io_tls_server_free(r->tls);
    r->tls = server_of(r);
}

// ---- the handshake

// A certificate is asked for where one may count: what a client makes of the question
// is not always what it should.
static bool asks(const struct session *s)
{
    const struct tls_rules *rules = s->receiver->tls_rules;
    for (size_t i = 0; i < rules->count; i++) {
        const struct tls_rule *rule = &rules->at[i];
        if (rule->verify && (!rule->network || network_holds(rule->who, &s->peer)))
            return s->conf.service == SMTP_SERVICE_MX;
    }
    return false;
}

static enum io_tls_least least(const struct session *s)
{
    enum io_tls_least is =
        (enum io_tls_least)conf_choice(s->receiver->proc->conf, CONF_tls_min_version);
    bool users = s->conf.service != SMTP_SERVICE_MX;
    return users && is != IO_TLS_FROM_1_3 ? IO_TLS_FROM_1_2 : is; // RFC 8997 §3
}

void session_starttls(struct session *s)
{
    static const char clear[] = "554 5.7.0 this port speaks TLS from the first byte (RFC 8314): "
                                "choose SSL/TLS, not STARTTLS, in your mail program\r\n";
    if (!s->receiver->tls) { // since a reload
        session_gone(s);
        return;
    }
    struct io_tls_accept how = {.least = least(s), .ask = asks(s)};
    if (s->conf.service == SMTP_SERVICE_SUBMISSIONS)
        how.clear = span_str(clear);
    s->waiting = true;
    io_stream_accept_tls(s->stream, s->receiver->tls, &how);
}

void session_tls_failed(const struct session *s, const char *why)
{
    static const char *const ports[SMTP_SERVICES] = {"mx", "submission", "submissions"};
    CLEANUP(buf_free) struct buf client = BUF(256);
    meter_count(METER_TLS_IN_FAILED, 1);
    session_put_client(&client, s);
    LOG(LOG_INFO, "tls-failed", LOG_S("client", buf_span(&client)),
        LOG_T("service", ports[s->conf.service]), LOG_T("why", why));
}

// RFC 8446 §5.1. The machine answers it; here it is said to the operator.
void session_tls_talker(const struct session *s, struct span bytes)
{
    if (span_starts(bytes, SPAN("\x16\x03")) && !smtp_server_tls(s->smtp) &&
        smtp_server_helo(s->smtp).len == 0)
        session_tls_failed(s, "the client begins with TLS, where it has to say STARTTLS first");
}

// ---- what is required

struct search {
    struct span wanted;
    bool below; // or `wanted` itself where `self`
    bool self, found;
};

// A name of a certificate against one that is wanted: RFC 9525 §6.3, one whole label.
static bool same_name(struct span has, struct span wanted)
{
    if (!span_starts(has, SPAN("*.")))
        return span_ieq(has, wanted);
    size_t dot = span_index(wanted, '.');
    return dot > 0 && span_ieq(span_skip(has, 1), span_skip(wanted, dot));
}

static void look_at(void *arg, struct span name)
{
    struct search *q = arg;
    size_t more = name.len - q->wanted.len;
    q->found |= q->self && same_name(name, q->wanted);
    q->found |= q->below && name.len > q->wanted.len + 1 && name.at[more - 1] == '.' &&
                span_ieq(span_skip(name, more), q->wanted);
}

static bool named(const struct session *s, struct search q)
{
    if (q.wanted.len)
        (void)io_stream_tls_names(s->stream, look_at, &q);
    return q.found;
}

static bool named_by_rule(const struct session *s, const struct tls_rule *rule, struct span domain)
{
    if (rule->names.len == 0 && rule->network)
        return named(s, (struct search){.wanted = smtp_server_helo(s->smtp), .self = true});
    if (rule->names.len == 0)
        return named(s, (struct search){.wanted = domain, .self = true, .below = true});
    for (struct span rest = rule->names; rest.len; rest = span_trim(rest)) {
        struct span one = span_cut(&rest, ' ');
        bool below = span_starts(one, SPAN("."));
        if (named(s, (struct search){span_skip(one, below), .below = below, .self = !below}))
            return true;
    }
    return false;
}

// NULL: it is met; else what is missing, the end of a sentence.
static const char *missing(const struct session *s, const struct tls_rule *rule, struct span domain)
{
    const struct io_tls_facts *tls = io_stream_tls(s->stream);
    if (!rule->verify)
        return NULL;
    if (!tls->certificate[0])
        return "none was sent";
    if (!tls->pkix)
        return tls->error;
    return named_by_rule(s, rule, domain) ? NULL : "the one sent is for other names";
}

static void refuse(struct session *s, const struct tls_rule *rule, struct span from,
                   const char *what)
{
    CLEANUP(buf_free) struct buf text = BUF(1024), client = BUF(256);
    struct span who = rule->network || !from.len ? SPAN("your network") : from;
    session_put_client(&client, s);
    LOG(LOG_INFO, "tls-required", LOG_S("client", buf_span(&client)), LOG_S("rule", rule->who),
        LOG_S("from", from), LOG_T("why", what ? what : "no TLS"));
    if (what) {
        buf_printf(&text, "mail from %.*s needs a client certificate: %s", SPAN_FMT(who), what);
        session_answer(s, 550, "5.7.1", buf_span(&text));
        return;
    }
    buf_printf(&text, "mail from %.*s is taken only inside TLS, say STARTTLS first", SPAN_FMT(who));
    session_answer(s, 530, rule->network ? "5.7.0" : "5.7.10", buf_span(&text));
}

static bool concerns(const struct session *s, const struct tls_rule *rule,
                     const struct mail_address *from)
{
    if (rule->network)
        return network_holds(rule->who, &s->peer);
    return span_eq(rule->who, SPAN("*")) ||
           (from->kind == MAIL_DOMAIN && domain_matches(rule->who, &from->domain));
}

// RFC 3207 §4 for who comes without TLS.
bool session_tls_refuses(struct session *s, const struct mail_address *from)
{
    const struct tls_rules *rules = s->receiver->tls_rules;
    struct span domain = from->kind == MAIL_DOMAIN ? dns_name_span(&from->domain) : SPAN("");
    for (size_t i = 0; s->conf.service == SMTP_SERVICE_MX && i < rules->count; i++) {
        const struct tls_rule *rule = &rules->at[i];
        if (!concerns(s, rule, from))
            continue;
        const char *what = NULL;
        if (io_stream_tls(s->stream) && !(what = missing(s, rule, domain)))
            continue;
        refuse(s, rule, domain, what);
        return true;
    }
    return false;
}

// "verified out.example.org"; empty where no certificate was shown.
void session_put_tls_peer(struct buf *b, const struct session *s)
{
    const struct io_tls_facts *tls = s->stream ? io_stream_tls(s->stream) : NULL;
    if (tls && tls->pkix)
        buf_printf(b, "client certificate verified %s", tls->matched);
    else if (tls && tls->certificate[0])
        buf_printf(b, "client certificate not verified");
}

void session_tls_count(const struct session *s)
{
    const struct io_tls_facts *tls = io_stream_tls(s->stream);
    struct span version = span_str(tls ? tls->version : "");
    meter_count(span_eq(version, SPAN("TLSv1.3"))   ? METER_TLS_IN_13
                : span_eq(version, SPAN("TLSv1.2")) ? METER_TLS_IN_12
                                                    : METER_TLS_IN_OLD,
                1);
}
