/* Writes the module; see spec_trace_tlc.h. All names of its own begin with Trace or trace_. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/spec_guard.h"
#include "sim/spec_sample.h"
#include "sim/spec_trace_tlc.h"

enum { NUMBERS_A_LINE = 16 };

static void write_numbers(const char *name, const int32_t *numbers, uint32_t count, int32_t more,
                          FILE *file)
{
    fprintf(file, "%s == <<", name);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, "%s%s%" PRId32, i == 0 ? "" : ",", i % NUMBERS_A_LINE == 0 ? "\n" : "",
                numbers[i] + more);
    }
    fputs(">>\n", file);
}

static void write_data(const struct spec_pack *pack, FILE *file)
{
    const uint32_t count = pack->begins[pack->trace_count];
    int32_t *begins = malloc((pack->trace_count + 1u) * sizeof *begins);
    CHECK(begins != NULL);
    for (uint32_t i = 0; i <= pack->trace_count; i++) {
        begins[i] = (int32_t)pack->begins[i];
    }
    write_numbers("TraceData", pack->numbers, count, 0, file);
    write_numbers("TraceBegin", begins, pack->trace_count + 1, 1, file);
    free(begins);
    fputs("TraceBit == <<1", file);
    for (int32_t i = 1; i <= SPEC_ELEMENT_MAX; i++) {
        fprintf(file, ",%" PRId32, set_of(i));
    }
    fputs(">>\n", file);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* The integer of a field. */
static void write_integer(const struct spec_field *field, FILE *file)
{
    if (field->radix == 1) {
        fprintf(file, "(%" PRId32 ")", field->low);
        return;
    }
    fputs(field->low != 0 ? "((TraceData[trace_at" : "(TraceData[trace_at", file);
    if (field->number > 0) {
        fprintf(file, " + %" PRIu32, field->number);
    }
    fputs("]", file);
    if (field->weight > 1) {
        fprintf(file, " \\div %" PRIu32, field->weight);
    }
    fprintf(file, " %% %" PRIu32 ")", field->radix);
    if (field->low != 0) {
        fprintf(file, " + (%" PRId32 "))", field->low);
    }
}

static void write_words(const struct spec_domain *domain, FILE *file)
{
    for (int32_t i = 0; i <= domain->high; i++) {
        fprintf(file, "%s\"%s\"", i == 0 ? "<<" : ", ", domain->words[i]);
    }
    fputs(">>", file);
}

static void write_elements(int32_t low, int32_t high, const struct spec_field *field, FILE *file)
{
    fprintf(file, "{trace_e \\in %" PRId32 "..%" PRId32 " : ((", low, high);
    write_integer(field, file);
    fputs(" \\div TraceBit[trace_e + 1]) % 2) = 1}", file);
}

/* What is no word at all is unlike all words. */
static void write_word(const struct spec_domain *domain, const struct spec_field *field, FILE *file)
{
    const bool sure = spec_domain_has(domain, field->low) && spec_domain_has(domain, field->high);
    if (!sure) {
        fputs("IF ~(", file);
        write_integer(field, file);
        fprintf(file, " \\in 0..%" PRId32 ") THEN \"\" ELSE ", domain->high);
    }
    write_words(domain, file);
    fputs("[1 + ", file);
    write_integer(field, file);
    fputs("]", file);
}

static void write_value(const struct spec_domain *domain, const struct spec_field *field,
                        FILE *file)
{
    fputs("(", file);
    switch (domain->kind) {
    case SPEC_INT:
        write_integer(field, file);
        break;
    case SPEC_BOOL:
        write_integer(field, file);
        fputs(" = 1", file);
        break;
    case SPEC_WORD:
        write_word(domain, field, file);
        break;
    case SPEC_SET:
        write_elements(domain->low, domain->high, field, file);
        break;
    case SPEC_WORDS:
        fputs("{", file);
        write_words(domain, file);
        fputs("[1 + trace_w] : trace_w \\in ", file);
        write_elements(0, domain->high, field, file);
        fputs("}", file);
        break;
    }
    fputs(")", file);
}

static void write_field(const struct spec_pack *pack, const struct spec_form *form, uint32_t field,
                        FILE *file)
{
    const struct spec_domain domain = spec_form_domain(pack, form, field);
    write_value(&domain, &form->fields[field], file);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* "": it is a look. */
static const char *action_of(const struct spec_pack *pack, const struct spec_form *form)
{
    return form->action == FOLLOW_LOOK ? "" : pack->instance.actions[form->action].name;
}

static uint32_t parameter_count(const struct spec_pack *pack, const struct spec_form *form)
{
    return form->action == FOLLOW_LOOK ? 0 : pack->instance.actions[form->action].parameter_count;
}

/* (1, 17), or nothing. */
static void write_arguments(const struct spec_pack *pack, const struct spec_form *form, FILE *file)
{
    const uint32_t count = parameter_count(pack, form);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i == 0 ? "(" : ", ", file);
        write_field(pack, form, i, file);
    }
    fputs(count > 0 ? ")" : "", file);
}

/* Next takes parameters from their domains alone. */
static void write_domains(const struct spec_pack *pack, const struct spec_form *form, FILE *file)
{
    for (uint32_t i = 0; i < parameter_count(pack, form); i++) {
        const struct spec_domain domain = spec_form_domain(pack, form, i);
        const struct spec_field *field = &form->fields[i];
        if (domain.kind == SPEC_INT &&
            (!spec_domain_has(&domain, field->low) || !spec_domain_has(&domain, field->high))) {
            fputs(" /\\ ", file);
            write_field(pack, form, i, file);
            fprintf(file, " \\in (%" PRId32 ")..%" PRId32, domain.low, domain.high);
        }
    }
}

/* What the variable of a sight is behind the step. */
static void write_seen(const struct spec_pack *pack, const struct follow_sight *sight, FILE *file)
{
    const struct spec_variable *variable = &pack->instance.variables[sight->variable];
    const struct spec_domain *key = spec_trace_key(variable);
    fprintf(file, "%s'", variable->name);
    if (variable->key_count > 0 && key != &variable->keys[0]) {
        fprintf(file, "[%d]", SPEC_TRACE_ACTOR);
    }
    if (key != NULL && key->words == NULL) {
        fprintf(file, "[%" PRId32 "]", sight->key);
    } else if (key != NULL) {
        fprintf(file, "[\"%s\"]", key->words[sight->key]);
    }
}

/* What of it can be compared: its value, how many elements it has, whether one is among them. */
static void write_aspect(const struct spec_pack *pack, const struct spec_form *form, uint32_t sight,
                         FILE *file)
{
    const struct follow_sight *what = &form->sights[sight];
    if (what->relation == FOLLOW_HAS) {
        write_field(pack, form, parameter_count(pack, form) + sight, file);
        fputs(" \\in ", file);
    }
    fputs(what->relation == FOLLOW_COUNT ? "Cardinality(" : "", file);
    write_seen(pack, what, file);
    fputs(what->relation == FOLLOW_COUNT ? ")" : "", file);
}

static void write_sight(const struct spec_pack *pack, const struct spec_form *form, uint32_t sight,
                        FILE *file)
{
    write_aspect(pack, form, sight, file);
    if (form->sights[sight].relation != FOLLOW_HAS) {
        fputs(" = ", file);
        write_field(pack, form, parameter_count(pack, form) + sight, file);
    }
}

/* With reasons: what the step makes is told before it is compared. */
static void write_made(const struct spec_pack *pack, const struct spec_form *form, FILE *file)
{
    fputs("\n        /\\ PrintT(<<\"MADE\", trace_id, trace_at, TraceBroken, TraceBrokenStep",
          file);
    for (uint32_t i = 0; i < form->sight_count; i++) {
        fputs(", ToString(", file);
        write_aspect(pack, form, i, file);
        fputs(")", file);
    }
    fputs(">>)", file);
}

/* Every variable of the spec is as it was. */
static void write_unchanged(const struct spec_pack *pack, FILE *file)
{
    for (uint32_t v = 0; v < pack->instance.model->variable_count; v++) {
        fprintf(file, "%s%s", v == 0 ? "UNCHANGED <<" : ", ", pack->instance.variables[v].name);
    }
    fputs(">>", file);
}

static void write_form(const struct spec_trace_module *module, uint32_t number, FILE *file)
{
    const struct spec_pack *pack = module->pack;
    const struct spec_form *form = &pack->forms[number];
    fprintf(file, "    \\/  /\\ TraceForm = %" PRIu32 " /\\ trace_at' = trace_at + %" PRIu32,
            number, form->width);
    write_domains(pack, form, file);
    fputs("\n        /\\ ", file);
    if (form->action == FOLLOW_LOOK) {
        write_unchanged(pack, file);
    } else {
        fputs(action_of(pack, form), file);
        write_arguments(pack, form, file);
    }
    if (module->text != NULL) {
        write_made(pack, form, file);
    }
    for (uint32_t i = 0; i < form->sight_count; i++) {
        fputs("\n        /\\ ", file);
        write_sight(pack, form, i, file);
    }
    fputs("\n", file);
}

static void write_all(const char *name, const struct spec_names *names, const char *tail,
                      FILE *file)
{
    fprintf(file, "%s == TRUE", name);
    for (uint32_t i = 0; i < names->count; i++) {
        fprintf(file, " /\\ %s%s", names->list[i], tail);
    }
    fputs("\n", file);
}

static void write_steps(const struct spec_trace_module *module, FILE *file)
{
    const struct spec_pack *pack = module->pack;
    write_all("TraceHolds", &module->config->invariants, "", file);
    write_all("TraceAllows", &module->config->properties, "Step", file);
    fprintf(file,
            "TraceInit == /\\ Init /\\ trace_id \\in 1..%" PRIu32
            " /\\ trace_at = TraceBegin[trace_id]\n    /\\ TraceHolds\n"
            "TraceEnd == TraceBegin[trace_id + 1]\n"
            "TraceForm == TraceData[trace_at] %% %" PRIu32 "\n"
            "TraceAction ==\n",
            pack->trace_count, pack->form_count);
    for (uint32_t i = 0; i < pack->form_count; i++) {
        write_form(module, i, file);
    }
    fputs("TraceNext == /\\ trace_at < TraceEnd /\\ trace_id' = trace_id\n"
          "    /\\ TraceAction /\\ TraceHolds' /\\ TraceAllows\n"
          "TraceAccept == trace_at = TraceEnd => PrintT(<<\"ACCEPT\", trace_id>>)\n",
          file);
}

/* ---- Reasons --------------------------------------------------------------------------------- */

/* The number of the first of these that does not hold; 0: all do. */
static void write_first(const char *name, const struct spec_names *names, const char *tail,
                        const char *prime, FILE *file)
{
    fprintf(file, "%s == ", name);
    for (uint32_t i = 0; i < names->count; i++) {
        fprintf(file, "IF ~%s%s%s THEN %" PRIu32 " ELSE ", names->list[i], tail, prime, i + 1);
    }
    fputs("0\n", file);
}

/* TraceGuard_Send(d, c): the number of the first guard that does not hold; 0: all do. */
static void write_guards(const struct spec_guards *guards, const char *action, FILE *file)
{
    fprintf(file, "TraceGuard_%s%s%s%s ==\n", action, guards->parameters[0] == '\0' ? "" : "(",
            guards->parameters, guards->parameters[0] == '\0' ? "" : ")");
    for (uint32_t i = 0; i < guards->count; i++) {
        /* One column for all lines of a list, as it stood in the spec. */
        fprintf(file, "  IF ~(\n%*s%s\n  ) THEN %" PRIu32 " ELSE\n", (int)guards->list[i].column,
                "", guards->list[i].text, i + 1);
    }
    fputs("  0\n", file);
}

/* False: a look has none, and some definitions are not understood. */
static bool read_guards(const struct spec_trace_module *module, uint32_t form,
                        struct spec_guards *guards)
{
    const struct spec_form *of = &module->pack->forms[form];
    return of->action != FOLLOW_LOOK &&
           spec_guards_read(guards, module->text, action_of(module->pack, of));
}

static bool is_first_of_action(const struct spec_pack *pack, uint32_t form)
{
    bool first = true;
    for (uint32_t i = 0; i < form; i++) {
        first = first && pack->forms[i].action != pack->forms[form].action;
    }
    return first;
}

static void write_reasons(const struct spec_trace_module *module, FILE *file)
{
    const struct spec_pack *pack = module->pack;
    const struct spec_instance *instance = &pack->instance;
    for (uint32_t i = 0; i < pack->form_count; i++) {
        struct spec_guards guards;
        if (is_first_of_action(pack, i) && read_guards(module, i, &guards)) {
            write_guards(&guards, action_of(pack, &pack->forms[i]), file);
        }
    }
    fputs("TraceGuard ==\n", file);
    for (uint32_t i = 0; i < pack->form_count; i++) {
        struct spec_guards guards;
        if (read_guards(module, i, &guards)) {
            fprintf(file, "    IF TraceForm = %" PRIu32 " THEN IF ~(TRUE", i);
            write_domains(pack, &pack->forms[i], file);
            fprintf(file, ") THEN %d ELSE TraceGuard_%s", SPEC_GUARDS_MAX + 1,
                    action_of(pack, &pack->forms[i]));
            write_arguments(pack, &pack->forms[i], file);
            fputs(" ELSE\n", file);
        }
    }
    fputs("    0\n"
          "TraceStuck == trace_at = TraceEnd \\/ ENABLED TraceNext\n"
          "    \\/  /\\ PrintT(<<\"STUCK\", trace_id, trace_at, TraceGuard>>)\n",
          file);
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        const char *name = instance->variables[v].name;
        fprintf(file, "        /\\ PrintT(<<\"STATE\", trace_id, %" PRIu32 ", ToString(%s)>>)\n", v,
                name);
    }
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void write_module(const struct spec_trace_module *module, FILE *file)
{
    fprintf(file,
            "---- MODULE Trace ----\nEXTENDS %s, Integers, FiniteSets, Sequences, TLC\n"
            "VARIABLES trace_id, trace_at\n",
            module->pack->instance.model->name);
    write_data(module->pack, file);
    if (module->text != NULL) {
        write_first("TraceBroken", &module->config->invariants, "", "'", file);
        write_first("TraceBrokenStep", &module->config->properties, "Step", "", file);
    }
    write_steps(module, file);
    if (module->text != NULL) {
        write_reasons(module, file);
    }
    fputs("====\n", file);
}

bool spec_trace_write(const struct spec_trace_module *module, const char *folder, char *error,
                      size_t error_bytes)
{
    char path[2 * SPEC_PATH_BYTES];
    snprintf(path, sizeof path, "%s/Trace.tla", folder);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        write_module(module, file);
    }
    if (file == NULL || ferror(file) != 0 || fclose(file) != 0) {
        snprintf(error, error_bytes, "%.500s: %.200s", path, strerror(errno));
        return false;
    }
    snprintf(path, sizeof path, "%s/Trace.cfg", folder);
    char rest[128];
    snprintf(rest, sizeof rest, "INIT TraceInit\nNEXT TraceNext\nINVARIANTS TraceAccept%s\n%s",
             module->text == NULL ? "" : " TraceStuck", module->refines ? "PROPERTY Spec\n" : "");
    return spec_constants_write(&module->pack->instance, path, rest, error, error_bytes);
}
