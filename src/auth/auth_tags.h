// Tag lists (RFC 6376 §3.2), the form of DKIM signatures and keys, of ARC's
// fields and of DMARC records: "v=1; a=rsa-sha256; ...". Nothing is copied.
#pragma once
#include "base_buf.h"

enum { AUTH_TAGS_MAX = 64 };

struct auth_tag {
    struct span name;
    struct span value; // without white space around it
    struct span raw;   // all between "=" and ";" or the end
};

struct auth_tags {
    size_t count;
    struct auth_tag at[AUTH_TAGS_MAX];
};

// False for what is no tag list (RFC 8616 §5: values may hold UTF-8), for a name
// that stands twice, which makes the whole list invalid, and for too many tags.
bool auth_tags_read(struct auth_tags *out, struct span text);
// The tag's value; .at == NULL if it is not there. Names are case-sensitive.
struct span auth_tags_get(const struct auth_tags *t, struct span name);

// Folding white space as it is found in a field: spaces, tabs, line ends.
bool auth_fws(char c);
struct span auth_fws_trim(struct span s);
// The next of a list parted by `colon`, trimmed; *rest moves on, .at == NULL ends it.
struct span auth_list_next(struct span *rest, char colon);
// True if the list holds the word, letters comparing without case.
bool auth_list_has(struct span list, char colon, struct span word);
// Base64 with folding white space anywhere (RFC 6376 §2.10). Only one text means
// given bytes: padding is demanded, and unused bits must be zero.
bool auth_base64_read(struct buf *out, struct span text);
