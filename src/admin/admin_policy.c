// geleit policy: the MTA-STS policies that are kept.
#include "admin_ask.h"

#include <string.h>

enum { LIST_ROOM = 64 << 20 };
#define PATIENCE SECONDS(200)

// `back`: seconds in the past, else ahead.
static void put_for(struct admin_page *p, const char *label, bool back, int64_t seconds,
                    const char *at)
{
    CLEANUP(buf_free) struct buf b = BUF(256);
    back = back != (seconds < 0);
    if (seconds == 0)
        buf_put(&b, SPAN("now"));
    else
        time_put_duration(&b, (seconds < 0 ? -seconds : seconds) * US_PER_S);
    buf_printf(&b, "%s (%s)", back && seconds ? " ago" : "", at);
    admin_line(p, "  ", label, INK_NONE, buf_str(&b));
}

static void show_policy(struct admin_page *p, const json_t *o)
{
    CLEANUP(buf_free) struct buf mx = BUF(1 << 20);
    const char *mode = admin_str(o, "mode");
    admin_put(p, INK_BOLD, span_str(admin_str(o, "domain")));
    admin_put(p, INK_NONE, SPAN("  "));
    admin_put(p, admin_ink_of(mode), span_str(mode));
    admin_put(p, INK_WARN, admin_bool(o, "expired") ? SPAN("  expired") : SPAN(""));
    buf_putc(&p->out, '\n');
    admin_line(p, "  ", "id", INK_NONE, admin_str(o, "id"));
    for (size_t i = 0; i < json_array_size(admin_at(o, "mx")); i++)
        buf_printf(&mx, "%s%s", i ? ", " : "",
                   json_string_value(json_array_get(admin_at(o, "mx"), i)));
    if (mx.len)
        admin_line(p, "  ", "mx", INK_NONE, buf_str(&mx));
    put_for(p, "fetched", true, admin_int(o, "age_s"), admin_str(o, "fetched"));
    put_for(p, "expires", false, admin_int(o, "expires_in_s"), admin_str(o, "expires"));
    if (*admin_str(o, "error"))
        admin_line(p, "  ", "error", INK_BAD, admin_str(o, "error"));
    struct span content = span_str(admin_str(o, "content"));
    while (content.len) {
        struct span line = span_cut(&content, '\n');
        if (span_ends(line, SPAN("\r")))
            line.len--;
        admin_put(p, INK_DIM, SPAN("    │ "));
        admin_put(p, INK_NONE, line);
        buf_putc(&p->out, '\n');
    }
}

static int print_json(struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(LIST_ROOM + 1);
    buf_put(&b, text);
    buf_putc(&b, '\n');
    return admin_print(&b);
}

static int print(const struct admin_call *call, struct span text)
{
    if (call->json)
        return print_json(text);
    json_t *o = admin_json(text);
    if (!o)
        return ADMIN_LATER;
    struct admin_page page = ADMIN_PAGE(admin_colour());
    for (size_t i = 0; i < json_array_size(o); i++)
        show_policy(&page, json_array_get(o, i));
    if (json_is_object(o))
        show_policy(&page, o);
    else if (json_array_size(o) == 0)
        buf_put(&page.out, SPAN("No MTA-STS policy is kept.\n"));
    int status = admin_print(&page.out);
    buf_free(&page.out);
    json_decref(o);
    return status;
}

static int policy_list(struct admin_server *s, const struct admin_call *call)
{
    CLEANUP(buf_free) struct buf all = BUF(LIST_ROOM), after = BUF(1024);
    struct control_answer a;
    buf_putc(&all, '[');
    do {
        struct control_request q = {.verb = CONTROL_POLICY_LIST, .word = buf_span(&after)};
        int status = admin_server_ask(s, &q, &a, PATIENCE);
        if (status != ADMIN_DONE)
            return status;
        struct span inside = span_first(span_skip(a.json, 1), a.json.len < 2 ? 0 : a.json.len - 2);
        buf_put(&all, inside.len && all.len > 1 ? SPAN(",") : SPAN(""));
        buf_put(&all, inside);
        buf_clear(&after);
        buf_put(&after, a.next_word);
    } while (after.len);
    buf_putc(&all, ']');
    return print(call, buf_span(&all));
}

static int policy_one(struct admin_server *s, const struct admin_call *call, enum control_verb verb)
{
    struct control_answer a;
    struct control_request q = {.verb = verb, .word = span_str(call->words[1])};
    int status = admin_server_ask(s, &q, &a, PATIENCE);
    return status == ADMIN_DONE ? print(call, a.json) : status;
}

static int check(const struct admin_call *call)
{
    const char *verb = call->words[0];
    struct dns_name domain;
    bool list = strcmp(verb, "list") == 0;
    if (!list && strcmp(verb, "show") != 0 && strcmp(verb, "refresh") != 0)
        return admin_complain("'policy' knows list, show and refresh, and not '%s'", verb);
    if (list != (call->word_count == 1))
        return admin_complain(list ? "'policy list' takes no domain" : "'policy %s' needs a domain",
                              verb);
    if (!list && !dns_name_parse_host(&domain, span_str(call->words[1])))
        return admin_complain("'%s' is no domain", call->words[1]);
    return ADMIN_DONE;
}

int admin_policy(const struct admin_call *call)
{
    struct admin_server s;
    int status = check(call);
    if (status != ADMIN_DONE)
        return status;
    status = admin_server_open(&s, call);
    if (status == ADMIN_DONE && call->word_count == 1)
        status = policy_list(&s, call);
    else if (status == ADMIN_DONE)
        status = policy_one(
            &s, call, call->words[0][0] == 's' ? CONTROL_POLICY_SHOW : CONTROL_POLICY_REFRESH);
    admin_server_close(&s);
    return status;
}
