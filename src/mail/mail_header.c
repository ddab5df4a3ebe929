#include "mail_header.h"

// A line of the head as far as it is known begins a field or goes on with one.
static void field_turn(struct mail_scan *s, char first)
{
    if (first == ' ' || first == '\t')
        return;
    s->field_len = 0;
    s->first_line = true;
    s->no_before = s->tls_required_no;
}

// Keeps the beginning of the unfolded field, a run of blanks as one: enough to
// tell the fields that matter from all others.
static void field_keep(struct mail_scan *s, struct span piece)
{
    for (size_t i = 0; i < piece.len && s->field_len < sizeof s->field; i++) {
        char c = piece.at[i] == '\t' ? ' ' : piece.at[i];
        bool again = c == ' ' && s->field_len && s->field[s->field_len - 1] == ' ';
        if (c != '\r' && c != '\n' && !again)
            s->field[s->field_len++] = c;
    }
}

// At the end of each line of a field: a message may end without more of it, and
// a further line may still change what it says.
static void field_judge(struct mail_scan *s)
{
    struct span value = {s->field, s->field_len};
    struct span name = span_trim(span_cut(&value, ':'));
    bool field = value.at != NULL;
    if (s->first_line && field && span_ieq(name, SPAN("Received")))
        s->received++;
    s->first_line = false;
    bool no = field && span_ieq(name, SPAN("TLS-Required")) &&
              span_ieq(span_trim(value), SPAN("No")); // RFC 8689 §3
    s->tls_required_no = s->no_before || no;
}

static void head_piece(struct mail_scan *s, struct span piece, bool ends)
{
    if (s->line_len == 0)
        field_turn(s, piece.at[0]);
    s->head_len += piece.len;
    s->eight_bit_head = s->eight_bit_head || !span_is_ascii(piece);
    field_keep(s, piece);
    bool cr = piece.len > 1 ? piece.at[piece.len - 2] == '\r' : s->at_cr;
    s->at_cr = piece.at[piece.len - 1] == '\r';
    if (!ends)
        return;
    field_judge(s);
    s->body_begun = cr && s->line_len + piece.len == 2;
}

void mail_scan_feed(struct mail_scan *s, struct span chunk)
{
    s->eight_bit = s->eight_bit || !span_is_ascii(chunk);
    while (chunk.len) {
        size_t n = span_index(chunk, '\n');
        bool ends = n < chunk.len;
        struct span piece = span_first(chunk, n + ends);
        if (!s->body_begun)
            head_piece(s, piece, ends);
        s->line_len += piece.len;
        if (s->line_len > s->line_longest)
            s->line_longest = s->line_len;
        if (ends)
            s->line_len = 0;
        chunk = span_skip(chunk, piece.len);
    }
}
