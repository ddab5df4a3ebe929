// Others' DMARC cases: the examples of the RFC (its own tree walks and alignment
// pairs), and a library's, which knows RFC 7489 and the public suffix list.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "auth_dmarc.h"
#include "tree.h"
#include "zone.h"

static struct dns_name name_of(struct span text)
{
    struct dns_name n;
    if (!dns_name_parse(&n, text))
        panic("no such name: %.*s", SPAN_FMT(text));
    return n;
}

static void drive(struct auth_dmarc *m, struct zone *z)
{
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    struct zone_pending pending = {.seed = 7};
    struct auth_step step;
    for (;;) {
        auth_dmarc_next(m, &step);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(&pending, &step);
        } else {
            if (!zone_pending_take(&pending, &step))
                return;
            struct dns_answer answer = zone_answer(z, &step.question, &a);
            auth_dmarc_answer(m, step.ticket, &answer);
        }
    }
}

// --- dmarcbis-rfc-examples

static struct zone *zone_of(const struct tree *records)
{
    struct zone *z = zone_new(NULL);
    for (const struct tree *t = records ? records->child : NULL; t; t = t->next)
        if (!zone_add(z, t->key, SPAN("TXT"), t->text))
            panic("zone: %.*s", SPAN_FMT(t->key));
    return z;
}

static const struct auth_dmarc_result *evaluate(struct auth_dmarc *m, struct zone *z,
                                                struct span author, struct span spf,
                                                struct span dkim)
{
    CLEANUP(buf_free) struct buf b = BUF(512);
    struct auth_dmarc_spf s = {.result = AUTH_PASS, .mail_from = true};
    struct auth_dmarc_dkim d = {.result = AUTH_PASS};
    buf_printf(&b, "u@%.*s", SPAN_FMT(author));
    struct span from = buf_span(&b);
    if (spf.len)
        s.domain = name_of(spf);
    if (dkim.len)
        d.domain = name_of(dkim);
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_identifiers(m, spf.len ? &s : NULL, &d, dkim.len > 0);
    drive(m, z);
    return auth_dmarc_result(m);
}

static void alignment_row(const struct tree *row, const struct tree *records, bool want)
{
    CLEANUP(zone_free) struct zone *z = zone_of(records);
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    const struct auth_dmarc_result *r =
        evaluate(m, z, tree_text(row, "author_domain"), tree_text(row, "mailfrom_domain"),
                 tree_text(row, "dkim_d"));
    assert_int_equal(r->result, want ? AUTH_PASS : AUTH_FAIL);
    assert_int_equal(r->spf_aligned || r->dkim_aligned, want);
}

static void alignment(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    const struct tree *cases = tree_file("dmarcbis-rfc-examples/cases.json", &a);
    size_t n = 0;
    assert_non_null(cases);
    for (const struct tree *row = tree_get(cases, "alignment")->child; row; row = row->next, n++) {
        alignment_row(row, tree_get(cases, "alignment_zone_relaxed"),
                      tree_is(row, "aligned_relaxed", "true"));
        alignment_row(row, tree_get(cases, "alignment_zone_strict"),
                      tree_is(row, "aligned_strict", "true"));
    }
    assert_int_equal(n, 6);
}

// One walk by itself, its questions noted in order.
static struct auth_dmarc_walk walk_from(struct zone *z, struct span start, struct buf *asked)
{
    struct auth_dmarc_table *t = mem_new(sizeof *t);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct dns_name name = name_of(start);
    struct auth_dmarc_walk w;
    t->arena = ARENA(1 << 20);
    for (auth_dmarc_walk(&w, t, &name); w.state == DMARC_WALK_WAITS;
         auth_dmarc_walk(&w, t, &name)) {
        struct auth_dmarc_lookup *l = auth_dmarc_table_next(t);
        struct dns_question q = {l->owner, DNS_TXT};
        struct dns_answer answer = zone_answer(z, &q, &a);
        buf_printf(asked, "%s ", l->owner.text);
        auth_dmarc_table_answer(t, l, &answer);
    }
    auth_dmarc_table_free(t);
    free(t);
    return w;
}

static void walk_row(const struct tree *records, struct span start, const struct tree *queries,
                     struct span organization)
{
    CLEANUP(zone_free) struct zone *z = zone_of(records);
    CLEANUP(buf_free) struct buf asked = BUF(4096), want = BUF(4096);
    struct auth_dmarc_walk w = walk_from(z, start, &asked);
    assert_int_equal(w.state, DMARC_WALK_DONE);
    for (const struct tree *q = queries ? queries->child : NULL; q; q = q->next)
        buf_printf(&want, "%.*s ", SPAN_FMT(q->text));
    if (queries)
        assert_string_equal(buf_str(&asked), buf_str(&want));
    if (organization.len) {
        struct dns_name o = name_of(organization);
        assert_string_equal(w.organization.text, o.text);
    }
}

static void message_row(const struct tree *row)
{
    CLEANUP(zone_free) struct zone *z = zone_of(tree_get(row, "zone"));
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    const struct auth_dmarc_result *r =
        evaluate(m, z, tree_text(row, "author_domain"), tree_text(row, "mailfrom_domain"),
                 tree_text(row, "dkim_d"));
    assert_true(span_eq(dns_name_span(&r->policy_domain), tree_text(row, "policy_domain")));
    assert_int_equal(r->spf_aligned, tree_is(row, "spf_aligned", "true"));
    assert_int_equal(r->dkim_aligned, tree_is(row, "dkim_aligned", "true"));
}

static void tree_walks(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    const struct tree *cases = tree_file("dmarcbis-rfc-examples/cases.json", &a);
    size_t n = 0;
    assert_non_null(cases);
    for (const struct tree *row = tree_get(cases, "tree_walk")->child; row; row = row->next, n++) {
        const struct tree *records = tree_get(row, "zone"), *queries = tree_get(row, "queries");
        const struct tree *organization = tree_get(row, "organizational_domain");
        if (tree_get(row, "start")) {
            walk_row(records, tree_text(row, "start"), queries,
                     organization ? organization->text : (struct span){NULL, 0});
            continue;
        }
        for (const struct tree *o = organization->child; o; o = o->next) {
            char key[256];
            assert_true(span_copy(key, sizeof key, o->key));
            walk_row(records, o->key, tree_get(queries, key), o->text);
        }
        message_row(row);
    }
    assert_int_equal(n, 7);
}

// --- dmarc-mailauth

static struct zone *library_zone(const struct tree *zone, bool *usable)
{
    struct zone *z = zone_new(NULL);
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    *usable = true;
    for (const struct tree *name = zone ? zone->child : NULL; name; name = name->next) {
        const struct tree *txt = tree_get(name, "TXT");
        bool any = span_eq(name->key, SPAN("*"));
        if (!txt)
            continue;
        if (txt->kind == '{') {
            bool timeout = tree_is(txt, "ERROR", "ETIMEOUT");
            if (timeout && any) // "every other name": the author's is the first asked
                (void)zone_add(z, SPAN("_dmarc.example.com"), SPAN("TXT"), SPAN("!timeout"));
            continue;
        }
        for (const struct tree *record = txt->child; record; record = record->next) {
            buf_clear(&b);
            for (const struct tree *s = record->child; s; s = s->next)
                buf_put(&b, s->text);
            *usable = *usable && zone_add(z, name->key, SPAN("TXT"), buf_span(&b));
        }
    }
    return z;
}

static size_t identifiers(const struct tree *list, struct auth_dmarc_dkim *to, size_t room)
{
    size_t n = 0;
    for (const struct tree *t = list ? list->child : NULL; t && n < room; t = t->next) {
        struct span domain = t->kind == '"' ? t->text : tree_text(t, "domain");
        to[n++] = (struct auth_dmarc_dkim){AUTH_PASS, name_of(domain)};
    }
    return n;
}

// Rows that we read otherwise, and why.
static const struct {
    const char *name, *why;
} exceptions[] = {
    {"Should handle IDN domains",
     "its zone says that there is no record, so the result cannot be pass"},
    {"Should return false for headerFrom array with multiple elements",
     "both are of one domain, which is one author domain (RFC 9989 section 5.3.1)"},
};

static bool is_exception(struct span name)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (span_eq(name, span_str(exceptions[i].name))) {
            print_message("# otherwise: %s: %s\n", exceptions[i].name, exceptions[i].why);
            return true;
        }
    return false;
}

// The rows that say something of what this evaluator decides. "policy" there is
// that of the record, before anything else.
static size_t expect(const struct tree *e, const struct auth_dmarc_result *r)
{
    static const char *const policies[] = {"result.policy", "record.p", "result.p"};
    struct span path = tree_text(e, "path");
    const struct tree *args = tree_get(e, "args");
    struct span want = args && args->child ? args->child->text : (struct span){NULL, 0};
    if (span_eq(path, SPAN("result.status.result"))) {
        assert_true(span_eq(want, span_str(auth_result_text(r->result))));
        return 1;
    }
    if (span_eq(path, SPAN("result.domain")) || span_eq(path, SPAN("result.status.header.d"))) {
        assert_true(span_eq(want, dns_name_span(&r->policy_domain)));
        return 1;
    }
    if (span_eq(path, SPAN("result.status.header.from"))) {
        assert_true(span_eq(want, dns_name_span(&r->from.domain)));
        return 1;
    }
    if (span_eq(path, SPAN("record")) && tree_is(e, "assert", "to.be.false")) {
        assert_false(r->found);
        return 1;
    }
    for (size_t i = 0; i < 3; i++)
        if (span_eq(path, span_str(policies[i]))) {
            enum auth_dmarc_policy p = i == 0 ? r->policy : r->record->p;
            assert_true(span_eq(want, span_str(auth_dmarc_policy_text(p))));
            return 1;
        }
    if (span_eq(path, SPAN("result.alignment.dkim.result")))
        assert_false(r->dkim_aligned);
    else if (span_eq(path, SPAN("result.alignment.spf.result")))
        assert_true(r->spf_aligned);
    else if (span_eq(path, SPAN("result.alignment.dkim.strict")))
        assert_int_equal(r->record->adkim_strict, tree_is(e, "assert", "to.be.true"));
    else if (span_eq(path, SPAN("result.alignment.spf.strict")))
        assert_int_equal(r->record->aspf_strict, tree_is(e, "assert", "to.be.true"));
    else
        return 0;
    return 1;
}

static size_t library_row(const struct tree *row, const struct tree *call)
{
    bool usable = false;
    CLEANUP(zone_free) struct zone *z = library_zone(tree_get(call, "zone"), &usable);
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    const struct tree *from = tree_get(call, "headerFrom");
    struct auth_dmarc_dkim dkim[8], spf[1];
    CLEANUP(buf_free) struct buf b = BUF(512);
    struct span author = tree_text(call, "domain");
    if (from)
        author = from->kind == '[' ? from->child->text : from->text;
    buf_printf(&b, "%s%.*s", span_index(author, '@') < author.len ? "" : "u@", SPAN_FMT(author));
    struct span value = buf_span(&b);
    size_t n = identifiers(tree_get(call, "dkimDomains"), dkim, 8);
    size_t has_spf = identifiers(tree_get(call, "spfDomains"), spf, 1), checked = 0;
    struct auth_dmarc_spf s = {AUTH_PASS, true, has_spf ? spf[0].domain : (struct dns_name){0}};
    assert_true(usable);
    auth_dmarc_from(m, &value, 1);
    auth_dmarc_identifiers(m, has_spf ? &s : NULL, dkim, n);
    drive(m, z);
    for (const struct tree *e = tree_get(row, "expect")->child; e; e = e->next)
        checked += expect(e, auth_dmarc_result(m));
    return checked;
}

static size_t library(const char *file, size_t *rows)
{
    CLEANUP(arena_free) struct arena a = ARENA(8 << 20);
    const struct tree *row = tree_file(file, &a);
    size_t checked = 0;
    assert_non_null(row);
    for (row = row->child; row; row = row->next) {
        const struct tree *call = tree_get(row, "calls")->child;
        if (call->next || is_exception(tree_text(row, "name")))
            continue; // several calls compare outputs with each other
        print_message("# %.*s\n", SPAN_FMT(tree_text(row, "name")));
        checked += library_row(row, call);
        (*rows)++;
    }
    return checked;
}

static void library_verify(void **state)
{
    (void)state;
    size_t rows = 0, checked = library("dmarc-mailauth/dmarc-verify.json", &rows);
    assert_true(rows >= 30 && checked >= 35);
}

static void library_record(void **state)
{
    (void)state;
    size_t rows = 0, checked = library("dmarc-mailauth/dmarc-record.json", &rows);
    assert_true(rows >= 20 && checked >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment),
        cmocka_unit_test(tree_walks),
        cmocka_unit_test(library_verify),
        cmocka_unit_test(library_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
