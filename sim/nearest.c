#include "sim/nearest.h"

#include <string.h>

/* Levenshtein distance, bounded: names here are short. */
static unsigned distance(const char *left, const char *right)
{
    unsigned row[65];
    const size_t left_length = strlen(left), right_length = strlen(right);
    if (left_length > 64 || right_length > 64) {
        return 64;
    }
    for (unsigned j = 0; j <= right_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= left_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= right_length; j++) {
            const unsigned substitute = diagonal + (left[i - 1] != right[j - 1] ? 1u : 0u);
            const unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1u;
            diagonal = row[j];
            row[j] = substitute < gap ? substitute : gap;
        }
    }
    return row[right_length];
}

const char *nearest_name(const char *typed, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)strlen(typed) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        const unsigned d = distance(typed, names[i]);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
