// DKIM key records.
#include "auth_dkim_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_dkim_key key;
    struct crypto_digest d = {{0}};
    const char *fault =
        auth_dkim_key_read(&key, (struct span){(const char *)data, size}, SPAN("email"));
    if ((fault == NULL) != (key.key != NULL))
        panic("a key and a fault, or neither");
    if (key.key && crypto_verify(key.key, &d, (struct span){(const char *)data, size}))
        panic("a record that is a signature");
    if (key.key && (key.bits == 0 || key.bits > CRYPTO_RSA_BITS_MAX))
        panic("a key of %u bits", key.bits);
    crypto_public_free(key.key);
    return 0;
}
