// geleit spf: the SPF result, and the way it was reached.
#include "admin_auth.h"

#include "mail_address.h"

#include <stdlib.h>

enum { ZONE, NOW }; // as in admin_command.c

bool admin_sender(struct buf *out, const char *text)
{
    CLEANUP(arena_free) struct arena a = ARENA(65536);
    struct span s = span_str(text);
    struct mail_address address;
    struct dns_name domain;
    if (s.len > 1 && s.at[0] == '<' && s.at[s.len - 1] == '>')
        s = span_first(span_skip(s, 1), s.len - 2);
    if (s.len && span_index(s, '@') == s.len) {
        if (!dns_name_parse_host(&domain, s))
            return false;
        buf_printf(out, "postmaster@%s", domain.text);
        return true;
    }
    // What is no address can have come all the same: RFC 7208 §4.3 has a result for it.
    buf_put(out, mail_address_parse(&address, s, true, &a) ? address.text : s);
    return rc_ok(buf_state(out));
}

struct dns_name admin_self(const struct admin_dns *d)
{
    struct dns_name self = {0};
    (void)dns_name_parse_host(&self, conf_span(d->server.conf, CONF_hostname));
    return self;
}

// ---- the machine ----

static struct auth_step next(void *machine)
{
    return auth_spf_next(machine);
}

static void answer(void *machine, unsigned ticket, const struct dns_answer *a)
{
    auth_spf_answer(machine, ticket, a);
}

const struct auth_spf_result *admin_spf_run(struct admin_dns *d, const struct auth_spf_request *r,
                                            struct arena *a)
{
    struct auth_spf *s = auth_spf_new(r, a);
    if (!s)
        return NULL;
    admin_dns_run(d, &(struct admin_machine){.machine = s, .next = next, .answer = answer});
    return auth_spf_result(s);
}

// ---- for people ----

enum admin_ink admin_ink_of_result(enum auth_result r)
{
    static const enum admin_ink inks[AUTH_RESULTS] = {
        [AUTH_PASS] = INK_GOOD,     [AUTH_FAIL] = INK_BAD,       [AUTH_SOFTFAIL] = INK_WARN,
        [AUTH_PERMERROR] = INK_BAD, [AUTH_TEMPERROR] = INK_WARN, [AUTH_POLICY] = INK_WARN,
        [AUTH_NEUTRAL] = INK_NONE,  [AUTH_NONE] = INK_NONE,
    };
    return inks[r];
}

static void show_step(struct admin_page *p, const struct auth_spf_step *s)
{
    static const enum admin_ink inks[AUTH_SPF_OUTCOMES] = {[AUTH_SPF_NO_MATCH] = INK_DIM,
                                                           [AUTH_SPF_ENDED] = INK_DIM,
                                                           [AUTH_SPF_MATCHED] = INK_GOOD,
                                                           [AUTH_SPF_ERROR] = INK_BAD};
    bool record = s->outcome == AUTH_SPF_RECORD;
    admin_put(p, INK_NONE, SPAN("    "));
    for (unsigned i = 0; i < s->depth; i++)
        admin_put(p, INK_DIM, SPAN("│  "));
    admin_put(p, INK_DIM, record ? SPAN("┌─ ") : SPAN("├─ "));
    if (record)
        admin_putf(p, INK_BOLD, "%s  ", s->domain.text);
    admin_put(p, INK_NONE, record || s->term.len ? s->term : dns_name_span(&s->domain));
    if (s->target.len)
        admin_putf(p, INK_DIM, "  → %s", s->target.text);
    if (!record)
        admin_putf(p, inks[s->outcome], "  %s", auth_spf_outcome_text(s->outcome));
    if (s->note)
        admin_putf(p, INK_DIM, "  (%s)", s->note);
    buf_putc(&p->out, '\n');
}

static void line(struct admin_page *p, const char *label, enum admin_ink ink, struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    buf_put(&b, text);
    if (text.len)
        admin_line(p, "    ", label, ink, buf_str(&b));
}

void admin_show_spf(struct admin_page *p, const char *label, const struct auth_spf_check *c)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    admin_putf(p, INK_BOLD, "  %s", label);
    admin_put(p, INK_BOLD, c->identity == AUTH_SPF_HELO ? SPAN("HELO ") : SPAN("MAIL FROM "));
    admin_put(p, INK_BOLD, c->domain.len ? dns_name_span(&c->domain) : SPAN("(no domain)"));
    admin_putf(p, admin_ink_of_result(c->result), "  %s", auth_result_text(c->result));
    buf_putc(&p->out, '\n');
    line(p, "why", INK_NONE, c->reason);
    line(p, "they say", INK_DIM, c->explanation);
    line(p, "mechanism", INK_NONE, c->mechanism);
    if (c->mechanism.len)
        line(p, "of", INK_NONE, dns_name_span(&c->record_domain));
    if (c->step_count == 0)
        return;
    buf_printf(&b, "%u of %d terms that ask DNS, %u of %d void answers", c->lookups,
               AUTH_SPF_LOOKUPS, c->voids, AUTH_SPF_VOIDS);
    line(p, "limits", INK_NONE, buf_span(&b));
    for (size_t i = 0; i < c->step_count; i++) {
        if (c->steps_left_out && i + 1 == c->step_count) {
            admin_putf(p, INK_DIM, "    ⋮  %zu steps left out", c->steps_left_out);
            buf_putc(&p->out, '\n');
        }
        show_step(p, &c->steps[i]);
    }
}

static void show(struct admin_page *p, const struct admin_call *call,
                 const struct auth_spf_result *r)
{
    enum auth_result result = r->decides->result;
    admin_put(p, INK_BOLD, span_str(call->words[0]));
    admin_putf(p, admin_ink_of_result(result), "  %s", auth_result_text(result));
    buf_putc(&p->out, '\n');
    for (unsigned i = 0; i < AUTH_SPF_IDENTITIES; i++)
        if (r->check[i].checked)
            admin_show_spf(p, "", &r->check[i]);
}

// ---- the command ----

static int print(const struct admin_call *call, const struct auth_spf_result *r)
{
    struct admin_page page = ADMIN_PAGE(admin_colour());
    if (call->json) {
        auth_spf_put_json(&page.out, r);
        buf_putc(&page.out, '\n');
    } else {
        show(&page, call, r);
    }
    int status = admin_print(&page.out);
    buf_free(&page.out);
    if (status != ADMIN_DONE)
        return status;
    return r->decides->result == AUTH_PASS        ? ADMIN_DONE
           : r->decides->result == AUTH_TEMPERROR ? ADMIN_LATER
                                                  : ADMIN_NEGATIVE;
}

static int run(const struct admin_call *call, struct auth_spf_request *request)
{
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_SPF_ARENA);
    struct admin_dns d;
    int status = admin_dns_open(&d, call, call->flags[ZONE]);
    if (status != ADMIN_DONE)
        return status;
    request->receiver = admin_self(&d);
    const struct auth_spf_result *r = admin_spf_run(&d, request, &a);
    if (r)
        status = print(call, r);
    else
        status = admin_complain("these are too long to be looked at");
    admin_dns_close(&d);
    return status;
}

int admin_spf(const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf sender = BUF(4096);
    struct auth_spf_request request = {.helo = span_str(call->words[2])};
    if (!dns_address_parse(&request.client, span_str(call->words[0])))
        return admin_complain("'%s' is no IPv4 or IPv6 address", call->words[0]);
    if (!admin_sender(&sender, call->words[1]))
        return admin_complain("'%s' is neither a mail address nor a domain", call->words[1]);
    if (admin_now(call->flags[NOW], &request.now) != ADMIN_DONE)
        return ADMIN_USAGE;
    request.mail_from = buf_span(&sender);
    return run(call, &request);
}
