/* Goal: what TLC wrote is read as it was meant, and whatever differs between spec and model, in a
 * graph, a step, a claim or a name, is told with its name. Method: a small law made here, with
 * every kind of domain; TLC's files are written from its own model, and then spoilt, one place at a
 * time. No Java is needed. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/spec_compare.h"
#include "sim/spec_folder.h"
#include "sim/spec_golden.h"
#include "sim/spec_known.h"
#include "sim/spec_mutant.h"
#include "sim/spec_reference.h"
#include "sim/spec_walks.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

/* ---- A law: lamps that are lit in turns ------------------------------------------------------ */

#define LAW_NAME                 "Lamps"
#define LAW_MODEL                spec_lamps
#define LAW_SOURCE               "sim/test/test_spec.c"
#define COLOURS(WORD)            WORD(COLOUR_RED, "red") WORD(COLOUR_GREEN, "green")
#define LAW_WORDS(ENUM)          ENUM(colour, COLOURS)
#define LAW_CONSTANTS(INT, BOOL) INT(Lamps, 1, 3) BOOL(Broken)
#define LAMPS                    RANGE(1, K(Lamps))
#define LAW_VARIABLES(VAR, MAP, MAP2)                                                              \
    VAR(lit, SET(1, K(Lamps)))                                                                     \
    MAP(shows, 4, LAMPS, WORDS(colour))                                                            \
    MAP(zero, 2, RANGE(0, 1), FLAG)                                                                \
    MAP2(count, 4, LAMPS, colour_count, WORDS(colour), RANGE(0, 2))                                \
    VAR(ever, SET_OF_WORDS(colour))
#define LAW_ACTIONS(ACTION0, ACTION1, ACTION2, ACTION3)                                            \
    ACTION2(light, Light, SYSTEM, l, LAMPS, c, WORDS(colour))                                      \
    ACTION0(darken, Darken, FAULT)
#define LAW_DEAD(DEAD)
#define LAW_INVARIANTS(INV, EACH) EACH(few, Few, LAMPS) INV(known, Known)
#define LAW_PROPERTIES(AP, EACH)  AP(grows, Grows)
#define LAW_RESPONSES(LIVE)
#include "models/spec_law.h"

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    s->zero[1] = k->Broken;
    return index == 0;
}

static bool act_light(const struct constants *k, struct state *s, int32_t l, int32_t c)
{
    if (set_has(s->lit, l) || s->count[l][c] >= 2) {
        return false;
    }
    s->lit |= set_of(l);
    s->shows[l] = c;
    s->count[l][c] += k->Broken ? 2 : 1;
    s->ever |= set_of(c);
    return true;
}

static bool act_darken(const struct constants *k, struct state *s)
{
    (void)k;
    s->lit = 0;
    return true;
}

static bool inv_few(const struct constants *k, const struct state *s, int32_t l)
{
    (void)k;
    return s->count[l][COLOUR_RED] + s->count[l][COLOUR_GREEN] < 4;
}

static bool inv_known(const struct constants *k, const struct state *s)
{
    (void)k;
    return s->lit == 0 || s->ever != 0;
}

static bool ap_grows(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    return set_within(s->ever, t->ever);
}

static struct spec_instance lamps;
static struct spec_graph graph;
static char error[4096];

static void make_lamps(int32_t count)
{
    struct spec_config config = {.path = "here", .name = "MC", .constant_count = 2};
    config.constants[0] = (struct spec_config_constant){"Lamps", false, count};
    config.constants[1] = (struct spec_config_constant){"Broken", true, 0};
    EXPECT(spec_instance_init(&lamps, &spec_lamps, &config, error, sizeof error));
    EXPECT(spec_explore(&graph, &lamps, 10000, error, sizeof error));
}

static bool says(const char *text)
{
    if (strstr(error, text) == NULL) {
        fprintf(stderr, "'%s' does not say '%s'\n", error, text);
        return false;
    }
    return true;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void values_are_read_as_tlc_writes_them(void)
{
    static const char *const same[] = {
        "/\\ lit = {1, 2}\n/\\ shows = <<\"green\", \"red\">>\n/\\ zero = (0 :> TRUE @@ 1 :> "
        "FALSE)\n/\\ count = <<[red |-> 1, green |-> 2], [red |-> 0, green |-> 0]>>\n/\\ ever = "
        "{\"red\", \"green\"}",
        "/\\ ever = {\"green\", \"red\"}\n/\\ count = (1 :> [green |-> 2, red |-> 1] @@ 2 :> "
        "(\"red\""
        " :> 0 @@ \"green\" :> 0))\n/\\ lit = 1..2\n/\\ zero = (1 :> FALSE @@ 0 :> TRUE)\n/\\ "
        "shows "
        "= <<\"green\", \"red\">>",
    };
    static const char *const wrong[] = {
        "/\\ lit = {1}",              /* the others are missing */
        "/\\ light = {1}",            /* no such variable */
        "/\\ shows = <<\"red\", 1>>", /* a number is no colour */
        "/\\ shows = <<\"red\">>",    /* one lamp is missing */
        "/\\ lit = {1, 2",            /* no end */
        "/\\ zero = <<TRUE, TRUE>>",  /* keys 1 and 2 */
        "/\\ shows = <<\"blue\", \"red\">>",
    };
    int32_t first[SPEC_STATE_WORDS_MAX], second[SPEC_STATE_WORDS_MAX];
    make_lamps(2);
    EXPECT(spec_parse_state(&lamps, same[0], first, error, sizeof error));
    EXPECT(spec_parse_state(&lamps, same[1], second, error, sizeof error));
    EXPECT(memcmp(first, second, lamps.cell_count * sizeof first[0]) == 0);
    EXPECT_EQUAL(first[0], set_of(1) | set_of(2));
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        EXPECT(!spec_parse_state(&lamps, wrong[i], first, error, sizeof error));
    }
    spec_graph_free(&graph);
}

/* ---- The graph ------------------------------------------------------------------------------- */

static char path[64];

static FILE *begin_file(void)
{
    snprintf(path, sizeof path, "/tmp/brownout-test-XXXXXX");
    const int descriptor = mkstemp(path);
    EXPECT(descriptor >= 0);
    return fdopen(descriptor, "wb");
}

/* As TLC dumps it, but for what is spoilt: line `spoilt` is left out, or gets another action. */
static void write_dump(uint32_t spoilt, bool rename)
{
    FILE *file = begin_file();
    uint32_t line = 0;
    fputs("strict digraph DiskGraph {\n", file);
    for (uint32_t i = 0; i < graph.states.count; i++) {
        const int32_t *c = spec_states_at(&graph.states, i);
        char lit[SPEC_VALUE_BYTES];
        spec_print_value(&lamps.cells[0].domain, c[0], lit, sizeof lit);
        fprintf(file,
                "%u [label=\"/\\\\ lit = %s\\n/\\\\ shows = <<\\\"%s\\\">>\\n/\\\\ zero = (0 :> %s "
                "@@ 1 :> %s)"
                "\\n/\\\\ count = <<[red |-> %d, green |-> %d]>>\\n/\\\\ ever = {",
                100 + i, lit, colour_words[c[1]], c[2] ? "TRUE" : "FALSE", c[3] ? "TRUE" : "FALSE",
                (int)c[4], (int)c[5]);
        fprintf(file, "%s%s%s}\"%s];\n", set_has(c[6], COLOUR_RED) ? "\\\"red\\\"" : "",
                c[6] == 3 ? ", " : "", set_has(c[6], COLOUR_GREEN) ? "\\\"green\\\"" : "",
                i == 0 ? ",style = filled" : "");
        for (uint32_t m = 0; m < lamps.move_count; m++) {
            int32_t post[SPEC_STATE_WORDS_MAX];
            if (!spec_step(&lamps, &lamps.moves[m], c, post)) {
                continue;
            }
            const bool bad = ++line == spoilt;
            const char *name = lamps.actions[lamps.moves[m].action].name;
            if (!bad || rename) {
                fprintf(file, "%u -> %u [label=\"%s\",color=\"black\"];\n", 100 + i,
                        100 + spec_states_find(&graph.states, post),
                        !bad                         ? name
                        : strcmp(name, "Light") == 0 ? "Darken"
                                                     : "Light");
            }
        }
    }
    fputs("}\n", file);
    EXPECT(fclose(file) == 0);
}

static bool compare_dump(struct spec_digest *digest)
{
    struct spec_dump dump;
    const bool good = spec_dump_read(&dump, &lamps, path, error, sizeof error) &&
                      spec_compare_graph(&lamps, &dump, error, sizeof error);
    *digest = dump.digest;
    spec_dump_free(&dump);
    EXPECT(unlink(path) == 0);
    return good;
}

static void each_edge_that_is_missing_or_renamed_is_told(void)
{
    struct spec_digest digest;
    make_lamps(1);
    write_dump(0, false);
    EXPECT(compare_dump(&digest));
    EXPECT(spec_digest_is(&digest, &graph.digest));
    EXPECT(graph.edges >= 10);
    for (uint32_t line = 1; line <= graph.generated - 1; line++) {
        write_dump(line, false);
        EXPECT(!compare_dump(&digest));
        EXPECT(says("is enabled in the model, and not in the spec"));
        EXPECT(!spec_digest_is(&digest, &graph.digest));
        write_dump(line, true);
        EXPECT(!compare_dump(&digest));
        EXPECT(strstr(error, "Light") != NULL || strstr(error, "Darken") != NULL);
    }
    spec_graph_free(&graph);
}

/* ---- Walks ----------------------------------------------------------------------------------- */

static void walks_take_every_edge_and_no_other(void)
{
    static bool taken[2000][16];
    struct spec_walks walks;
    uint64_t edges = 0;
    make_lamps(2);
    EXPECT(graph.states.count <= 2000 && lamps.move_count <= 16);
    spec_walks_cover(&walks, &graph, 50);
    for (uint32_t w = 0; w < walks.walk_count; w++) {
        uint32_t at = walks.initial[w];
        EXPECT(at < graph.initial_count);
        for (uint32_t i = walks.begins[w]; i < walks.begins[w + 1]; i++) {
            const struct spec_walk_step *step = &walks.steps[i];
            int32_t post[SPEC_STATE_WORDS_MAX];
            EXPECT(spec_step(&lamps, &lamps.moves[step->move], spec_states_at(&graph.states, at),
                             post));
            EXPECT_EQUAL(spec_states_find(&graph.states, post), step->state);
            edges += taken[at][step->move] ? 0 : 1;
            taken[at][step->move] = true;
            at = step->state;
        }
    }
    EXPECT_EQUAL(edges, graph.generated - graph.initial_count);
    spec_walks_free(&walks);
    spec_graph_free(&graph);
}

static void the_shortest_way_to_a_broken_claim_is_found(void)
{
    struct spec_walks walks;
    uint32_t state, move;
    make_lamps(1);
    EXPECT(spec_find_broken(&graph, "Few", &state, &move));
    EXPECT_EQUAL(move, UINT32_MAX);
    spec_walks_to(&walks, &graph, state);
    /* Lit four times, dark in between. */
    EXPECT_EQUAL(walks.step_count, 7);
    EXPECT_EQUAL(walks.steps[6].state, state);
    EXPECT(!spec_find_broken(&graph, "Grows", &state, &move));
    spec_walks_free(&walks);
    spec_graph_free(&graph);
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void a_sample_is_the_same_each_time_and_typed(void)
{
    struct spec_sample first, second;
    struct spec_sample_result one, two;
    make_lamps(3);
    spec_sample_draw(&first, &graph, 3000);
    spec_sample_draw(&second, &graph, 3000);
    EXPECT_EQUAL(first.count, first.all ? first.count : 3000);
    EXPECT(memcmp(first.cells, second.cells,
                  (size_t)first.count * lamps.cell_count * sizeof(int32_t)) == 0);
    uint32_t strange = 0;
    for (uint32_t row = 0; row < first.count; row++) {
        EXPECT(spec_is_typed(&lamps, spec_sample_at(&first, row)));
        strange += spec_states_find(&graph.states, spec_sample_at(&first, row)) == UINT32_MAX;
    }
    EXPECT(strange > first.count / 4); /* off the graph */
    spec_sample_judge(&first, &one);
    spec_sample_judge(&second, &two);
    EXPECT(one.steps > 0 && spec_digest_is(&one.step_digest, &two.step_digest));
    EXPECT(spec_digest_is(&one.claim_digest, &two.claim_digest));
    spec_sample_free(&first);
    spec_sample_free(&second);
    spec_graph_free(&graph);
}

/* ---- A reference ----------------------------------------------------------------------------- */

/* What one model does is taken; then a constant of the instance makes it another one. */
static void another_model_is_told_from_the_reference_at_its_first_difference(void)
{
    static struct spec_subject subject;
    static struct spec_reference reference;
    make_lamps(2);
    subject =
        (struct spec_subject){.graph = true, .steps = true, .instance = lamps, .reachable = graph};
    spec_sample_draw(&subject.sample, &graph, 3000);
    spec_reference_take(&reference, &subject);
    EXPECT_EQUAL(reference.graph_first[graph.states.count], graph.generated - 1);
    EXPECT(spec_reference_has_graph(&reference));
    EXPECT_EQUAL(spec_reference_has_rows(&reference), SPEC_NO_DIFFERENCE);
    reference.subject.instance.k[1] = true; /* other initial states, and other steps */
    EXPECT(!spec_reference_has_graph(&reference));
    EXPECT_EQUAL(spec_reference_has_rows(&reference), SPEC_OTHER_STEP);
    reference.subject.instance.k[1] = false;
    reference.holds[reference.subject.sample.count - 1] ^= 1;
    EXPECT_EQUAL(spec_reference_has_rows(&reference), SPEC_OTHER_CLAIM);
    reference.holds[reference.subject.sample.count - 1] ^= 1;
    reference.pairs[0] ^= 1;
    EXPECT_EQUAL(spec_reference_has_rows(&reference), SPEC_OTHER_CLAIM);
    reference.graph[0].post = reference.graph[1].post;
    EXPECT(!spec_reference_has_graph(&reference));
    spec_reference_free(&reference);
}

/* ---- Configurations -------------------------------------------------------------------------- */

static bool read_config(const char *text)
{
    struct spec_config config;
    char name[] = "/tmp/MC_brownout_test.cfg";
    FILE *file = fopen(name, "wb");
    EXPECT(file != NULL);
    fputs(text, file);
    fclose(file);
    const bool good = spec_config_read(&config, name, error, sizeof error);
    unlink(name);
    return good;
}

static void a_configuration_is_refused_with_its_line_and_a_remedy(void)
{
    EXPECT(read_config("\\* a comment\nCONSTANTS\n A = 1 (* two\nlines *) B = TRUE\n"
                       "SPECIFICATION Spec\nINVARIANTS X Y\nCHECK_DEADLOCK FALSE\n"));
    EXPECT(!read_config("CONSTANTS\n A = {a, b}\nSPECIFICATION Spec\n"));
    EXPECT(says(":2: '{': constants are integers, TRUE or FALSE"));
    EXPECT(!read_config("CONSTANTS A = 1\n"));
    EXPECT(says("SPECIFICATION is missing"));
    EXPECT(!read_config("SPECIFICATION Spec\nSYMMETRY Perms\n"));
    EXPECT(says(":2: 'SYMMETRY': not used here"));
    EXPECT(!read_config("Hello\n"));
    EXPECT(says(":1: 'Hello': a keyword"));
    struct spec_config config = {.path = "here", .name = "MC", .constant_count = 1};
    config.constants[0] = (struct spec_config_constant){"Lamps", false, 4};
    EXPECT(!spec_instance_init(&lamps, &spec_lamps, &config, error, sizeof error));
    EXPECT(says("Lamps is out of bounds; the model takes 1 to 3"));
    config.constants[0].value = 3;
    EXPECT(!spec_instance_init(&lamps, &spec_lamps, &config, error, sizeof error));
    EXPECT(says("the constant Broken is missing"));
    config.constants[0] = (struct spec_config_constant){"Lamp", false, 1};
    EXPECT(!spec_instance_init(&lamps, &spec_lamps, &config, error, sizeof error));
    EXPECT(says("the model has no constant Lamp;"));
}

/* ---- Mutants --------------------------------------------------------------------------------- */

static void every_token_of_a_function_that_can_change_does(void)
{
    static const char text[] = "#include \"x.h\"\nenum { N = 1 };\n/* f < g */\n"
                               "static bool f(const struct state *s, int a)\n{\n"
                               "    return s->lit != 0 && !(a + 1 <= -2);\n}\n";
    static struct spec_mutants mutants;
    char line[256], source[4096];
    make_lamps(2);
    spec_mutants_list(&mutants, &lamps, text);
    EXPECT_EQUAL(mutants.function_count, 1);
    EXPECT_EQUAL(mutants.count, 8); /* != 0 && ! + 1 <= 2; no other field has the shape of lit */
    spec_mutant_print(&mutants, 0, line, sizeof line);
    EXPECT(strcmp(line, "f 1 \"!=\" \"==\"") == 0);
    FILE *file = begin_file();
    spec_mutants_write(&mutants, file);
    EXPECT(fclose(file) == 0);
    file = fopen(path, "rb");
    const size_t length = fread(source, 1, sizeof source - 1, file);
    source[length] = '\0';
    fclose(file);
    unlink(path);
    EXPECT(strstr(source, "static bool f__1(const struct state *s, int a)") != NULL);
    EXPECT(strstr(source, "return s->lit == 0 && !(a + 1 <= -2);") != NULL);
    EXPECT(strstr(source, "case 1: return f__1(s, a);") != NULL);
    spec_graph_free(&graph);
}

/* ---- The tree's own laws --------------------------------------------------------------------- */

static void every_law_of_the_tree_is_as_its_def_says(void)
{
    static struct spec_folder folder;
    for (uint32_t i = 0; i < spec_count(); i++) {
        EXPECT(spec_folder_read(&folder, spec_at(i), ".", error, sizeof error));
        EXPECT_EQUAL(spec_lint(&folder, stderr), 0);
    }
}

static void a_folder_that_is_not_there_is_named(void)
{
    static struct spec_folder folder;
    EXPECT(!spec_folder_read(&folder, &spec_lamps, ".", error, sizeof error));
    EXPECT(says("specs/Lamps/Lamps.tla"));
    EXPECT(says("--source"));
}

/* Of a file that is spoilt, of other constants, of another jar nothing is known. */
static void a_graph_is_known_only_as_it_was_walked(void)
{
    const char *const line = "Lamps graph MC states 7 edges 12 depth 3 digest 0";
    static struct spec_folder folder;
    struct tlc tlc = {.hash = "a jar"}, other = {.hash = "another jar"};
    char known[SPEC_LINE_BYTES], cache[] = "/tmp/brownout-test-XXXXXX", file[128], inside[64];
    CHECK(mkdtemp(cache) != NULL && setenv("XDG_CACHE_HOME", cache, 1) == 0);
    make_lamps(2);
    snprintf(lamps.name, sizeof lamps.name, "MC");
    folder.model = lamps.model;
    snprintf(folder.module, sizeof folder.module, "%s/Lamps.tla", cache);
    FILE *module = fopen(folder.module, "wb");
    CHECK(module != NULL && fputs("lit", module) > 0 && fclose(module) == 0);
    EXPECT(!spec_known_find(&tlc, &folder, &lamps, known));
    spec_known_keep(&tlc, &folder, &lamps, line);
    EXPECT(spec_known_find(&tlc, &folder, &lamps, known) && strcmp(known, line) == 0);
    EXPECT(!spec_known_find(&other, &folder, &lamps, known));
    module = fopen(folder.module, "wb");
    CHECK(module != NULL && fputs("dark", module) > 0 && fclose(module) == 0);
    EXPECT(!spec_known_find(&tlc, &folder, &lamps, known));
    spec_known_keep(&tlc, &folder, &lamps, line);
    EXPECT(spec_known_find(&tlc, &folder, &lamps, known));
    lamps.k[1] = !lamps.k[1];
    EXPECT(!spec_known_find(&tlc, &folder, &lamps, known));
    lamps.k[1] = !lamps.k[1];
    snprintf(inside, sizeof inside, "%s/brownout", cache);
    snprintf(file, sizeof file, "%s/graph-Lamps-MC", inside);
    CHECK(truncate(file, 20) == 0);
    EXPECT(!spec_known_find(&tlc, &folder, &lamps, known));
    CHECK(unlink(file) == 0 && rmdir(inside) == 0 && unlink(folder.module) == 0);
    CHECK(rmdir(cache) == 0 && unsetenv("XDG_CACHE_HOME") == 0);
    spec_graph_free(&graph);
}

int main(void)
{
    RUN(a_graph_is_known_only_as_it_was_walked);
    RUN(values_are_read_as_tlc_writes_them);
    RUN(each_edge_that_is_missing_or_renamed_is_told);
    RUN(walks_take_every_edge_and_no_other);
    RUN(the_shortest_way_to_a_broken_claim_is_found);
    RUN(a_sample_is_the_same_each_time_and_typed);
    RUN(another_model_is_told_from_the_reference_at_its_first_difference);
    RUN(a_configuration_is_refused_with_its_line_and_a_remedy);
    RUN(every_token_of_a_function_that_can_change_does);
    RUN(every_law_of_the_tree_is_as_its_def_says);
    RUN(a_folder_that_is_not_there_is_named);
    return 0;
}
