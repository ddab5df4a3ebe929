#include "trust_need.h"
#include "trust_plan.h"
#include "trust_record.h"
#include "trust_sts.h"
#include "trust_walk.h"
typedef int trust_placeholder;
