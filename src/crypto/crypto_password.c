#include "crypto_password.h"

#include "crypto_hmac.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

// yescrypt with libcrypt's own idea of cost: some 20 ms and 16 MiB today.
static const char method[] = "$y$";
// Nobody's: what an unknown user costs. Its cost is that of new hashes.
static const char nobody[] = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$";

struct work {
    struct crypt_data data;
    char password[CRYPTO_PASSWORD_MAX + 1];
};

static void work_free(struct work **w)
{
    explicit_bzero(*w, sizeof **w);
    free(*w);
}

// NULL: it cannot be done, or not with this setting.
static const char *hash_by(struct work *w, struct span password, const char *setting)
{
    if (!span_copy(w->password, sizeof w->password, password))
        return NULL;
    const char *hash = crypt_r(w->password, setting, &w->data);
    return hash && hash[0] == '$' ? hash : NULL; // failures begin with '*'
}

struct rc crypto_password_hash(struct buf *out, struct span password, struct span random)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    CLEANUP(work_free) struct work *w = mem_new(sizeof *w);
    if (password.len > CRYPTO_PASSWORD_MAX)
        return RC(FULL);
    if (random.len < CRYPTO_SALT_BYTES || random.len > CRYPTO_SALT_MAX ||
        !crypt_gensalt_rn(method, 0, random.at, (int)random.len, setting, sizeof setting))
        return RC(UNAVAILABLE);
    const char *hash = hash_by(w, password, setting);
    if (!hash)
        return RC(UNAVAILABLE);
    buf_put(out, span_str(hash));
    return buf_state(out);
}

// yescrypt, gost-yescrypt, scrypt, bcrypt, SHA-2; libcrypt knows weaker ones.
static bool strong(struct span hash)
{
    static const char *const methods[] = {"$y$", "$gy$", "$7$", "$2b$", "$2y$", "$6$", "$5$"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (span_starts(hash, span_str(methods[i])))
            return true;
    return false;
}

static bool setting_of(char to[static CRYPT_OUTPUT_SIZE], struct span hash)
{
    return strong(hash) && span_copy(to, CRYPT_OUTPUT_SIZE, hash) &&
           crypt_checksalt(to) == CRYPT_SALT_OK;
}

bool crypto_password_readable(struct span hash)
{
    char setting[CRYPT_OUTPUT_SIZE];
    return setting_of(setting, hash);
}

bool crypto_password_check(struct span hash, struct span password)
{
    char setting[CRYPT_OUTPUT_SIZE];
    CLEANUP(work_free) struct work *w = mem_new(sizeof *w);
    bool real = setting_of(setting, hash);
    const char *is = hash_by(w, password, real ? setting : nobody);
    return is && real && crypto_same(span_str(is), hash);
}
