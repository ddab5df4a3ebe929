// A small internet for planner tests: a table of answers as text, one a line,
//   NAME TYPE STANDING [=EXPANDED] VALUE
// STANDING is s(ecure), i(nsecure), b(ogus) or x (indeterminate); VALUE is a
// record, NODATA, NXDOMAIN or EMPTY (records that cannot be read). A name that
// is not in the table does not exist; the standing of that is the line "* i",
// else secure. TLSA data: hex, or #N for N bytes. Lines end in '\n'.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base_code.h"
#include "base_rc.h"
#include "trust_plan.h"

struct scene {
    const char *name;
    const char *zone;
    const char *want;   // "DECISION[ STATUS] host=requirement …", by preference
    const char *sts;    // "state" or "state/source" with the id behind it; NULL: not looked at
    const char *stored; // policy file kept under id "old", for another hour; NULL: none
    const char *fetch;  // policy file, or "!N": trust_fetch_result N; NULL: must not be asked
    const char *saved;  // id expected to be saved; NULL: nothing
    enum trust_local local;
    bool requiretls, tls_required_no;
    void (*change)(struct trust_request *r);
    void (*look)(const struct trust_plan *plan);
    int64_t stored_left; // seconds to expiry; 0: an hour
};

static inline enum dns_standing zone_standing(struct span s)
{
    return s.len != 1       ? DNS_INDETERMINATE
           : s.at[0] == 's' ? DNS_SECURE
           : s.at[0] == 'i' ? DNS_INSECURE
           : s.at[0] == 'b' ? DNS_BOGUS
                            : DNS_INDETERMINATE;
}

static inline struct dns_name zone_name(struct span s)
{
    struct dns_name n;
    if (!dns_name_parse(&n, s))
        panic("test zone: bad name %.*s", SPAN_FMT(s));
    return n;
}

static inline struct dns_name name_of(const char *s)
{
    return zone_name(span_str(s));
}

static inline uint64_t zone_number(struct span *rest)
{
    uint64_t n = 0;
    if (!span_number(span_cut(rest, ' '), 65535, &n))
        panic("test zone: bad number");
    return n;
}

static inline void zone_tlsa(struct dns_record *r, struct span v, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(20000);
    r->short_rdata = span_eq(v, SPAN("short"));
    if (r->short_rdata)
        return;
    r->usage = (uint8_t)zone_number(&v);
    r->selector = (uint8_t)zone_number(&v);
    r->matching = (uint8_t)zone_number(&v);
    uint64_t n = 0;
    if (span_starts(v, SPAN("#")) && span_number(span_skip(v, 1), 9999, &n))
        for (; n; n--)
            buf_putc(&b, 'x');
    else if (!code_get_hex(&b, v))
        panic("test zone: bad hex");
    r->data = arena_dup(a, buf_span(&b));
}

static inline void zone_record(struct dns_answer *out, enum dns_type type, struct span v,
                               struct arena *a)
{
    struct dns_record *r = &out->records[out->count++];
    if (type == DNS_MX)
        r->preference = (uint16_t)zone_number(&v);
    if (type == DNS_MX || type == DNS_CNAME)
        r->name = zone_name(v);
    else if (type == DNS_TLSA)
        zone_tlsa(r, v, a);
    else if (type == DNS_TXT)
        r->data = arena_dup(a, v);
    else if (!dns_address_parse(&r->address, v))
        panic("test zone: bad address");
}

static inline void zone_line(struct dns_answer *out, enum dns_type type, struct span line,
                             struct arena *a)
{
    out->standing = zone_standing(span_cut(&line, ' '));
    if (span_starts(line, SPAN("="))) {
        struct span target = span_cut(&line, ' ');
        out->aliased = true;
        out->expanded = zone_name(span_skip(target, 1));
    }
    if (out->standing < DNS_INSECURE) {
        out->presence = DNS_NO_ANSWER;
        out->why = line.at ? arena_dup(a, line) : SPAN("");
        return;
    }
    out->presence = span_eq(line, SPAN("NODATA"))     ? DNS_NODATA
                    : span_eq(line, SPAN("NXDOMAIN")) ? DNS_NXDOMAIN
                                                      : DNS_DATA;
    if (out->presence != DNS_DATA)
        return;
    if (span_eq(line, SPAN("EMPTY")))
        out->unread = true;
    else
        zone_record(out, type, line, a);
}

// The answer of the table, in `a`.
static inline struct dns_answer zone_ask(const char *zone, const struct dns_question *q,
                                         struct arena *a)
{
    struct dns_answer out = {.standing = DNS_SECURE,
                             .presence = DNS_NXDOMAIN,
                             .ttl = 300,
                             .expanded = q->name,
                             .records = arena_alloc(a, 300 * sizeof(struct dns_record))};
    struct span rest = span_str(zone);
    bool found = false;
    while (rest.len) {
        struct span line = span_cut(&rest, '\n'), name = span_cut(&line, ' ');
        if (span_eq(name, SPAN("*")) && !found)
            out.standing = zone_standing(line);
        if (!span_eq(name, dns_name_span(&q->name)))
            continue;
        if (!found && out.presence == DNS_NXDOMAIN)
            out.presence = DNS_NODATA;
        if (!span_eq(span_cut(&line, ' '), span_str(dns_type_text(q->type))))
            continue;
        found = true;
        zone_line(&out, q->type, line, a);
    }
    return out;
}

#define SCENE_NOW ((struct wall){SECONDS(1795000000)})

struct scene_run {
    const struct scene *s;
    struct trust_planner *p;
    struct arena arena, answers;
    char saved[STS_ID_MAX + 1];
    bool fetched;
    unsigned questions;
    struct trust_planner_step waiting[400];
    size_t count;
};

static inline void scene_stored(struct scene_run *r, unsigned ticket)
{
    struct trust_sts_stored stored = {.id = "old", .fetched = SCENE_NOW, .expires = SCENE_NOW};
    stored.expires.us += SECONDS(r->s->stored_left ? r->s->stored_left : 3600);
    stored.file = span_str(r->s->stored);
    trust_planner_stored(r->p, ticket, r->s->stored ? &stored : NULL);
}

static inline void scene_fetch(struct scene_run *r, unsigned ticket)
{
    struct trust_fetched f = {.result = TRUST_FETCH_CONNECT, .detail = SPAN("detail")};
    if (r->s->fetch && r->s->fetch[0] == '!')
        f.result = (enum trust_fetch_result)(r->s->fetch[1] - '0');
    else if (r->s->fetch)
        f = (struct trust_fetched){.result = TRUST_FETCH_OK, .file = span_str(r->s->fetch)};
    r->fetched = true;
    trust_planner_fetched(r->p, ticket, &f);
}

static inline void scene_answer(struct scene_run *r, const struct trust_planner_step *step)
{
    if (step->kind == TRUST_ASK_STORED)
        scene_stored(r, step->ticket);
    if (step->kind == TRUST_ASK_FETCH)
        scene_fetch(r, step->ticket);
    if (step->kind != TRUST_ASK_DNS)
        return;
    struct dns_answer a = zone_ask(r->s->zone, &step->question, &r->answers);
    trust_planner_dns(r->p, step->ticket, &a);
}

// Drives to the end, answering whichever question `order` picks.
static inline const struct trust_plan *scene_drive(struct scene_run *r, unsigned order)
{
    for (;;) {
        struct trust_planner_step step = trust_planner_next(r->p);
        if (step.kind == TRUST_ASK_DONE)
            break;
        if (step.kind == TRUST_ASK_SAVE) {
            assert_true(span_copy(r->saved, sizeof r->saved, span_str(step.stored->id)));
            continue;
        }
        if (step.kind != TRUST_ASK_WAIT) {
            r->questions++;
            assert_true(r->count < sizeof r->waiting / sizeof *r->waiting);
            r->waiting[r->count++] = step;
            continue;
        }
        assert_true(r->count > 0);
        assert_null(trust_planner_plan(r->p));
        order = order * 1103515245u + 12345u;
        size_t pick = order / 65536u % r->count;
        struct trust_planner_step chosen = r->waiting[pick];
        r->waiting[pick] = r->waiting[--r->count];
        scene_answer(r, &chosen);
    }
    assert_int_equal(trust_planner_next(r->p).kind, TRUST_ASK_WAIT);
    return trust_planner_plan(r->p);
}

static inline struct trust_request scene_request(const struct scene *s)
{
    struct trust_request req = {.domain = name_of("example.org"),
                                .need = {s->requiretls, s->tls_required_no},
                                .local = s->local,
                                .port = 25,
                                .seed = 7,
                                .now = SCENE_NOW};
    if (s->change)
        s->change(&req);
    return req;
}

static inline void scene_put_want(struct buf *b, const struct trust_plan *plan)
{
    buf_printf(b, "%s", trust_decision_text(plan->decision));
    if (plan->status)
        buf_printf(b, " %s", plan->status);
    for (size_t i = 0; i < plan->host_count; i++)
        buf_printf(b, " %s=%s", plan->hosts[i].name.text,
                   trust_requirement_text(plan->hosts[i].requirement));
}

static inline void scene_put_sts(struct buf *b, const struct trust_sts_held *h)
{
    static const char *const states[] = {"absent", "none", "testing", "enforce", "error"};
    static const char *const sources[] = {"", "/cache", "/fetched", "/last-good"};
    buf_printf(b, "%s%s", states[h->state], sources[h->source]);
    if (h->source)
        buf_printf(b, " %s", h->id);
    if (h->result_type)
        buf_printf(b, " %s", trust_result_type_text(h->result_type));
}

static inline void scene_check(const struct scene *s, const struct scene_run *r,
                               const struct trust_plan *plan)
{
    CLEANUP(buf_free) struct buf want = BUF(20000), sts = BUF(1000);
    scene_put_want(&want, plan);
    scene_put_sts(&sts, &plan->sts);
    if (s->want)
        assert_string_equal(buf_str(&want), s->want);
    if (s->sts)
        assert_string_equal(buf_str(&sts), s->sts);
    assert_string_equal(r->saved, s->saved ? s->saved : "");
    assert_int_equal(r->fetched, s->fetch != NULL);
    assert_true(plan->reason.len > 10 && plan->reason.at[plan->reason.len - 1] == '.');
    for (size_t i = 0; i < plan->host_count; i++) {
        const struct trust_host *h = &plan->hosts[i];
        assert_true(h->reason.len > 10 && h->reason.at[h->reason.len - 1] == '.');
        assert_int_equal(h->requirement == TRUST_REQ_UNUSABLE, h->status != NULL);
        if (h->requirement != TRUST_REQ_UNUSABLE)
            assert_true(h->address_count > 0 && h->name_count > 0);
    }
    if (s->look)
        s->look(plan);
}

// Runs a scene with one order of answers, its JSON into `json`.
static inline void scene_run(const struct scene *s, unsigned order, struct buf *json)
{
    struct scene_run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->s = s;
    r->arena = ARENA(1 << 20);
    r->answers = ARENA(64u << 20);
    struct trust_request req = scene_request(s);
    r->p = trust_planner_new(&req, &r->arena);
    const struct trust_plan *plan = scene_drive(r, order);
    if (order == 0)
        scene_check(s, r, plan);
    trust_plan_put_json(json, plan);
    buf_printf(json, " ttl=%u saved=%s", plan->ttl, r->saved);
    assert_true(rc_ok(buf_state(json)));
    arena_free(&r->arena);
    arena_free(&r->answers);
    free(r);
}

static inline void scene_test(void **state)
{
    const struct scene *s = *state;
    CLEANUP(buf_free) struct buf first = BUF(1 << 20), other = BUF(1 << 20);
    scene_run(s, 0, &first);
    for (unsigned order = 1; order < 12; order++) { // the order of answers changes nothing
        buf_clear(&other);
        scene_run(s, order, &other);
        assert_string_equal(buf_str(&other), buf_str(&first));
    }
}

static inline int scenes_run(const struct scene *scenes, size_t n, const struct CMUnitTest *more,
                             size_t more_count, const char *group)
{
    struct CMUnitTest *tests = calloc(n + more_count + 1, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = scenes[i].name, .test_func = scene_test, .initial_state = (void *)&scenes[i]};
    for (size_t i = 0; i < more_count; i++)
        tests[n + i] = more[i];
    int failed = _cmocka_run_group_tests(group, tests, n + more_count, NULL, NULL);
    free(tests);
    return failed;
}
