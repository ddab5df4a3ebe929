#include "smtp_capability.h"
#include "smtp_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct command_case {
    const char *line;
    enum smtp_verb verb;
    const char *rest;
    unsigned code;
} commands[] = {
    {"EHLO x", SMTP_VERB_EHLO, "x", 0},
    {"eHlO x  ", SMTP_VERB_EHLO, "x", 0},
    {"NOOP", SMTP_VERB_NOOP, "", 0},
    {"NOOP  x", SMTP_VERB_NOOP, " x", 0},
    {"NOOPx", SMTP_VERB_UNKNOWN, "", 0},
    {"", SMTP_VERB_UNKNOWN, "", 0},
    {"   ", SMTP_VERB_UNKNOWN, "", 0},
    {" NOOP", SMTP_VERB_UNKNOWN, "NOOP", 0},
    {"MAIL FROM:<> SIZE=1", SMTP_VERB_MAIL, "FROM:<> SIZE=1", 0},
    {"AUTH LOGIN", SMTP_VERB_AUTH, "LOGIN", 0},
    {"BDAT 1 LAST", SMTP_VERB_BDAT, "1 LAST", 0},
    {"get / HTTP/1.0", SMTP_VERB_FOREIGN, "/ HTTP/1.0", 0},
    {"PRI * HTTP/2.0", SMTP_VERB_FOREIGN, "* HTTP/2.0", 0},
    {"NOOP\tx", SMTP_VERB_UNKNOWN, "", 500},
    {"EHLO \x7f", SMTP_VERB_EHLO, "\x7f", 500},
    {"EHLO \xfc", SMTP_VERB_EHLO, "\xfc", 500},
    {"MAIL FROM:<\xfc@x.example>", SMTP_VERB_MAIL, "FROM:<\xfc@x.example>", 0},
    {"RCPT TO:<\xfc@x.example>", SMTP_VERB_RCPT, "TO:<\xfc@x.example>", 0},
};

static void command(void **state)
{
    const struct command_case *c = *state;
    struct smtp_command got;
    struct smtp_reply bad = smtp_command_parse(&got, span_str(c->line));
    assert_int_equal(bad.code, c->code);
    assert_int_equal(got.verb, c->verb);
    if (!c->code)
        assert_true(span_eq(got.rest, span_str(c->rest)));
}

static const struct mail_case {
    const char *rest;
    unsigned code;
    const char *sender;
    uint64_t size;
    bool eight_bit;
} mails[] = {
    {"FROM:<a@b.example>", 0, "a@b.example", 0, false},
    {"from: <a@b.example>", 0, "a@b.example", 0, false},
    {"FROM:a@b.example", 0, "a@b.example", 0, false},
    {"FROM:<>", 0, "", 0, false},
    {"FROM:<> SIZE=12 BODY=8BITMIME", 0, "", 12, true},
    {"FROM:<> body=7bit size=0", 0, "", 0, false},
    {"FROM:<> SIZE=18446744073709551615", 0, "", UINT64_MAX, false},
    {"FROM:<> SIZE=18446744073709551616", 501, "", 0, false},
    {"FROM:<> SIZE=1 SIZE=2", 501, "", 0, false},
    {"FROM:<> BODY", 501, "", 0, false},
    {"FROM:<> SIZE=1=2", 501, "", 0, false},
    {"FROM:<> =1", 555, "", 0, false},
    {"FROM:<> XFOO", 555, "", 0, false},
    {"FROM:<>SIZE=1", 501, "", 0, false},
    {"FROM:<a@b.example>x", 501, "", 0, false},
    {"FROM:", 501, "", 0, false},
    {"FROM", 501, "", 0, false},
    {"", 501, "", 0, false},
    {"TO:<a@b.example>", 501, "", 0, false},
    {"FROM:<postmaster>", 501, "", 0, false},
    {"FROM:postmaster", 501, "", 0, false},
    {"FROM :<a@b.example>", 501, "", 0, false},
};

static void mail(void **state)
{
    const struct mail_case *c = *state;
    struct smtp_transaction m;
    CLEANUP(arena_free) struct arena a = ARENA(4096);
    struct smtp_reply bad = smtp_mail_parse(&m, span_str(c->rest), true, &a);
    assert_int_equal(bad.code, c->code);
    if (bad.code)
        return;
    assert_true(span_eq(m.sender.text, span_str(c->sender)));
    assert_int_equal(m.declared_size, c->size);
    assert_int_equal(m.eight_bit, c->eight_bit);
}

static const struct capability_case {
    const char *text;
    struct smtp_capabilities want;
} capabilities[] = {
    {"", {.esmtp = true}},
    {"PIPELINING", {.esmtp = true}},
    {"x\nPIPELINING", {.esmtp = true, .pipelining = true}},
    {"x\nSTARTTLS\nDSN", {.esmtp = true, .starttls = true, .dsn = true}},
    {"x\nSIZE 10", {.esmtp = true, .size_given = true, .size = 10}},
    {"x\nSIZE", {.esmtp = true, .size_given = true}},
    {"x\nSIZE=10", {.esmtp = true, .size_given = true, .size = 10}},
    {"x\nSIZE 0", {.esmtp = true, .size_given = true}},
    {"x\nSIZE -1", {.esmtp = true, .size_given = true}},
    {"x\nSIZE 99999999999999999999999", {.esmtp = true, .size_given = true}},
    {"x\n8bitmime x", {.esmtp = true, .eight_bit = true}},
    {"x\nXSTARTTLS\nSTART TLS", {.esmtp = true}},
    {"x\n\n\n", {.esmtp = true}},
    {"x\nREQUIRETLS\nSMTPUTF8\nCHUNKING",
     {.esmtp = true, .requiretls = true, .smtputf8 = true, .chunking = true}},
};

static void capability(void **state)
{
    const struct capability_case *c = *state;
    struct smtp_capabilities got = smtp_capabilities_parse(span_str(c->text));
    assert_int_equal(got.esmtp, c->want.esmtp);
    assert_int_equal(got.starttls, c->want.starttls);
    assert_int_equal(got.pipelining, c->want.pipelining);
    assert_int_equal(got.eight_bit, c->want.eight_bit);
    assert_int_equal(got.size_given, c->want.size_given);
    assert_int_equal(got.requiretls, c->want.requiretls);
    assert_int_equal(got.dsn, c->want.dsn);
    assert_int_equal(got.smtputf8, c->want.smtputf8);
    assert_int_equal(got.chunking, c->want.chunking);
    assert_int_equal(got.size, c->want.size);
}

static const struct name_case {
    const char *text, *name;
} names[] = {
    {"mx.example.com", "mx.example.com"},
    {"mx.example.com Hello client\nPIPELINING", "mx.example.com"},
    {"\nPIPELINING", ""},
    {"", ""},
    {"  mx  x", "mx"},
    {"mx\x01.example.com", ""},
    {"m\xc3\xbcller.example hello", ""},
    {"hello!<>\"&", "hello!<>\"&"},
};

static void name(void **state)
{
    const struct name_case *c = *state;
    char got[SMTP_PEER_NAME_MAX + 1] = "before", text[2 * SMTP_PEER_NAME_MAX];
    smtp_peer_name_take(got, span_str(c->text));
    assert_string_equal(got, c->name);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'x';
    smtp_peer_name_take(got, (struct span){text, sizeof text});
    assert_string_equal(got, "");
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

int main(void)
{
    struct CMUnitTest tests[COUNT(commands) + COUNT(mails) + COUNT(capabilities) + COUNT(names)],
        *t = tests;
    for (size_t i = 0; i < COUNT(commands); i++)
        *t++ = (struct CMUnitTest){commands[i].line, command, NULL, NULL, (void *)&commands[i]};
    for (size_t i = 0; i < COUNT(mails); i++)
        *t++ = (struct CMUnitTest){mails[i].rest, mail, NULL, NULL, (void *)&mails[i]};
    for (size_t i = 0; i < COUNT(capabilities); i++)
        *t++ = (struct CMUnitTest){"EHLO offers", capability, NULL, NULL, (void *)&capabilities[i]};
    for (size_t i = 0; i < COUNT(names); i++)
        *t++ = (struct CMUnitTest){"EHLO is answered by", name, NULL, NULL, (void *)&names[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
