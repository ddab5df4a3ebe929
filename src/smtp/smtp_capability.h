// What an EHLO reply offers (RFC 5321 §4.1.1.1), read tolerantly. Private to the room.
#pragma once
#include "smtp_client.h"

// `text` of the reply: the first line is the greeting. Keywords that are not
// known, or have arguments that make no sense, offer nothing.
struct smtp_capabilities smtp_capabilities_parse(struct span text);
// The first word of the greeting; empty where it is no visible ASCII, or too long.
void smtp_peer_name_take(char out[static SMTP_PEER_NAME_MAX + 1], struct span text);
