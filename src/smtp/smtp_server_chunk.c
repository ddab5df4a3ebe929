// The message in chunks (RFC 3030). Their ends are known by their sizes, so that a
// refused one is read and dropped, and answered then. A bare CR or LF is refused as it
// is behind DATA: the next server may get the message by DATA.
#include "smtp_server_private.h"

static bool begin_drop(struct smtp_server *s, struct smtp_reply verdict)
{
    s->messages += s->transaction.count > 0 && !s->body_open; // who has begun one counts it
    smtp_server_reset(s);
    s->received = 0;
    s->verdict = verdict;
    s->verdict.text = arena_dup(&s->scratch, verdict.text); // kept until the chunk is gone
    s->state = STATE_CHUNK_DROP;
    return false;
}

static struct smtp_reply objection(const struct smtp_server *s, bool bad)
{
    if (bad)
        return SMTP_REPLY(501, "5.5.4", "Syntax: BDAT size [LAST]");
    if (!s->open)
        return SMTP_REPLY(503, "5.5.1", "MAIL first");
    if (s->transaction.count == 0 && s->refused_recipients == 0)
        return SMTP_REPLY(503, "5.5.1", "RCPT first");
    if (s->transaction.count == 0)
        return SMTP_REPLY(554, "5.5.1", "No valid recipients");
    if (s->chunk_left > s->conf->max_size - (s->chunking ? s->received : 0))
        return SMTP_REPLY(552, "5.3.4", "Message too big");
    return (struct smtp_reply){0};
}

struct smtp_reply smtp_server_do_bdat(struct smtp_server *s, const struct smtp_command *c)
{
    bool bad;
    if (!smtp_bdat_parse(c->rest, &s->chunk_left, &s->chunk_last, &bad)) {
        smtp_server_say_last(s, &SMTP_REPLY(501, "5.5.4", "Syntax: BDAT size [LAST]"));
        return (struct smtp_reply){0}; // what follows would be taken for commands
    }
    struct smtp_reply no = objection(s, bad);
    s->idle_commands += s->chunk_left == 0 && !s->chunk_last;
    if (no.code) {
        begin_drop(s, no);
    } else if (s->chunking) {
        s->received += s->chunk_left;
        s->state = STATE_CHUNK;
    } else {
        s->chunking = true;
        smtp_server_ask(s, SMTP_SERVER_ASK_DATA, NULL);
    }
    return (struct smtp_reply){0};
}

struct smtp_reply smtp_server_begin_chunks(struct smtp_server *s, struct smtp_reply r)
{
    if (!smtp_reply_ok(&r)) {
        begin_drop(s, r);
    } else {
        s->body_open = true;
        s->data_since = s->now;
        s->chunk_cr = s->chunk_mid_line = false;
        s->received = s->chunk_left;
        s->state = STATE_CHUNK;
    }
    return (struct smtp_reply){0};
}

static struct span chunk_rest(const struct smtp_server *s, struct span in)
{
    return s->chunk_left < in.len ? span_first(in, (size_t)s->chunk_left) : in;
}

static void chunk_take(struct smtp_server *s, struct span *in, size_t n)
{
    *in = span_skip(*in, n);
    s->chunk_left -= n;
}

static bool body_step(struct smtp_server *s, struct smtp_server_step *step, struct span bytes)
{
    s->chunk_mid_line = !span_ends(bytes, SPAN("\n"));
    *step = (struct smtp_server_step){.kind = SMTP_SERVER_BODY, .bytes = bytes};
    return true;
}

static bool refuse_bare(struct smtp_server *s)
{
    return begin_drop(
        s, SMTP_REPLY(554, "5.6.0", "Bare CR or LF in the message, only CRLF ends a line"));
}

// The chunk is whole. What is handed on ends with a line end; what is added for it
// counts, as the rest does.
static bool chunk_end(struct smtp_server *s, struct smtp_server_step *step)
{
    if (s->chunk_last && s->chunk_cr)
        return refuse_bare(s);
    if (s->chunk_last && s->chunk_mid_line) {
        s->received += 2;
        return s->received > s->conf->max_size
                   ? begin_drop(s, SMTP_REPLY(552, "5.3.4", "Message too big"))
                   : body_step(s, step, SPAN("\r\n"));
    }
    if (s->chunk_last) {
        s->body_open = false; // it is the driver's now
        smtp_server_ask(s, SMTP_SERVER_COMMIT, NULL);
    } else {
        s->state = STATE_COMMAND;
        smtp_server_say(s, &SMTP_REPLY(250, "2.0.0", "Chunk received"));
    }
    return false;
}

// A CR is held back until the byte behind it is there, in the next chunk perhaps.
static bool chunk_after_cr(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    if (in->at[0] != '\n')
        return refuse_bare(s);
    s->chunk_cr = false;
    chunk_take(s, in, 1);
    return body_step(s, step, SPAN("\r\n"));
}

bool smtp_server_run_chunk(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span rest = chunk_rest(s, *in);
    if (s->chunk_left == 0)
        return chunk_end(s, step);
    if (rest.len == 0)
        return smtp_server_wait_input(s, step);
    smtp_server_touch(s);
    if (s->chunk_cr)
        return chunk_after_cr(s, in, step);
    struct span piece = span_first(rest, smtp_crlf_len(rest));
    if (piece.len == 0 && rest.at[0] == '\r' && rest.len == 1) {
        s->chunk_cr = true;
        chunk_take(s, in, 1);
        return false;
    }
    if (piece.len == 0)
        return refuse_bare(s);
    if (span_index(piece, '\0') < piece.len) // RFC 5321 §4.5.2, RFC 6152 §3
        return begin_drop(s, SMTP_REPLY(554, "5.6.0", "NUL in the message"));
    chunk_take(s, in, piece.len);
    return body_step(s, step, piece);
}

bool smtp_server_run_chunk_drop(struct smtp_server *s, struct span *in,
                                struct smtp_server_step *step)
{
    if (smtp_server_settle(s, step))
        return true;
    if (s->chunk_left == 0) {
        s->state = STATE_COMMAND;
        smtp_server_say(s, &s->verdict);
        arena_free(&s->scratch);
        return false;
    }
    struct span rest = chunk_rest(s, *in);
    if (rest.len == 0)
        return smtp_server_wait_input(s, step);
    smtp_server_touch(s);
    chunk_take(s, in, rest.len);
    smtp_server_swallow(s, rest);
    return false;
}
