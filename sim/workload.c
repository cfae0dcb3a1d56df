#include "sim/workload.h"

/* About so long: drift, and steps that take their time. */
static bool is_about(uint64_t us, uint64_t wanted_us)
{
    return us >= wanted_us - wanted_us / 8 && us <= wanted_us + wanted_us / 8;
}

static void see_sample(struct workload_seen *seen, const struct settings *settings,
                       uint64_t period_us, uint64_t time_us, uint64_t *probes)
{
    const uint64_t base_us = settings->number[SETTING_device_sample_every];
    const uint64_t idle_us = settings->number[SETTING_workload_idle];
    const bool bursts = settings->number[SETTING_workload_burst] > 0;
    const uint64_t wait_us = time_us - seen->sampled_us;
    if (seen->sampled_us != 0 && time_us > seen->sampled_us) {
        const bool steady = is_about(wait_us, period_us);
        probes[PROBE_sampled_hot] += steady && period_us <= base_us / 2;
        probes[PROBE_sampled_cold] += steady && period_us / 2 >= base_us;
        probes[PROBE_burst_idled] +=
            bursts && idle_us / 2 > period_us && is_about(wait_us, idle_us);
    }
    seen->sampled_us = time_us;
}

/* A counter that an older epoch had as well: another reading of that number. */
static void see_accepted(struct workload_seen *seen, const struct evidence *evidence,
                         uint64_t *probes)
{
    if (evidence->epoch > seen->epoch) {
        if (seen->epoch != 0) {
            seen->had_epoch = true;
            seen->counter_before =
                seen->counter_max > seen->counter_before ? seen->counter_max : seen->counter_before;
        }
        seen->epoch = evidence->epoch;
        seen->counter_max = 0;
    }
    if (evidence->epoch == seen->epoch) {
        probes[PROBE_counters_again] +=
            seen->had_epoch && evidence->counter <= seen->counter_before;
        seen->counter_max =
            evidence->counter > seen->counter_max ? evidence->counter : seen->counter_max;
    }
}

void workload_evidence(struct workload_seen *seen, const struct settings *settings,
                       uint64_t period_us, uint64_t time_us, const struct evidence *evidence,
                       uint64_t *probes)
{
    if (evidence->kind == EVIDENCE_SIGN) {
        see_sample(seen, settings, period_us, time_us, probes);
    } else if (evidence->kind == EVIDENCE_ACCEPT) {
        see_accepted(seen, evidence, probes);
    } else if (evidence->kind == EVIDENCE_BOOT) {
        seen->sampled_us = 0;
    }
}

/* A connection begins near the end of the ids, so that a small one can only come behind it. */
void workload_packet_id(struct workload_seen *seen, const struct settings *settings,
                        uint16_t packet_id, uint64_t *probes)
{
    const uint64_t first = settings->number[SETTING_workload_packet_id];
    const bool wrapped = first > UINT16_MAX / 2 && packet_id != 0 && packet_id < first;
    probes[PROBE_packet_id_wrapped] += wrapped && !seen->wrapped;
    seen->wrapped = wrapped;
}
