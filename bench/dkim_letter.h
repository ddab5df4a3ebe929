// The message that the DKIM benches sign and verify.
#pragma once
#include "base_buf.h"

static inline void dkim_letter(struct buf *b, size_t size)
{
    buf_clear(b);
    buf_put(b, SPAN("Received: from a.example.net by mx.example.org with ESMTPS id 1;\r\n"
                    "\tSun, 22 Nov 2026 01:58:26 +0000\r\n"
                    "From: Somebody <somebody@example.org>\r\nTo: else@example.net\r\n"
                    "Subject: A message of some length\r\nDate: Sun, 22 Nov 2026 01:58:26 +0000\r\n"
                    "Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
                    "Content-Type: text/plain\r\n\r\n"));
    while (b->len < size)
        buf_put(b, SPAN("The quick brown fox jumps over the lazy dog, and does it again.\r\n"));
}
