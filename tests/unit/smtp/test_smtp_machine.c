// What a conversation cannot show: which bytes come in one step, and drivers
// that forget to tell the time.
#include "smtp_client.h"
#include "smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct smtp_server_conf conf = {
    .hostname = {"mx.example.org", 14},
    .max_size = 1 << 20,
    .max_recipients = 1000,
    .max_errors = 20,
    .max_messages = 100,
    .command_us = SECONDS(300),
    .data_us = SECONDS(180),
    .session_us = SECONDS(7200),
};

static const struct smtp_reply ok = {.code = 250, .status = "2.0.0", .text = {"OK", 2}};

static enum smtp_server_kind kind_of(struct smtp_server *s, struct span *in)
{
    return smtp_server_next(s, in).kind;
}

static void greet(struct smtp_server *s)
{
    struct span in = SPAN("HELO x\r\nMAIL FROM:<a@example.net>\r\n");
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_ASK_MAIL);
    smtp_server_answer(s, &ok);
}

static void replies_gather(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    struct span in = SPAN("HELO x\r\nNOOP\r\nVRFY x\r\nRSET\r\nNO");
    struct smtp_server_step step = smtp_server_next(s, &in);
    assert_int_equal(step.kind, SMTP_SERVER_SEND);
    assert_true(span_ends(step.bytes, SPAN("250 2.0.0 Flushed\r\n")));
    assert_true(span_starts(step.bytes, SPAN("220 ")));
    assert_true(span_eq(in, SPAN("NO")));
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_READ);
    smtp_server_free(s);
}

static void gathered_replies_are_bounded(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    for (int i = 0; i < 190; i++)
        buf_put(&b, SPAN("HELP\r\n"));
    struct span in = buf_span(&b);
    size_t sent = 0;
    for (;;) {
        struct smtp_server_step step = smtp_server_next(s, &in);
        if (step.kind == SMTP_SERVER_READ)
            break;
        assert_int_equal(step.kind, SMTP_SERVER_SEND);
        assert_true(step.bytes.len < 8192);
        sent += step.bytes.len;
    }
    assert_true(sent > 190 * 20);
    smtp_server_free(s);
}

static void body_is_not_copied(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    greet(s);
    struct span in = SPAN("RCPT TO:<b@example.org>\r\nDATA\r\none\r\ntwo\r\n.\r\n");
    const char *body = strstr(in.at, "one");
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_ASK_RCPT);
    smtp_server_answer(s, &ok);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_ASK_DATA);
    smtp_server_answer(s, &ok);
    struct smtp_server_step step = smtp_server_next(s, &in);
    assert_int_equal(step.kind, SMTP_SERVER_BODY);
    assert_ptr_equal(step.bytes.at, body);
    assert_true(span_eq(step.bytes, SPAN("one\r\ntwo\r\n")));
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_COMMIT);
    smtp_server_free(s);
}

static void many_recipients(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    greet(s);
    for (int i = 0; i < 1000; i++) {
        CLEANUP(buf_free) struct buf b = BUF(512);
        buf_printf(&b, "RCPT TO:<u%d@example.org>\r\n", i);
        struct span in = buf_span(&b);
        while (kind_of(s, &in) != SMTP_SERVER_ASK_RCPT)
            continue;
        smtp_server_answer(s, &ok);
    }
    const struct smtp_transaction *t = smtp_server_transaction(s);
    assert_int_equal(t->count, 1000);
    assert_true(span_eq(t->recipients[0].address.text, SPAN("u0@example.org")));
    assert_true(span_eq(t->recipients[999].address.local, SPAN("u999")));
    assert_string_equal(t->recipients[500].address.domain.text, "example.org");
    smtp_server_free(s);
}

static void answer_text_is_one_line(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    struct span in = SPAN("HELO x\r\nMAIL FROM:<a@example.net>\r\n");
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_ASK_MAIL);
    smtp_server_answer(
        s, &(struct smtp_reply){.code = 550, .status = "5.7.1", .text = SPAN("no\x01\r\n250 yes")});
    struct smtp_server_step step = smtp_server_next(s, &in);
    assert_true(span_eq(step.bytes, SPAN("550 5.7.1 no??\r\n")));
    smtp_server_free(s);
}

static void a_late_answer_is_ignored(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    greet(s);
    struct span in = SPAN("QUIT\r\n");
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_CLOSE);
    smtp_server_answer(s, &ok);
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_CLOSE);
    smtp_server_free(s);
}

// A driver that ticks only when the deadline comes: nobody is cut off early.
static void time_that_was_not_told(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&conf, (struct mono){0});
    struct span none = SPAN(""), in = SPAN("NOOP\r\n");
    kind_of(s, &none);
    assert_int_equal(kind_of(s, &none), SMTP_SERVER_READ);
    kind_of(s, &in); // at 299 s, say
    assert_int_equal(kind_of(s, &in), SMTP_SERVER_READ);
    smtp_server_tick(s, smtp_server_deadline(s));
    assert_int_equal(kind_of(s, &none), SMTP_SERVER_READ);
    smtp_server_tick(s, smtp_server_deadline(s));
    assert_int_equal(kind_of(s, &none), SMTP_SERVER_SEND);
    assert_int_equal(kind_of(s, &none), SMTP_SERVER_CLOSE);
    smtp_server_free(s);
}

static void begin_after_the_end(void **state)
{
    (void)state;
    struct smtp_client_conf cc = {.hostname = SPAN("x"), .connect_us = 1, .command_us = 1};
    struct smtp_client_recipient to = {.address = SPAN("b@example.org")};
    struct smtp_client_transaction t = {.recipients = &to, .count = 1};
    struct smtp_client *c = smtp_client_new(&cc, (struct mono){0});
    CLEANUP(buf_free) struct buf out = BUF(64);
    struct span none = SPAN("");
    smtp_client_tick(c, (struct mono){5});
    smtp_client_begin(c, &t);
    assert_int_equal(to.outcome, SMTP_DEFERRED);
    smtp_client_starttls(c);
    smtp_client_secured(c);
    smtp_client_body(c, SPAN("x"), &out);
    smtp_client_body_end(c, &out);
    smtp_client_quit(c);
    assert_int_equal(out.len, 0);
    struct smtp_client_step step = smtp_client_next(c, &none);
    assert_int_equal(step.kind, SMTP_CLIENT_CLOSE);
    assert_int_equal(step.failure.code, RC_TIMEOUT);
    smtp_client_free(c);
}

static void many_recipients_at_once(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct smtp_client_conf cc = {
        .hostname = SPAN("x"), .connect_us = SECONDS(1), .command_us = SECONDS(1)};
    struct smtp_client_recipient *to = calloc(N, sizeof *to);
    for (int i = 0; i < N; i++)
        to[i].address = SPAN("somebody.with.a.long.name@a.long.domain.example.org");
    struct smtp_client_transaction t = {.recipients = to, .count = N};
    struct smtp_client *c = smtp_client_new(&cc, (struct mono){0});
    struct span in = SPAN("220 x\r\n250-x\r\n250 PIPELINING\r\n");
    assert_int_equal(smtp_client_next(c, &in).kind, SMTP_CLIENT_SEND);
    assert_int_equal(smtp_client_next(c, &in).kind, SMTP_CLIENT_CAPABLE);
    smtp_client_begin(c, &t);
    struct smtp_client_step step = smtp_client_next(c, &in);
    assert_int_equal(step.kind, SMTP_CLIENT_SEND);
    assert_true(span_ends(step.bytes, SPAN("example.org>\r\nDATA\r\n")));
    for (int i = 0; i <= N; i++) {
        in = SPAN("550 5.1.1 No such user here, or a text of some length that is kept\r\n");
        if (i == 0)
            in = SPAN("250 ok\r\n");
        assert_int_equal(smtp_client_next(c, &in).kind, SMTP_CLIENT_READ);
    }
    in = SPAN("554 none\r\n");
    assert_int_equal(smtp_client_next(c, &in).kind, SMTP_CLIENT_DONE);
    for (int i = 0; i < N; i++) {
        assert_int_equal(to[i].outcome, SMTP_REJECTED);
        assert_true(to[i].reply.text.len > 40);
    }
    smtp_client_free(c);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_gather),          cmocka_unit_test(gathered_replies_are_bounded),
        cmocka_unit_test(body_is_not_copied),      cmocka_unit_test(many_recipients),
        cmocka_unit_test(answer_text_is_one_line), cmocka_unit_test(a_late_answer_is_ignored),
        cmocka_unit_test(time_that_was_not_told),  cmocka_unit_test(begin_after_the_end),
        cmocka_unit_test(many_recipients_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
