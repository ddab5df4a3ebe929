// Keys for tests only, and DKIM's two machines run over whole messages.
#pragma once
#include "auth_dkim.h"
#include "auth_dkim_sign.h"
#include "crypto_sign.h"
#include "zone.h"

extern const char help_rsa_2048[], help_rsa_1024[], help_ed25519[]; // PEM

// "v=DKIM1; k=…; p=…" of a private key; text lives in `a`.
struct span help_record(const char *pem, struct arena *a);
// The message with fields of one signature for each key put before it. A selector
// "s0", "s1"… for each, domain example.org, unless the options have keys.
struct span help_sign(const struct auth_sign_options *o, struct span message, struct arena *a,
                      size_t count, const char *const *pems);
// Fed in chunks of that size (0: at once), answered in the order of the seed.
struct auth_dkim *help_verify(struct zone *z, const struct auth_dkim_options *o,
                              struct span message, size_t chunk, unsigned seed);
void help_dkim_free(struct auth_dkim **d);
// A zone with the keys' records at s0._domainkey.example.org and so on.
struct zone *help_zone(size_t count, const char *const *pems);
