#include "queue_schedule.h"
#include "queue_slots.h"
typedef int queue_placeholder;
