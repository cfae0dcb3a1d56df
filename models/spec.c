#include "models/spec.h"

#define SPEC(model) extern const struct spec_model model;
#include "models/specs.def"
#undef SPEC

static const struct spec_model *const models[] = {
#define SPEC(model) &model,
#include "models/specs.def"
#undef SPEC
};

uint32_t spec_count(void)
{
    return sizeof models / sizeof models[0];
}

const struct spec_model *spec_at(uint32_t index)
{
    return models[index];
}
