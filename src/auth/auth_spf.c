#include "auth_spf_inner.h"

const char *auth_spf_outcome_text(enum auth_spf_outcome o)
{
    static const char *const texts[AUTH_SPF_OUTCOMES] = {
        [AUTH_SPF_RECORD] = "record", [AUTH_SPF_ENTERED] = "entered",
        [AUTH_SPF_MATCHED] = "match", [AUTH_SPF_NO_MATCH] = "no match",
        [AUTH_SPF_ENDED] = "end",     [AUTH_SPF_ERROR] = "error",
    };
    return o < AUTH_SPF_OUTCOMES ? texts[o] : "";
}

// --- questions and answers

static struct spf_answer *find_answer(struct auth_spf *s, const struct dns_name *name,
                                      enum dns_type type)
{
    for (size_t i = 0; i < s->asked; i++) {
        struct spf_answer *a = s->answers[i];
        if (a->question.type == type && dns_name_eq(&a->question.name, name))
            return a;
    }
    return NULL;
}

const struct spf_answer *spf_ask(struct spf_run *run, const struct dns_name *name,
                                 enum dns_type type)
{
    struct auth_spf *s = run->spf;
    struct spf_answer *a = find_answer(s, name, type);
    if (a && a->answered)
        return a;
    if (!a && s->asked < AUTH_SPF_QUESTIONS_MAX)
        a = arena_alloc(s->arena, sizeof *a);
    if (!a) {
        s->full = true;
        return NULL;
    }
    if (!a->wanted) {
        a->question = (struct dns_question){*name, type};
        s->answers[s->asked++] = a;
    }
    a->wanted |= 1u << run->side->check.identity;
    return NULL;
}

static bool keep_texts(struct auth_spf *s, struct spf_answer *to, const struct dns_answer *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct span text = from->records[i].data;
        bool spf = auth_spf_record_is(text);
        // One byte past the limit is enough to see that it is too long.
        struct span cut = span_first(text, AUTH_SPF_TEXT_MAX + 1);
        if (spf && to->spf_count++ == 0 && !(to->spf = arena_dup(s->arena, cut)).at)
            return false;
        if (i == 0 && !(to->first = arena_dup(s->arena, cut)).at)
            return false;
    }
    if (to->spf_count > 0)
        (void)auth_spf_record_parse(&to->record, to->spf, &to->fault_term, &to->fault);
    return true;
}

static bool keep_addresses(struct auth_spf *s, struct spf_answer *to, const struct dns_answer *from)
{
    if (from->count == 0)
        return true;
    to->addresses = arena_alloc(s->arena, from->count * sizeof *to->addresses);
    if (!to->addresses)
        return false;
    for (size_t i = 0; i < from->count; i++)
        to->addresses[i] = from->records[i].address;
    to->address_count = from->count;
    return true;
}

static bool keep_names(struct auth_spf *s, struct spf_answer *to, const struct dns_answer *from)
{
    size_t n = from->count < AUTH_SPF_NAMES ? from->count : AUTH_SPF_NAMES;
    if (n == 0)
        return true;
    to->names = arena_alloc(s->arena, n * sizeof *to->names);
    if (!to->names)
        return false;
    for (size_t i = 0; i < n; i++)
        to->names[i] = from->records[i].name;
    to->name_count = n;
    return true;
}

static bool keep(struct auth_spf *s, struct spf_answer *to, const struct dns_answer *from)
{
    enum dns_type type = to->question.type;
    to->count = from->count;
    return type == DNS_TXT                     ? keep_texts(s, to, from)
           : type == DNS_A || type == DNS_AAAA ? keep_addresses(s, to, from)
                                               : keep_names(s, to, from);
}

void auth_spf_answer(struct auth_spf *s, unsigned ticket, const struct dns_answer *answer)
{
    if (ticket == 0 || ticket > s->given || s->answers[ticket - 1]->answered)
        return;
    struct spf_answer *a = s->answers[ticket - 1];
    bool failed = answer->standing < DNS_INSECURE || answer->presence == DNS_NO_ANSWER;
    a->answered = true;
    a->presence = failed ? DNS_NO_ANSWER : answer->presence;
    if (failed) {
        struct span why = span_first(answer->why, 256);
        a->why = why.len ? arena_dup(s->arena, why) : SPAN("");
    } else if (a->presence == DNS_DATA && !keep(s, a, answer)) {
        s->full = true;
    }
}

// --- identities

// Letters, digits, hyphens and, for HELO as it is in the wild, underscores.
static bool is_mail_domain(const struct dns_name *n)
{
    for (size_t i = 0; i < n->len; i++) {
        char c = n->text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && c != '-' && c != '_' && c != '.')
            return false;
    }
    return n->len > 0;
}

static bool parse_domain(struct dns_name *out, struct span text)
{
    struct dns_name n;
    if (!dns_name_parse(&n, text) || !is_mail_domain(&n))
        return false;
    *out = n;
    return true;
}

// A HELO name in U-labels is not converted: it must not be sent (RFC 8616 §4).
static void helo_identity(struct auth_spf *s, struct spf_side *side)
{
    side->local = SPAN("postmaster"); // §2.4, §4.3
    side->local_ascii = true;
    if (span_is_ascii(s->r.helo))
        (void)parse_domain(&side->check.domain, s->r.helo);
}

static void sender_identity(struct auth_spf *s, struct spf_side *side)
{
    struct span sender = s->r.mail_from;
    size_t at = sender.len;
    while (at > 0 && sender.at[at - 1] != '@')
        at--;
    side->local = at > 1 ? span_first(sender, at - 1) : SPAN("postmaster");
    side->local_ascii = span_is_ascii(side->local);
    (void)parse_domain(&side->check.domain, span_skip(sender, at));
}

// RFC 7208 §5: ::ffff:192.0.2.1 is 192.0.2.1.
static struct dns_address unmapped(const struct dns_address *a)
{
    static const char prefix[12] = {[10] = (char)0xff, [11] = (char)0xff};
    struct dns_address v4 = {0};
    if (!a->v6 || !span_eq(span_first(SPAN_OF(a->at), 12), SPAN_OF(prefix)))
        return *a;
    for (size_t i = 0; i < 4; i++)
        v4.at[i] = a->at[12 + i];
    return v4;
}

static bool copy_request(struct auth_spf *s, const struct auth_spf_request *r)
{
    s->r = *r;
    s->r.client = unmapped(&r->client);
    // Nothing longer can have come through SMTP; cut, it has no valid domain.
    s->r.helo = arena_dup(s->arena, span_first(r->helo, SPF_NAME_MAX + 1));
    s->r.mail_from = arena_dup(s->arena, span_first(r->mail_from, SPF_LOCAL_MAX + SPF_NAME_MAX));
    s->r.voids_max = r->voids_max ? r->voids_max : AUTH_SPF_VOIDS;
    return s->r.helo.at && s->r.mail_from.at;
}

struct auth_spf *auth_spf_new(const struct auth_spf_request *r, struct arena *a)
{
    struct auth_spf *s = arena_alloc(a, sizeof *s);
    if (!s)
        return NULL;
    s->arena = a;
    if (!copy_request(s, r))
        return NULL;
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++) {
        struct spf_side *side = &s->side[i];
        bool null = s->r.mail_from.len == 0;
        side->check.identity = (enum auth_spf_identity)i;
        side->check.checked = i == AUTH_SPF_MAIL_FROM || !r->no_helo;
        side->done = i == AUTH_SPF_HELO && (r->no_helo || null); // null: MAIL FROM's is copied
        if (i == AUTH_SPF_HELO || null)
            helo_identity(s, side);
        else
            sender_identity(s, side);
        side->check.steps = arena_alloc(a, AUTH_SPF_STEPS * sizeof *side->check.steps);
        if (!side->check.steps)
            return NULL;
    }
    return s;
}

// --- evaluation

static void finish(struct spf_run *run, enum auth_result result, struct span explanation)
{
    struct auth_spf_check *c = &run->side->check;
    if (run->spf->full) {
        run->error = result = AUTH_TEMPERROR;
        run->note = "the evaluation needs more memory than it may have";
    }
    c->result = result;
    c->record_domain = result == AUTH_NONE ? (struct dns_name){0} : run->record_domain;
    c->mechanism = result == AUTH_TEMPERROR || result == AUTH_PERMERROR ? SPAN("") : run->mechanism;
    c->explanation = result == AUTH_FAIL && explanation.at ? explanation : SPAN("");
    c->reason = spf_reason(run, result);
    c->lookups = run->lookups;
    c->voids = run->voids;
    c->step_count = run->steps;
    c->steps_left_out = run->left_out;
    run->side->done = true;
}

static bool is_waiting(const struct auth_spf *s, const struct spf_side *side)
{
    for (size_t i = 0; i < s->asked; i++)
        if (!s->answers[i]->answered && s->answers[i]->wanted >> side->check.identity & 1)
            return true;
    return false;
}

// One replay; without effect on what comes out unless it gets to the end.
static void replay(struct auth_spf *s, struct spf_side *side)
{
    struct spf_run run = {.spf = s, .side = side, .record_domain = side->check.domain};
    enum auth_result result = AUTH_NONE;
    struct span explanation = SPAN("");
    enum spf_state state = SPF_MATCH;
    if (!dns_name_is_root(&side->check.domain))
        state = spf_check_host(&run, &side->check.domain, 0, &result);
    if (state == SPF_MATCH && result == AUTH_FAIL)
        state = spf_explain(&run, &explanation);
    if (state == SPF_ERROR)
        result = run.error;
    bool waits = state == SPF_PENDING && is_waiting(s, side);
    s->full = s->full || (state == SPF_PENDING && !waits);
    if (!waits)
        finish(&run, result, explanation);
}

static void conclude(struct auth_spf *s)
{
    struct auth_spf_check *mail_from = &s->result.check[AUTH_SPF_MAIL_FROM];
    struct auth_spf_check *helo = &s->result.check[AUTH_SPF_HELO];
    *mail_from = s->side[AUTH_SPF_MAIL_FROM].check;
    *helo = s->side[AUTH_SPF_HELO].check;
    if (s->r.mail_from.len == 0 && helo->checked) {
        *helo = *mail_from;
        helo->identity = AUTH_SPF_HELO;
    }
    bool helo_stands = helo->checked && helo->result == AUTH_FAIL;
    s->result.decides = helo_stands && s->r.mail_from.len ? helo : mail_from;
}

static bool is_done(const struct auth_spf *s)
{
    return s->side[AUTH_SPF_MAIL_FROM].done && s->side[AUTH_SPF_HELO].done;
}

struct auth_step auth_spf_next(struct auth_spf *s)
{
    // Not before everything it asked for is there: so there are few replays.
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++)
        if (!s->side[i].done && !is_waiting(s, &s->side[i]))
            replay(s, &s->side[i]);
    if (s->given < s->asked && !is_done(s)) {
        const struct spf_answer *a = s->answers[s->given++];
        return (struct auth_step){
            .kind = AUTH_ASK_DNS, .ticket = (unsigned)s->given, .question = a->question};
    }
    if (!is_done(s) || s->told)
        return (struct auth_step){.kind = AUTH_WAIT};
    s->told = true;
    conclude(s);
    return (struct auth_step){.kind = AUTH_DONE};
}

const struct auth_spf_result *auth_spf_result(const struct auth_spf *s)
{
    return s->told ? &s->result : NULL;
}
