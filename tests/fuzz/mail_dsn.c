// Notices and Received fields out of hostile text: 7-bit, CRLF only, no line over
// 998 bytes. Fields of the input are separated by 0x01 and taken in turn.
#include "base_rc.h"
#include "mail_dsn.h"
#include "mail_encode.h"
#include "mail_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct buf *b, bool eight_bit, const char *what)
{
    bool legal = eight_bit ? mail_is_8bit(buf_span(b)) : mail_is_7bit(buf_span(b));
    if (!rc_ok(buf_state(b)) || !legal || !span_ends(buf_span(b), SPAN("\r\n")))
        panic("%s is not legal", what);
}

static void dsn(struct span in)
{
    CLEANUP(buf_free) struct buf b = BUF(16 << 20);
    struct mail_dsn_recipient r[2] = {0};
    struct mail_dsn d = {.recipients = r,
                         .leave_out_original = in.len % 7 == 0,
                         .action = (enum mail_dsn_action)(in.len % MAIL_DSN_ACTIONS),
                         .utf8 = in.len % 3 == 0,
                         .whole = in.len % 2 == 0};
    d.reporting_mta = span_cut(&in, 1);
    d.to = span_cut(&in, 1);
    d.envid = span_cut(&in, 1);
    d.message_id = span_cut(&in, 1);
    for (; d.count < 2; d.count++) {
        struct mail_dsn_recipient *each = &r[d.count];
        each->address = span_cut(&in, 1);
        each->orcpt = span_cut(&in, 1);
        each->status = span_cut(&in, 1);
        each->reason = span_cut(&in, 1);
        each->remote_mta = span_cut(&in, 1);
        each->diagnostic = span_cut(&in, 1);
    }
    d.original = in;
    mail_dsn_put(&b, &d);
    check(&b, d.whole && !span_is_ascii(d.original), "the notice");
    CLEANUP(buf_free) struct buf less = BUF(16 << 20);
    mail_dsn_redact(&less, buf_span(&b), true);
    check(&less, false, "the redacted notice");
}

static void received(struct span in)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    struct mail_received r = {.by = SPAN("mx.example.org"), .id = SPAN("1"), .tls = true};
    r.helo = span_cut(&in, 1);
    r.client_address = span_cut(&in, 1);
    r.client_name = span_cut(&in, 1);
    r.tls_version = span_cut(&in, 1);
    r.tls_cipher = span_cut(&in, 1);
    r.tls_peer = span_cut(&in, 1);
    r.recipient = in;
    mail_received_put(&b, &r);
    check(&b, false, "Received");
}

static void redact(struct span in)
{
    CLEANUP(buf_free) struct buf b = BUF(16 << 20);
    mail_dsn_redact(&b, in, in.len % 2);
    check(&b, false, "the redacted message");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redact((struct span){(const char *)data, size});
    dsn((struct span){(const char *)data, size});
    received((struct span){(const char *)data, size});
    return 0;
}
