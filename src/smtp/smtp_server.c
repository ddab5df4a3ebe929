#include "smtp_server_private.h"
#include "smtp_line.h"

#include <stdlib.h>

enum {
    OUT_MAX = 16384,
    OUT_KEEP = 512,        // what an idle session holds of it
    OUT_FLUSH = 4096,      // replies gathered before they are handed out
    REPLY_TEXT_MAX = 400,  // a reply line has 512 bytes (RFC 5321 §4.5.3.1.5)
    LINE_SKIP_MAX = 65536, // of a command line that is too long
};

struct smtp_server *smtp_server_new(const struct smtp_server_conf *conf, struct mono now)
{
    struct smtp_server *s = mem_new(sizeof *s);
    *s = (struct smtp_server){
        .conf = conf,
        .begun = now,
        .since = now,
        .now = now,
        .ticked = true,
        .state = conf->service == SMTP_SERVICE_SUBMISSIONS ? STATE_STARTTLS : STATE_GREET,
        .out = BUF(OUT_MAX),
        .memory = ARENA((size_t)conf->max_recipients * 2048 + 4096),
        .scratch = ARENA(4096),
    };
    return s;
}

void smtp_server_free(struct smtp_server *s)
{
    if (!s)
        return;
    arena_free(&s->memory);
    arena_free(&s->scratch);
    free(s->recipients);
    buf_free(&s->out);
    smtp_server_auth_forget(s);
    free(s);
}

void smtp_server_touch(struct smtp_server *s)
{
    s->since = s->now;
    s->stale |= !s->ticked;
}

static void line_put(struct buf *out, const struct smtp_reply *r)
{
    struct smtp_reply cut = *r;
    cut.text = span_first(r->text, span_index(r->text, '\n'));
    cut.text = span_first(cut.text, REPLY_TEXT_MAX);
    smtp_reply_put_line(out, &cut);
    buf_put(out, SPAN("\r\n"));
}

void smtp_server_say_last(struct smtp_server *s, const struct smtp_reply *r)
{
    line_put(&s->out, r);
    s->state = STATE_CLOSING;
}

void smtp_server_say(struct smtp_server *s, const struct smtp_reply *r)
{
    if (r->code == 0)
        return;
    s->errors += r->code >= 500;
    if (r->code == 421) {
        smtp_server_say_last(s, r);
        return;
    }
    line_put(&s->out, r);
    if (s->errors >= s->conf->max_errors)
        smtp_server_say_last(s, &SMTP_REPLY(421, "4.7.0", "Too many errors"));
}

void smtp_server_drop_body(struct smtp_server *s)
{
    s->abort_due |= s->body_open;
    s->messages += s->body_open;
    s->body_open = false;
}

void smtp_server_reset(struct smtp_server *s)
{
    smtp_server_drop_body(s);
    arena_free(&s->memory);
    arena_free(&s->scratch);
    free(s->recipients);
    s->recipients = NULL;
    s->recipients_cap = 0;
    s->transaction = (struct smtp_transaction){0};
    s->refused_recipients = 0;
    s->open = s->chunking = false;
}

void smtp_server_ask(struct smtp_server *s, enum smtp_server_kind question,
                     const struct mail_address *address)
{
    s->question = question;
    s->asked = address;
    s->state = STATE_ASK;
}

// Nothing may be kept back while somebody else's next move is waited for.
static bool flush(struct smtp_server *s, struct smtp_server_step *step)
{
    if (s->out.len == 0)
        return false;
    *step = (struct smtp_server_step){.kind = SMTP_SERVER_SEND, .bytes = buf_span(&s->out)};
    s->sent = true;
    return true;
}

bool smtp_server_give(struct smtp_server *s, struct smtp_server_step *step,
                      enum smtp_server_kind kind)
{
    *step = (struct smtp_server_step){.kind = kind};
    s->ticked &= kind != SMTP_SERVER_READ && kind != SMTP_SERVER_STARTTLS;
    return true;
}

bool smtp_server_wait_input(struct smtp_server *s, struct smtp_server_step *step)
{
    return flush(s, step) || smtp_server_give(s, step, SMTP_SERVER_READ);
}

// What the driver must forget comes before anything new.
bool smtp_server_settle(struct smtp_server *s, struct smtp_server_step *step)
{
    enum smtp_server_kind kind = s->abort_due ? SMTP_SERVER_ABORT : SMTP_SERVER_AUTH_CANCEL;
    if (!s->abort_due && !s->cancel_due)
        return false;
    if (s->abort_due)
        s->abort_due = false;
    else
        s->cancel_due = false;
    return smtp_server_give(s, step, kind);
}

static bool run_greet(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in, (void)step;
    smtp_server_touch(s);
    s->state = STATE_COMMAND;
    if (!s->draining)
        buf_printf(&s->out, "220 %.*s ESMTP Geleit\r\n", SPAN_FMT(s->conf->hostname));
    return false;
}

// A TLS record of a handshake (RFC 8446 §5.1) where no TLS was agreed on.
static bool is_tls_talk(const struct smtp_server *s, struct span in)
{
    return !s->tls && span_starts(in, SPAN("\x16\x03"));
}

void smtp_server_refuse_bare(struct smtp_server *s)
{
    smtp_server_say_last(s, &SMTP_REPLY(521, "5.5.2", "Bare CR or LF, only CRLF ends a line"));
}

void smtp_server_skip_line(struct smtp_server *s, struct smtp_reply verdict)
{
    s->verdict = verdict;
    s->state = STATE_SKIP;
    s->received = 0;
}

static void read_command(struct smtp_server *s, enum smtp_line_kind kind, struct span line)
{
    smtp_server_touch(s);
    if (kind == SMTP_LINE_WHOLE)
        smtp_server_execute(s, line);
    else if (kind == SMTP_LINE_BARE)
        smtp_server_refuse_bare(s);
    else
        smtp_server_skip_line(s, SMTP_REPLY(500, "5.5.2", "Line too long"));
}

// An AUTH line has an initial response; no other is so long.
static size_t line_max(struct span in)
{
    return span_istarts(in, SPAN("AUTH ")) ? SMTP_AUTH_LINE_MAX : SMTP_COMMAND_MAIL_MAX;
}

static bool run_command(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span line;
    if (smtp_server_settle(s, step))
        return true;
    if (s->out.len >= OUT_FLUSH)
        return flush(s, step);
    if (s->draining) {
        smtp_server_say_last(s, &SMTP_REPLY(421, "4.3.2", "Shutting down, come again"));
        return false;
    }
    if (is_tls_talk(s, *in)) {
        smtp_server_say_last(
            s, &SMTP_REPLY(502, "5.5.1", "This port begins in clear text, TLS by STARTTLS"));
        return false;
    }
    enum smtp_line_kind kind = smtp_line_take(in, line_max(*in), &line);
    if (kind == SMTP_LINE_MORE)
        return smtp_server_wait_input(s, step);
    read_command(s, kind, line);
    return false;
}

static bool run_skip(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    size_t before = in->len;
    if (smtp_server_settle(s, step))
        return true;
    enum smtp_line_kind kind = smtp_line_skip(in);
    s->received += before - in->len;
    bool endless = s->received > LINE_SKIP_MAX;
    if (kind == SMTP_LINE_MORE && !endless)
        return smtp_server_wait_input(s, step);
    s->state = STATE_COMMAND;
    smtp_server_touch(s);
    if (endless)
        smtp_server_say_last(s, &s->verdict);
    else if (kind == SMTP_LINE_BARE)
        smtp_server_refuse_bare(s);
    else
        smtp_server_say(s, &s->verdict);
    return false;
}

static bool run_ask(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in;
    if (flush(s, step))
        return true;
    *step = (struct smtp_server_step){.kind = s->question, .address = s->asked};
    smtp_server_auth_fill(s, step);
    s->state = STATE_WAIT;
    return true;
}

static bool run_wait(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in;
    return smtp_server_give(s, step, SMTP_SERVER_READ);
}

// What is there already was sent in clear text, to be taken for what comes out
// of TLS (RFC 3207 §6): no handshake.
static bool run_starttls(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    if (flush(s, step))
        return true;
    smtp_server_touch(s);
    s->state = in->len ? STATE_CLOSING : STATE_HANDSHAKE;
    return in->len ? false : smtp_server_give(s, step, SMTP_SERVER_STARTTLS);
}

static bool run_handshake(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    if (in->len == 0)
        return smtp_server_give(s, step, SMTP_SERVER_READ);
    s->state = STATE_CLOSING;
    return false;
}

static bool run_closing(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    *in = span_skip(*in, in->len);
    smtp_server_drop_body(s);
    if (smtp_server_settle(s, step) || flush(s, step))
        return true;
    smtp_server_reset(s);
    s->state = STATE_CLOSED;
    return false;
}

static bool run_closed(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    *in = span_skip(*in, in->len);
    return smtp_server_give(s, step, SMTP_SERVER_CLOSE);
}

// Each returns true when *step is the step to hand out, false to go on.
static bool (*const run[STATE_COUNT])(struct smtp_server *s, struct span *in,
                                      struct smtp_server_step *step) = {
    [STATE_GREET] = run_greet,
    [STATE_COMMAND] = run_command,
    [STATE_SKIP] = run_skip,
    [STATE_ASK] = run_ask,
    [STATE_WAIT] = run_wait,
    [STATE_AUTH] = smtp_server_run_auth,
    [STATE_DATA] = smtp_server_run_data,
    [STATE_SWALLOW] = smtp_server_run_data,
    [STATE_CHUNK] = smtp_server_run_chunk,
    [STATE_CHUNK_DROP] = smtp_server_run_chunk_drop,
    [STATE_STARTTLS] = run_starttls,
    [STATE_HANDSHAKE] = run_handshake,
    [STATE_CLOSING] = run_closing,
    [STATE_CLOSED] = run_closed,
};

struct smtp_server_step smtp_server_next(struct smtp_server *s, struct span *in)
{
    struct smtp_server_step step = {0};
    if (s->sent && s->out.cap > OUT_KEEP)
        buf_free(&s->out);
    else if (s->sent)
        buf_clear(&s->out);
    s->sent = false;
    while (!run[s->state](s, in, &step))
        continue;
    return step;
}

void smtp_server_secured(struct smtp_server *s)
{
    if (s->state != STATE_HANDSHAKE)
        panic("secured without a handshake (state %d)", (int)s->state);
    smtp_server_reset(s); // RFC 3207 §4.2
    s->helo_span = (struct span){0};
    s->esmtp = false;
    s->tls = true;
    s->state = s->conf->service == SMTP_SERVICE_SUBMISSIONS ? STATE_GREET : STATE_COMMAND;
    smtp_server_touch(s);
}

// Nobody but us is waited for: no time passes for the peer.
static bool ours_to_move(const struct smtp_server *s)
{
    return s->state == STATE_GREET || s->state == STATE_STARTTLS || s->state == STATE_ASK ||
           s->state == STATE_WAIT || s->state >= STATE_CLOSING;
}

struct mono smtp_server_deadline(const struct smtp_server *s)
{
    if (ours_to_move(s))
        return MONO_NEVER;
    bool data = s->state >= STATE_DATA && s->state <= STATE_CHUNK_DROP;
    int64_t patience = s->since.us + (data ? s->conf->data_us : s->conf->command_us);
    int64_t session = s->begun.us + s->conf->session_us;
    int64_t least = patience < session ? patience : session;
    int64_t slow = s->body_open ? smtp_server_too_slow(s) : INT64_MAX; // between chunks, too
    return (struct mono){slow < least ? slow : least};
}

void smtp_server_tick(struct smtp_server *s, struct mono now)
{
    s->now = now;
    s->ticked = true;
    if (s->stale)
        s->since = now;
    s->stale = false;
    if (now.us < smtp_server_deadline(s).us)
        return;
    if (s->state == STATE_HANDSHAKE)
        s->state = STATE_CLOSING; // a reply would fall into the handshake
    else if (s->body_open && now.us >= smtp_server_too_slow(s))
        smtp_server_say_last(s, &SMTP_REPLY(421, "4.4.2", "The message comes too slowly"));
    else
        smtp_server_say_last(s, &SMTP_REPLY(421, "4.4.2", "Timed out"));
}

void smtp_server_drain(struct smtp_server *s)
{
    s->draining = true;
}

const struct smtp_transaction *smtp_server_transaction(const struct smtp_server *s)
{
    return &s->transaction;
}

const struct smtp_recipient *smtp_server_recipient(const struct smtp_server *s)
{
    return &s->recipient;
}

struct span smtp_server_helo(const struct smtp_server *s)
{
    return s->helo_span;
}

bool smtp_server_esmtp(const struct smtp_server *s)
{
    return s->esmtp;
}

bool smtp_server_tls(const struct smtp_server *s)
{
    return s->tls;
}

bool smtp_server_authenticated(const struct smtp_server *s)
{
    return s->authenticated;
}
