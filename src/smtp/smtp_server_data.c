// The message behind DATA.
#include "smtp_server_private.h"

enum { SWALLOW_MIN = 1 << 20 }; // of a message that is refused, beyond the limit

// The message is refused, its end still looked for, so that what follows it is
// not taken for commands.
static void swallow(struct smtp_server *s, struct smtp_reply verdict)
{
    s->verdict = verdict;
    s->state = STATE_SWALLOW;
    smtp_server_drop_body(s);
}

static bool data_end(struct smtp_server *s)
{
    if (s->state == STATE_DATA) {
        s->body_open = false; // it is the driver's now
        smtp_server_ask(s, SMTP_SERVER_COMMIT, NULL);
        return false;
    }
    s->state = STATE_COMMAND;
    smtp_server_reset(s);
    smtp_server_say(s, &s->verdict);
    return false;
}

void smtp_server_swallow(struct smtp_server *s, struct span piece)
{
    uint64_t more = s->conf->max_size > SWALLOW_MIN ? s->conf->max_size : SWALLOW_MIN;
    s->received += piece.len;
    if (s->received > s->conf->max_size && s->received - s->conf->max_size > more)
        smtp_server_say_last(s, &s->verdict);
}

static bool data_piece(struct smtp_server *s, struct span piece, struct smtp_server_step *step)
{
    uint64_t left = s->conf->max_size - s->received;
    size_t nul = span_index(piece, '\0'); // RFC 5321 §4.5.2, RFC 6152 §3
    bool has_nul = nul < piece.len && nul <= left;
    if (piece.len > left || has_nul) { // what comes first, however the pieces lie
        swallow(s, !has_nul ? SMTP_REPLY(552, "5.3.4", "Message too big")
                            : SMTP_REPLY(554, "5.6.0", "NUL in the message"));
        smtp_server_swallow(s, piece);
        return false;
    }
    s->received += piece.len;
    *step = (struct smtp_server_step){.kind = SMTP_SERVER_BODY, .bytes = piece};
    return true;
}

// When a message that stops here has come too slowly: one byte now and then keeps
// patience awake, and a session busy for hours.
int64_t smtp_server_too_slow(const struct smtp_server *s)
{
    uint64_t came = s->received - (s->received > s->chunk_left ? s->chunk_left : s->received);
    uint64_t rate = s->conf->data_rate;
    if (rate == 0 || came / rate > INT32_MAX)
        return INT64_MAX;
    return s->data_since.us + SECONDS(60) + (int64_t)(came / rate) * US_PER_S;
}

bool smtp_server_run_data(struct smtp_server *s, struct span *in, struct smtp_server_step *step)
{
    struct span piece;
    if (smtp_server_settle(s, step))
        return true;
    enum smtp_undot_kind kind = smtp_undot_take(&s->undot, in, &piece);
    if (kind == SMTP_UNDOT_MORE)
        return smtp_server_wait_input(s, step);
    smtp_server_touch(s);
    if (kind == SMTP_UNDOT_END)
        return data_end(s);
    if (kind == SMTP_UNDOT_BARE)
        smtp_server_refuse_bare(s);
    else if (s->state == STATE_DATA)
        return data_piece(s, piece, step);
    else
        smtp_server_swallow(s, piece);
    return false;
}
