#include "base_near.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(struct span a, size_t i, struct span b, size_t k)
{
    return span_ieq((struct span){a.at + i, 1}, (struct span){b.at + k, 1});
}

// Optimal string alignment, by rows: `two` is the row before the one before.
size_t near_distance(struct span a, struct span b)
{
    if (a.len > NEAR_MAX || b.len > NEAR_MAX)
        return SIZE_MAX;
    size_t rows[3][NEAR_MAX + 1];
    for (size_t k = 0; k <= b.len; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *one = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            size_t change = one[k - 1] + !same(a, i - 1, b, k - 1);
            now[k] = least(change, least(one[k], now[k - 1]) + 1);
            if (i > 1 && k > 1 && same(a, i - 1, b, k - 2) && same(a, i - 2, b, k - 1))
                now[k] = least(now[k], two[k - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

bool near_enough(struct span word, size_t distance)
{
    return distance <= 1 + word.len / 4 && distance < word.len;
}
