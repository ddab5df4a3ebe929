// Lists of report URIs (RFC 9989 §4.6), for this room only.
#pragma once
#include "auth_dmarc_record.h"

// The valid ones of a comma-separated list, at most DMARC_URIS_MAX; *list is
// NULL where there is none. Spans of `uri` are in `text`, the rest is in `a`.
// False: no room.
bool auth_dmarc_uris_parse(struct auth_dmarc_uri **list, size_t *count, struct span text,
                           struct arena *a);
