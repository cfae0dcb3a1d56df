#include "core/err.h"

const char *err_name(enum err err)
{
#define ERR_CASE(name, value)                                                                      \
    case ERR_##name:                                                                               \
        return #name;
    switch (err) {
        ERR_LIST(ERR_CASE)
    default:
        return "?";
    }
#undef ERR_CASE
}
