#include "sim/port_operation.h"

#include <string.h>

enum group { GROUP_other, GROUP_link, GROUP_flash, GROUP_disk, GROUP_crypto };

static const struct {
    const char *name;
    enum group group;
} operations[OPERATION_COUNT] = {
#define OPERATION_ROW(NAME, name, group) {#name, GROUP_##group},
    PORT_OPERATION_LIST(OPERATION_ROW)
#undef OPERATION_ROW
};

static const char *const groups[] = {"any", "flash", "disk", "link"};

const char *port_operation_name(unsigned operation)
{
    if (operation < OPERATION_COUNT) {
        return operations[operation].name;
    }
    return operation < OPERATION_KIND_COUNT ? groups[operation - OPERATION_ANY] : "?";
}

unsigned port_operation_find(const char *name)
{
    for (unsigned i = 0; i < OPERATION_KIND_COUNT; i++) {
        if (strcmp(port_operation_name(i), name) == 0) {
            return i;
        }
    }
    return OPERATION_KIND_COUNT;
}

_Bool port_operation_matches(unsigned kind, enum port_operation operation)
{
    switch (kind) {
    case OPERATION_ANY:
        return 1;
    case OPERATION_ANY_FLASH:
        return operations[operation].group == GROUP_flash;
    case OPERATION_ANY_DISK:
        return operations[operation].group == GROUP_disk;
    case OPERATION_ANY_LINK:
        return operations[operation].group == GROUP_link;
    default:
        return kind == (unsigned)operation;
    }
}
