// Chains sealed for tests, by a sealer that does as it is told, mistakes included.
#pragma once
#include "auth_arc.h"
#include "base_buf.h"
#include "zone.h"

#define ARC_HELP_HEAD "From: u@author.example\r\nSubject: hello\r\n\r\n"

// A message under the sets that the steps say, one word a set: its cv, with "+e"
// for Ed25519, "+b" for a body changed before, "+f" for a report that DMARC
// failed, "+q" for one of another author. Set N is by sN.example.
void arc_help_message(struct buf *out, const char *steps);
// A zone with the keys of all sealers but those that `lines` has, and the lines.
struct zone *arc_help_keys(const char *lines);
