#include "smtp_server_private.h"
#include "smtp_line.h"

#include <stdlib.h>

enum {
    OUT_MAX = 16384,
    OUT_FLUSH = 4096,      // replies gathered before they are handed out
    REPLY_TEXT_MAX = 400,  // a reply line has 512 bytes (RFC 5321 §4.5.3.1.5)
    LINE_SKIP_MAX = 65536, // of a command line that is too long
    SWALLOW_MIN = 1 << 20, // of a message that is too big, beyond the limit
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
        .out = BUF(OUT_MAX),
        .memory = ARENA((size_t)conf->max_recipients * 1024 + 4096),
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
    s->errors += r->code >= 500;
    if (r->code == 421) {
        smtp_server_say_last(s, r);
        return;
    }
    line_put(&s->out, r);
    if (s->errors >= s->conf->max_errors)
        smtp_server_say_last(s, &SMTP_REPLY(421, "4.7.0", "Too many errors"));
}

void smtp_server_reset(struct smtp_server *s)
{
    arena_free(&s->memory);
    arena_free(&s->scratch);
    free(s->recipients);
    s->recipients = NULL;
    s->recipients_cap = 0;
    s->transaction = (struct smtp_transaction){0};
    s->refused_recipients = 0;
    s->open = false;
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

static bool give(struct smtp_server *s, struct smtp_server_step *step, enum smtp_server_kind kind)
{
    *step = (struct smtp_server_step){.kind = kind};
    s->ticked &= kind != SMTP_SERVER_READ && kind != SMTP_SERVER_STARTTLS;
    return true;
}

static bool wait_input(struct smtp_server *s, struct smtp_server_step *step)
{
    return flush(s, step) || give(s, step, SMTP_SERVER_READ);
}

static bool run_greet(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in, (void)step;
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

static void refuse_bare(struct smtp_server *s)
{
    smtp_server_say_last(s, &SMTP_REPLY(521, "5.5.2", "Bare CR or LF, only CRLF ends a line"));
}

static void read_command(struct smtp_server *s, enum smtp_line_kind kind, struct span line)
{
    smtp_server_touch(s);
    if (kind == SMTP_LINE_WHOLE) {
        smtp_server_execute(s, line);
    } else if (kind == SMTP_LINE_BARE) {
        refuse_bare(s);
    } else {
        s->state = STATE_SKIP;
        s->received = 0;
    }
}

static bool run_command(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span line;
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
    enum smtp_line_kind kind = smtp_line_take(in, SMTP_COMMAND_MAIL_MAX, &line);
    if (kind == SMTP_LINE_MORE)
        return wait_input(s, step);
    read_command(s, kind, line);
    return false;
}

static bool run_skip(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    size_t before = in->len;
    enum smtp_line_kind kind = smtp_line_skip(in);
    s->received += before - in->len;
    bool endless = s->received > LINE_SKIP_MAX;
    if (kind == SMTP_LINE_MORE && !endless)
        return wait_input(s, step);
    s->state = STATE_COMMAND;
    smtp_server_touch(s);
    if (endless)
        smtp_server_say_last(s, &SMTP_REPLY(500, "5.5.2", "Line too long"));
    else if (kind == SMTP_LINE_BARE)
        refuse_bare(s);
    else
        smtp_server_say(s, &SMTP_REPLY(500, "5.5.2", "Line too long"));
    return false;
}

static bool run_ask(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in;
    if (flush(s, step))
        return true;
    *step = (struct smtp_server_step){.kind = s->question, .address = s->asked};
    s->state = STATE_WAIT;
    return true;
}

static bool run_wait(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    (void)in;
    return give(s, step, SMTP_SERVER_READ);
}

// The message is refused, its end still looked for, so that what follows it is
// not taken for commands.
static void swallow(struct smtp_server *s, struct smtp_reply verdict)
{
    s->verdict = verdict;
    s->state = STATE_SWALLOW;
    s->abort_due = true;
}

static bool abort_first(struct smtp_server *s, struct smtp_server_step *step)
{
    if (!s->abort_due)
        return false;
    s->abort_due = false;
    return give(s, step, SMTP_SERVER_ABORT);
}

static bool data_end(struct smtp_server *s)
{
    if (s->state == STATE_DATA) {
        smtp_server_ask(s, SMTP_SERVER_COMMIT, NULL);
        return false;
    }
    s->state = STATE_COMMAND;
    s->messages++;
    smtp_server_reset(s);
    smtp_server_say(s, &s->verdict);
    return false;
}

static bool data_bare(struct smtp_server *s)
{
    s->abort_due = s->state == STATE_DATA;
    refuse_bare(s);
    return false;
}

static void swallow_piece(struct smtp_server *s, struct span piece)
{
    uint64_t more = s->conf->max_size > SWALLOW_MIN ? s->conf->max_size : SWALLOW_MIN;
    s->received += piece.len;
    if (s->received > s->conf->max_size && s->received - s->conf->max_size > more)
        smtp_server_say_last(s, &s->verdict);
}

static bool data_piece(struct smtp_server *s, struct span piece, struct smtp_server_step *step)
{
    bool too_big = piece.len > s->conf->max_size - s->received;
    bool has_nul = span_index(piece, '\0') < piece.len; // RFC 5321 §4.5.2, RFC 6152 §3
    if (too_big || has_nul) {
        swallow(s, too_big ? SMTP_REPLY(552, "5.3.4", "Message too big")
                           : SMTP_REPLY(554, "5.6.0", "NUL in the message"));
        swallow_piece(s, piece);
        return false;
    }
    s->received += piece.len;
    *step = (struct smtp_server_step){.kind = SMTP_SERVER_BODY, .bytes = piece};
    return true;
}

static bool run_data(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span piece;
    if (abort_first(s, step))
        return true;
    enum smtp_undot_kind kind = smtp_undot_take(&s->undot, in, &piece);
    if (kind == SMTP_UNDOT_MORE)
        return wait_input(s, step);
    smtp_server_touch(s);
    if (kind == SMTP_UNDOT_END)
        return data_end(s);
    if (kind == SMTP_UNDOT_BARE)
        return data_bare(s);
    if (s->state == STATE_DATA)
        return data_piece(s, piece, step);
    swallow_piece(s, piece);
    return false;
}

// What is there already was sent in clear text, to be taken for what comes out
// of TLS (RFC 3207 §6): no handshake.
static bool run_starttls(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    if (flush(s, step))
        return true;
    s->state = in->len ? STATE_CLOSING : STATE_HANDSHAKE;
    return in->len ? false : give(s, step, SMTP_SERVER_STARTTLS);
}

static bool run_handshake(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    if (in->len == 0)
        return give(s, step, SMTP_SERVER_READ);
    s->state = STATE_CLOSING;
    return false;
}

static bool run_closing(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    *in = span_skip(*in, in->len);
    if (abort_first(s, step) || flush(s, step))
        return true;
    smtp_server_reset(s);
    s->state = STATE_CLOSED;
    return false;
}

static bool run_closed(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    *in = span_skip(*in, in->len);
    return give(s, step, SMTP_SERVER_CLOSE);
}

// Each returns true when *step is the step to hand out, false to go on.
static bool (*const run[STATE_COUNT])(struct smtp_server *s, struct span *in,
                                      struct smtp_server_step *step) = {
    [STATE_GREET] = run_greet,         [STATE_COMMAND] = run_command,
    [STATE_SKIP] = run_skip,           [STATE_ASK] = run_ask,
    [STATE_WAIT] = run_wait,           [STATE_DATA] = run_data,
    [STATE_SWALLOW] = run_data,        [STATE_STARTTLS] = run_starttls,
    [STATE_HANDSHAKE] = run_handshake, [STATE_CLOSING] = run_closing,
    [STATE_CLOSED] = run_closed,
};

struct smtp_server_step smtp_server_next(struct smtp_server *s, struct span *in)
{
    struct smtp_server_step step = {0};
    if (s->sent)
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
    s->state = STATE_COMMAND;
    smtp_server_touch(s);
}

// Nobody but us is waited for: no time passes for the peer.
static bool ours_to_move(const struct smtp_server *s)
{
    return s->state == STATE_ASK || s->state == STATE_WAIT || s->state >= STATE_CLOSING;
}

struct mono smtp_server_deadline(const struct smtp_server *s)
{
    if (ours_to_move(s))
        return MONO_NEVER;
    bool data = s->state == STATE_DATA || s->state == STATE_SWALLOW;
    int64_t patience = s->since.us + (data ? s->conf->data_us : s->conf->command_us);
    int64_t session = s->begun.us + s->conf->session_us;
    return (struct mono){patience < session ? patience : session};
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
    s->abort_due |= s->state == STATE_DATA;
    if (s->state == STATE_HANDSHAKE)
        s->state = STATE_CLOSING; // a reply would fall into the handshake
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
