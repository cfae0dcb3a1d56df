#include "sim/spec_drive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/map.h"
#include "sim/random.h"

enum {
    WAY_UNTRIED = -1,
    WAY_REFUSED = -2, /* else: the site that it leads to */
    EDGE_UNTRIED = 0,
    EDGE_DRIVEN = 1,
    EDGE_REFUSED = 2, /* and above: by reasons[edge - EDGE_REFUSED] */
};
_Static_assert(EDGE_REFUSED + DRIVE_REASONS_MAX <= UINT8_MAX, "an edge is a byte");

struct site {
    uint32_t state;
    uint32_t open;           /* ways out that were not tried */
    uint64_t first;          /* of its ways, in walker.results */
    uint32_t mark, from, by; /* of a search: reached in which one, from where, by which way */
};

struct walker {
    const struct driver *driver;
    const struct spec_graph *graph;
    const struct drive_request *request;
    struct drive_report *report;
    FILE *out;
    struct spec_ways ways;
    uint8_t *edges;     /* by way of the graph */
    struct map numbers; /* of sites */
    struct site *sites;
    uint32_t site_count, site_capacity;
    int32_t *results; /* by way of a site */
    uint64_t result_count, result_capacity;
    uint32_t *queue;
    uint32_t search;
    void *rig;
    struct spec_walk_step *trail; /* of the walk under way */
    uint32_t trail_count, trail_capacity;
    uint32_t initial;
    bool diverged;
};

void spec_print_step(const struct spec_instance *instance, const int32_t *pre, const int32_t *post,
                     const struct spec_move *move, FILE *file)
{
    char text[SPEC_MOVE_BYTES];
    spec_print_move(instance, move, text, sizeof text);
    fprintf(file, "  %-22s", text);
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        char name[SPEC_VALUE_BYTES], value[SPEC_VALUE_BYTES];
        if (pre[i] != post[i]) {
            spec_print_cell(instance, i, name, sizeof name);
            spec_print_value(&instance->cells[i].domain, post[i], value, sizeof value);
            fprintf(file, "  %s = %s", name, value);
        }
    }
    fprintf(file, "\n");
}

uint32_t drive_compare(const struct driver *driver, void *rig, const struct spec_instance *instance,
                       const int32_t *expected, const char *indent, FILE *file)
{
    int32_t cells[SPEC_STATE_WORDS_MAX] = {0};
    bool seen[SPEC_STATE_WORDS_MAX] = {false};
    uint32_t count = 0;
    driver->look(rig, cells, seen);
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        char name[SPEC_VALUE_BYTES], spec[SPEC_VALUE_BYTES], core[SPEC_VALUE_BYTES];
        if (!seen[i] || cells[i] == expected[i]) {
            continue;
        }
        count++;
        if (file != NULL) {
            spec_print_cell(instance, i, name, sizeof name);
            spec_print_value(&instance->cells[i].domain, expected[i], spec, sizeof spec);
            spec_print_value(&instance->cells[i].domain, cells[i], core, sizeof core);
            fprintf(file, "%s%s is %s in the spec and %s in the core\n", indent, name, spec, core);
        }
    }
    return count;
}

/* ---- Sites ----------------------------------------------------------------------------------- */

static void *grow(void *memory, uint64_t capacity, size_t bytes)
{
    memory = realloc(memory, (size_t)capacity * bytes);
    CHECK(memory != NULL);
    return memory;
}

static uint32_t way_count(const struct walker *walker, uint32_t state)
{
    return (uint32_t)(walker->ways.begins[state + 1] - walker->ways.begins[state]);
}

static uint32_t add_site(struct walker *walker, uint32_t state)
{
    const uint32_t ways = way_count(walker, state);
    if (walker->site_count == walker->site_capacity) {
        walker->site_capacity = walker->site_capacity == 0 ? 1024 : 2 * walker->site_capacity;
        walker->sites = grow(walker->sites, walker->site_capacity, sizeof *walker->sites);
        walker->queue = grow(walker->queue, walker->site_capacity, sizeof *walker->queue);
    }
    while (walker->result_count + ways > walker->result_capacity) {
        walker->result_capacity = walker->result_capacity == 0 ? 8192 : 2 * walker->result_capacity;
        walker->results = grow(walker->results, walker->result_capacity, sizeof *walker->results);
    }
    for (uint32_t i = 0; i < ways; i++) {
        walker->results[walker->result_count + i] = WAY_UNTRIED;
    }
    walker->sites[walker->site_count] =
        (struct site){.state = state, .open = ways, .first = walker->result_count};
    walker->result_count += ways;
    return walker->site_count++;
}

/* The site of the rig, now in this state. */
static uint32_t find_site(struct walker *walker, uint32_t state)
{
    const uint64_t hidden = walker->driver->key == NULL ? 0 : walker->driver->key(walker->rig);
    const uint64_t key = random_at(hidden ^ random_at(1, state), 0);
    uint32_t site = map_find(&walker->numbers, key);
    if (site == MAP_NONE) {
        site = add_site(walker, state);
        map_put(&walker->numbers, key, site);
    }
    CHECK(walker->sites[site].state == state);
    return site;
}

/* Is there a way out of this site that was not tried, and (`new`) whose edge was not driven? */
static uint32_t open_way(const struct walker *walker, uint32_t number, bool new)
{
    const struct site *site = &walker->sites[number];
    const uint32_t count = way_count(walker, site->state);
    const uint32_t turn =
        count == 0 ? 0 : (uint32_t)(random_at(walker->request->seed, number) % count);
    for (uint32_t i = 0; site->open > 0 && i < count; i++) {
        const uint32_t way = (i + turn) % count;
        if (walker->results[site->first + way] == WAY_UNTRIED &&
            (!new || walker->edges[walker->ways.begins[site->state] + way] != EDGE_DRIVEN)) {
            return way;
        }
    }
    return UINT32_MAX;
}

/* The nearest site with such a way; UINT32_MAX: none is in reach. */
static uint32_t search(struct walker *walker, uint32_t begin, bool new)
{
    uint32_t head = 0, tail = 0;
    walker->search++;
    walker->sites[begin].mark = walker->search;
    walker->queue[tail++] = begin;
    while (head < tail) {
        const uint32_t at = walker->queue[head++];
        if (open_way(walker, at, new) != UINT32_MAX) {
            return at;
        }
        const uint32_t count = way_count(walker, walker->sites[at].state);
        for (uint32_t way = 0; way < count; way++) {
            const int32_t to = walker->results[walker->sites[at].first + way];
            if (to >= 0 && walker->sites[to].mark != walker->search) {
                walker->sites[to].mark = walker->search;
                walker->sites[to].from = at;
                walker->sites[to].by = way;
                walker->queue[tail++] = (uint32_t)to;
            }
        }
    }
    return UINT32_MAX;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void print_trail(const struct walker *walker, uint32_t count)
{
    const struct spec_instance *instance = walker->graph->instance;
    uint32_t at = walker->initial;
    for (uint32_t i = 0; i < count; i++) {
        spec_print_step(instance, spec_states_at(&walker->graph->states, at),
                        spec_states_at(&walker->graph->states, walker->trail[i].state),
                        &instance->moves[walker->trail[i].move], walker->out);
        at = walker->trail[i].state;
    }
}

static void diverge(struct walker *walker, const char *why)
{
    char text[SPEC_MOVE_BYTES] = "Init";
    const struct spec_instance *instance = walker->graph->instance;
    walker->diverged = true;
    if (walker->trail_count > 0) {
        spec_print_move(instance, &instance->moves[walker->trail[walker->trail_count - 1].move],
                        text, sizeof text);
    }
    fprintf(walker->out, "%s, %s: the core leaves the spec at step %" PRIu32 ", %s\n",
            instance->model->name, instance->name, walker->trail_count, text);
    print_trail(walker, walker->trail_count);
    if (walker->driver->tell != NULL) {
        fprintf(walker->out, "  what the core did in the last step:\n");
        walker->driver->tell(walker->rig, "    ", walker->out);
    }
    if (why != NULL) {
        fprintf(walker->out, "  %s\n", why);
    }
}

/* What can be observed is what the spec says. */
static void compare(struct walker *walker, uint32_t state)
{
    const struct spec_instance *instance = walker->graph->instance;
    const int32_t *expected = spec_states_at(&walker->graph->states, state);
    if (drive_compare(walker->driver, walker->rig, instance, expected, NULL, NULL) > 0) {
        diverge(walker, NULL);
        (void)drive_compare(walker->driver, walker->rig, instance, expected, "  ", walker->out);
    }
}

static void add_trail(struct walker *walker, uint32_t move, uint32_t state)
{
    if (walker->trail_count == walker->trail_capacity) {
        walker->trail_capacity = walker->trail_capacity == 0 ? 256 : 2 * walker->trail_capacity;
        walker->trail = grow(walker->trail, walker->trail_capacity, sizeof *walker->trail);
    }
    walker->trail[walker->trail_count++] = (struct spec_walk_step){move, state};
}

static uint8_t reason_of(struct walker *walker, uint32_t state, uint32_t move, const char *why)
{
    struct drive_report *report = walker->report;
    const uint32_t action = walker->graph->instance->moves[move].action;
    uint32_t i = 0;
    while (i < report->reason_count &&
           (report->reasons[i].action != action || strcmp(report->reasons[i].why, why) != 0)) {
        i++;
    }
    CHECK(i < DRIVE_REASONS_MAX);
    if (i == report->reason_count) {
        report->reasons[report->reason_count++] =
            (struct drive_reason){.action = action, .why = why, .state = state, .move = move};
    }
    return (uint8_t)(EDGE_REFUSED + i);
}

/* Take one way out of a site; where the rig is then. */
static uint32_t take(struct walker *walker, uint32_t number, uint32_t way)
{
    const struct spec_instance *instance = walker->graph->instance;
    const uint32_t state = walker->sites[number].state;
    const uint64_t first = walker->sites[number].first;
    const uint64_t edge = walker->ways.begins[state] + way;
    const uint32_t move = walker->ways.moves[edge], target = walker->ways.targets[edge];
    const char *why = NULL;
    if (walker->results[first + way] == WAY_UNTRIED) {
        walker->sites[number].open--;
    }
    const enum drive_outcome outcome =
        walker->driver->act(walker->rig, &instance->moves[move], &why);
    walker->report->steps++;
    if (outcome == DRIVE_UNDRIVEN) {
        CHECK(why != NULL);
        walker->report->strayed |= walker->results[first + way] >= 0;
        walker->results[first + way] = WAY_REFUSED;
        if (walker->edges[edge] == EDGE_UNTRIED) {
            walker->edges[edge] = reason_of(walker, state, move, why);
        }
        return number;
    }
    add_trail(walker, move, target);
    if (outcome == DRIVE_FAILED) {
        diverge(walker, why);
        return number;
    }
    compare(walker, target);
    if (walker->diverged) {
        return number;
    }
    walker->edges[edge] = EDGE_DRIVEN;
    const uint32_t to = find_site(walker, target);
    walker->report->strayed |=
        walker->results[first + way] != WAY_UNTRIED && walker->results[first + way] != (int32_t)to;
    walker->results[first + way] = (int32_t)to;
    return to;
}

static void finish(struct walker *walker)
{
    const char *why = NULL;
    if (!walker->diverged && walker->driver->finish != NULL &&
        walker->driver->finish(walker->rig, &why) != DRIVE_DONE) {
        fprintf(walker->out, "at the end of the walk, what was held back:\n");
        diverge(walker, why);
    }
}

/* Along what the last search found; it may lead elsewhere. */
static uint32_t go(struct walker *walker, uint32_t from, uint32_t to)
{
    uint32_t length = 0, at = from;
    for (uint32_t site = to; site != from; site = walker->sites[site].from) {
        walker->queue[length++] = site;
    }
    for (; length > 0 && !walker->diverged; length--) {
        const uint32_t next = walker->queue[length - 1];
        at = take(walker, at, walker->sites[next].by);
        if (at != next) {
            break;
        }
    }
    return at;
}

/* ---- Walks ----------------------------------------------------------------------------------- */

static bool is_over(const struct walker *walker)
{
    return walker->diverged ||
           (walker->request->sample > 0 && walker->report->steps >= walker->request->sample);
}

/* From an initial site, while there is something new in reach. False: there never was. */
static bool walk(struct walker *walker, uint32_t site, bool new)
{
    uint32_t target = search(walker, site, new);
    if (target == UINT32_MAX) {
        return false;
    }
    while (target != UINT32_MAX && !is_over(walker) &&
           walker->trail_count < walker->request->steps_max) {
        site = go(walker, site, target);
        uint32_t way;
        while (!is_over(walker) && (way = open_way(walker, site, new)) != UINT32_MAX) {
            site = take(walker, site, way);
        }
        target = is_over(walker) ? UINT32_MAX : search(walker, site, new);
    }
    return true;
}

static bool walk_from(struct walker *walker, uint32_t initial, bool new, bool *any, char *error,
                      size_t error_bytes)
{
    walker->rig = walker->driver->begin(walker->graph->instance, error, error_bytes);
    if (walker->rig == NULL) {
        return false;
    }
    walker->trail_count = 0;
    walker->initial = initial;
    compare(walker, initial);
    if (!walker->diverged) {
        *any = walk(walker, find_site(walker, initial), new);
        walker->report->walks += *any ? 1 : 0;
    }
    finish(walker);
    walker->driver->end(walker->rig);
    return true;
}

/* First to every edge, then, if any edge was refused, over every way of every site: another history
 * may show it. */
static bool walk_all(struct walker *walker, char *error, size_t error_bytes)
{
    bool good = true;
    for (int round = 0; good && round < 2; round++) {
        bool any = true;
        while (good && any && !is_over(walker)) {
            good = walk_from(walker, 0, round == 0, &any, error, error_bytes);
        }
    }
    walker->report->whole = good && !is_over(walker);
    return good;
}

static void count_edges(struct walker *walker)
{
    struct drive_report *report = walker->report;
    const uint32_t states = walker->graph->states.count;
    report->edges = walker->ways.begins[states];
    for (uint64_t edge = 0; edge < report->edges; edge++) {
        const uint8_t found = walker->edges[edge];
        if (found == EDGE_UNTRIED) {
            report->beyond++;
        } else if (found == EDGE_DRIVEN) {
            report->driven++;
        } else {
            report->undriven++;
            report->reasons[found - EDGE_REFUSED].edges++;
        }
    }
    report->sites = walker->site_count;
}

enum drive_end spec_drive_cover(const struct driver *driver, const struct spec_graph *graph,
                                const struct drive_request *request, struct drive_report *report,
                                FILE *out, char *error, size_t error_bytes)
{
    struct walker walker = {
        .driver = driver, .graph = graph, .request = request, .report = report, .out = out};
    memset(report, 0, sizeof *report);
    CHECK(graph->initial_count == 1); /* what begin() makes is one state */
    spec_ways_make(&walker.ways, graph);
    walker.edges = calloc((size_t)walker.ways.begins[graph->states.count] + 1, 1);
    CHECK(walker.edges != NULL);
    map_init(&walker.numbers);
    const bool good = walk_all(&walker, error, error_bytes);
    count_edges(&walker);
    map_free(&walker.numbers);
    spec_ways_free(&walker.ways);
    free(walker.edges);
    free(walker.sites);
    free(walker.results);
    free(walker.queue);
    free(walker.trail);
    return !good ? DRIVE_END_REFUSED : walker.diverged ? DRIVE_END_DIVERGED : DRIVE_END_GOOD;
}
