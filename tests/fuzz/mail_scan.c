// The head scanner: any chunk borders give the same. The first byte is the size
// of the chunks.
#include "base_rc.h"
#include "mail_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span in = {(const char *)data + 1, size - 1};
    struct mail_scan whole = {0}, parts = {0};
    size_t step = data[0] % 67 + 1u;
    mail_scan_feed(&whole, in);
    for (struct span rest = in; rest.len; rest = span_skip(rest, step))
        mail_scan_feed(&parts, span_first(rest, step));
    if (whole.received != parts.received || whole.tls_required_no != parts.tls_required_no ||
        whole.eight_bit != parts.eight_bit || whole.body_begun != parts.body_begun ||
        whole.head_len != parts.head_len || whole.line_longest != parts.line_longest)
        panic("chunks of %zu give something else", step);
    if (whole.head_len > in.len || whole.line_longest > in.len)
        panic("more than there is");
    return 0;
}
