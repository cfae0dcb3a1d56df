#include "sim/law_choice.h"

#include <stdio.h>
#include <string.h>

bool law_choice(const char *text, bool judged[LAW_COUNT], char *error, size_t error_bytes)
{
    const bool without = text[0] == '-' || text[0] == '\0';
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        judged[law] = without;
    }
    while (*text != '\0') {
        const int length = (int)strcspn(text, ",");
        const bool minus = *text == '-';
        const char *name = text + (minus ? 1 : 0);
        const size_t name_bytes = (size_t)length - (minus ? 1 : 0);
        unsigned law = 0;
        while (law < LAW_COUNT && (strlen(law_name((enum law)law)) != name_bytes ||
                                   strncmp(law_name((enum law)law), name, name_bytes) != 0)) {
            law++;
        }
        if (law == LAW_COUNT || minus != without) {
            snprintf(error, error_bytes,
                     law == LAW_COUNT ? "run.laws: no law '%.*s' (a run prints all of them)"
                                      : "run.laws: '%.*s': either names, or names with a minus",
                     length, text);
            return false;
        }
        judged[law] = !minus;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return true;
}
