// How far two words are apart, for "did you mean": the number of letters to
// add, drop, change or swap with their neighbour. Letters compare without case.
#pragma once
#include "base_span.h"

enum { NEAR_MAX = 64 }; // longer words are never near: SIZE_MAX

size_t near_distance(struct span a, struct span b);
// Near enough to be a slip of the keyboard.
bool near_enough(struct span word, size_t distance);
