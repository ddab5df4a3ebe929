#include "alias_walk.h"

#include "base_buf.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define LONG                                                                                       \
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd."                                \
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd."                                \
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define FIFTY "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"

static const char table[] = "postmaster: alice\n"
                            "info@example.org: alice, bob@far.example\n"
                            "everywhere: bob\n"
                            "bob: bob, bob@phone.example\n"
                            "@all.example: alice@example.org\n"
                            "@twin.example: @example.org\n"
                            "news: alice, reader@far.example, staff\n"
                            "owner-news: carol\n"
                            "staff: dave, nobody\n"
                            "gone: :fail: We moved\n"
                            "tagged+x@example.org: carol\n"
                            "@short.virtual.example: @" LONG ".example.org\n"
                            "tls: reports@example.org, TLS@far.example\n"
                            "reports: bob\n"
                            "many: a@f.example, b@f.example, c@f.example, d@f.example, e@f.example,"
                            " f@f.example, g@f.example, h@f.example, i@f.example\n";

static enum alias_class class_of(void *arg, struct span domain)
{
    (void)arg;
    if (span_ends(domain, SPAN("example.org")))
        return ALIAS_CLASS_LOCAL;
    if (span_eq(domain, SPAN("backup.example")))
        return ALIAS_CLASS_RELAY;
    return span_ends(domain, SPAN("all.example")) || span_ends(domain, SPAN("twin.example")) ||
                   span_ends(domain, SPAN("virtual.example"))
               ? ALIAS_CLASS_VIRTUAL
               : ALIAS_CLASS_OTHER;
}

static enum alias_mailbox mailbox(struct span address)
{
    static const char *const there[] = {"alice@example.org", "bob@example.org", "carol@example.org",
                                        "dave@example.org"};
    if (span_istarts(address, SPAN("slow")))
        return ALIAS_MAILBOX_NOT_KNOWN;
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (span_ieq(address, span_str(there[i])))
            return ALIAS_MAILBOX_THERE;
    return ALIAS_MAILBOX_NOT_THERE;
}

// "goes: alice@example.org owner=… bob@far.example*" (*: forwarded)
static const char *way(const struct alias_conf *conf, const char *path, struct buf *b)
{
    static const char *const ends[ALIAS_ENDS] = {"goes",    "not ours", "unknown",
                                                 "refused", "later",    "too many"};
    CLEANUP(arena_free) struct arena a = ARENA(4096);
    struct mail_address to;
    struct span in = span_str(path), question, why;
    size_t count;
    assert_true(mail_path_parse(&to, &in, true, &a));
    struct alias_walk *w = alias_walk_new(conf, &to);
    while (alias_walk_asks(w, &question)) {
        assert_true(question.len <= MAIL_PATH_MAX); // the authenticator takes no more
        alias_walk_answer(w, mailbox(question));
    }
    buf_printf(b, "%s", ends[alias_walk_end(w, &why)]);
    buf_printf(b, "%s%.*s:", why.len ? " " : "", SPAN_FMT(why));
    const struct alias_goal *g = alias_walk_goals(w, &count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(b, " %.*s%s", SPAN_FMT(g[i].address), g[i].forwarded ? "*" : "");
        if (span_eq(g[i].domain, conf->own_domain))
            buf_printf(b, "[%.*s]", SPAN_FMT(g[i].domain));
        if (g[i].owner.len)
            buf_printf(b, "(%.*s)", SPAN_FMT(g[i].owner));
    }
    buf_printf(b, "%s", alias_walk_plain(w) ? " plain" : "");
    alias_walk_free(w);
    return buf_str(b);
}

static const struct {
    const char *path, *want;
} ways[] = {
    {"<alice@example.org>", "goes: alice@example.org plain"},
    {"<Alice@Example.ORG>", "goes: Alice@example.org plain"},
    {"<alice+news@example.org>", "goes: alice+news@example.org plain"},
    {"<nobody@example.org>", "unknown: plain"},
    {"<x@elsewhere.example>", "not ours: x@elsewhere.example plain"},
    {"<x@backup.example>", "goes: x@backup.example plain"},
    {"<info@example.org>", "goes: alice@example.org* bob@far.example*"},
    {"<INFO+tag@example.org>", "goes: alice@example.org* bob@far.example*"},
    {"<everywhere@example.org>", "goes: bob@example.org* bob@phone.example*"},
    {"<bob@example.org>", "goes: bob@example.org* bob@phone.example*"},
    {"<postmaster>", "goes: alice@example.org*"},
    {"<postmaster@virtual.example>", "goes: alice@example.org*"},
    {"<other@virtual.example>", "unknown: plain"},
    {"<any@all.example>", "goes: alice@example.org*"},
    {"<alice@twin.example>", "goes: alice@example.org*"},
    {"<alice+a@twin.example>", "goes: alice+a@example.org*"},
    {"<nobody@twin.example>", "unknown:"},
    {"<" FIFTY "mmmmmmmmmmmmmm@short.virtual.example>", "unknown:"},
    {"<news@example.org>",
     "goes: alice@example.org*(owner-news@example.org) reader@far.example*(owner-news@example.org) "
     "dave@example.org*(owner-news@example.org)"},
    {"<owner-news@example.org>", "goes: carol@example.org*"},
    {"<gone@example.org>", "refused We moved:"},
    {"<tagged+x@example.org>", "goes: carol@example.org*"},
    {"<slow@example.org>", "later: plain"},
    // what the server itself takes in, wherever it is met
    {"<reports@example.org>", "goes: reports@example.org[own.invalid] plain"},
    {"<Reports@Example.org>", "goes: Reports@example.org[own.invalid] plain"},
    {"<tls@far.example>", "goes: tls@far.example[own.invalid] plain"},
    {"<tls@example.org>", "goes: reports@example.org*[own.invalid] TLS@far.example*[own.invalid]"},
    {"<reports+x@example.org>", "goes: bob@example.org* bob@phone.example*"},
    {"<many@example.org>", "too many: a@f.example* b@f.example* c@f.example* d@f.example*"},
};

static void ways_are_as_they_must_be(void **state)
{
    (void)state;
    const struct span own[] = {SPAN("reports@example.org"), SPAN("tls@far.example")};
    struct alias_fault fault;
    struct alias_source source = {SPAN("aliases"), span_str(table)};
    struct alias_conf conf = {.domains = {.class_of = class_of},
                              .home = SPAN("example.org"),
                              .detail = '+',
                              .most = 1000,
                              .own = own,
                              .own_count = 2,
                              .own_domain = SPAN("own.invalid")};
    struct alias_table *t;
    if (!rc_ok(alias_table_new(&t, &source, 1, &conf.domains, &fault)))
        fail_msg("%s", fault.text);
    conf.table = t;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        CLEANUP(buf_free) struct buf b = BUF(4096);
        conf.most = span_starts(span_str(ways[i].path), SPAN("<many")) ? 4 : 1000;
        const char *got = way(&conf, ways[i].path, &b);
        size_t same = strlen(ways[i].want);
        bool counted = conf.most == 4; // which of them are there when it is too many is no matter
        if (counted ? strncmp(got, "too many", 8) : strcmp(got, ways[i].want) || !same)
            print_error("%s\n got %s\nwant %s\n", ways[i].path, got, ways[i].want);
        assert_true(counted ? !strncmp(got, "too many", 8) : !strcmp(got, ways[i].want));
    }
    alias_table_free(t);
}

static void no_table_at_all(void **state)
{
    (void)state;
    struct alias_conf conf = {.domains = {.class_of = class_of},
                              .home = SPAN("example.org"),
                              .postmaster = SPAN("root@far.example"),
                              .most = 10};
    CLEANUP(buf_free) struct buf b = BUF(4096);
    assert_string_equal(way(&conf, "<postmaster@example.org>", &b), "goes: root@far.example*");
    buf_clear(&b);
    assert_string_equal(way(&conf, "<alice@example.org>", &b), "goes: alice@example.org plain");
    buf_clear(&b); // no detail is known
    assert_string_equal(way(&conf, "<alice+x@example.org>", &b), "unknown: plain");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_are_as_they_must_be),
        cmocka_unit_test(no_table_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
