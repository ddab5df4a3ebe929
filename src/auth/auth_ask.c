#include "auth_ask.h"

const char *auth_result_text(enum auth_result r)
{
    static const char *const texts[AUTH_RESULTS] = {
        [AUTH_NONE] = "none",           [AUTH_PASS] = "pass",           [AUTH_FAIL] = "fail",
        [AUTH_SOFTFAIL] = "softfail",   [AUTH_NEUTRAL] = "neutral",     [AUTH_POLICY] = "policy",
        [AUTH_TEMPERROR] = "temperror", [AUTH_PERMERROR] = "permerror",
    };
    return texts[r];
}
