// jansson beside base_json.h: both have a json_null(), and only ours is called here.
#pragma once
#define json_null jansson_null
#include <jansson.h>
#undef json_null
