/* What a run on a target measured, on both sides. */
#include "core/record_json.h"
#include "target/remote.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <string.h>

enum {
  STATISTICS_LIMIT = 256 << 20,
  ROWS_LIMIT = 1024 /* of packed statistics: a target without JSON has some dozen */
};

/* Targets without JSON: "allocation_stats" as the original names them, the rest under "target". */
static kn_status unpack_statistics(const uint8_t *bytes, size_t count, kn_record *record) {
  static const char *const names[] = {"target", "allocation_stats", "target"};
  const size_t rows = kn_packed_statistics_count(count);
  kn_record *groups[3] = {NULL};
  if (rows > ROWS_LIMIT)
    return kn_status_make(KN_BAD_DATA, "%zu rows of statistics are more than the %d that make sense", rows, ROWS_LIMIT);
  for (size_t i = 0; i < rows; i++) {
    kn_packed_row row;
    if (!kn_packed_statistics_row(bytes, count, i, &row)) continue;
    kn_record **group = &groups[row.kind];
    if (!*group) KN_TRY(kn_record_object(record, names[row.kind], group));
    if (row.kind == KN_PACKED_TIME)
      KN_TRY(kn_record_set_number(*group, row.name, (double)row.value / 1e9));
    else
      KN_TRY(kn_record_set_int(*group, row.name, row.value > INT64_MAX ? INT64_MAX : (int64_t)row.value));
  }
  return NULL;
}

static kn_status read_statistics(kn_remote *remote, const char *text, size_t bytes) {
  if (bytes && text[0] == '{') return kn_record_parse(text, bytes, &remote->statistics);
  if (bytes && !kn_packed_statistics_count(bytes))
    return kn_status_make(KN_BAD_DATA, "%zu bytes of statistics are neither JSON nor of a known layout", bytes);
  KN_TRY(kn_record_create(&remote->statistics));
  return unpack_statistics((const uint8_t *)text, bytes, remote->statistics);
}

kn_status kn_remote_ask_statistics(kn_remote *remote) {
  if (remote->statistics) return NULL;
  char *text;
  size_t bytes;
  KN_TRY(kn_client_statistics(&remote->client, STATISTICS_LIMIT, &text, &bytes));
  kn_status status = read_statistics(remote, text, bytes);
  kn_free(text);
  return kn_status_annotate(status, "while reading what the target measured");
}

/* A list of finite numbers, each a list of them where `nested`. */
static bool is_numbers(yyjson_mut_val *list, bool nested) {
  if (!yyjson_mut_is_arr(list)) return false;
  size_t i, count;
  yyjson_mut_val *item;
  yyjson_mut_arr_foreach(list, i, count, item) {
    if (nested ? !is_numbers(item, false) : !yyjson_mut_is_num(item)) return false;
  }
  return true;
}

/* An object of numbers. */
static bool is_amounts(yyjson_mut_val *object) {
  if (!yyjson_mut_is_obj(object)) return false;
  size_t i, count;
  yyjson_mut_val *key, *value;
  yyjson_mut_obj_foreach(object, i, count, key, value) {
    if (!yyjson_mut_is_num(value)) return false;
  }
  return true;
}

/* Lists of numbers, each of `count`, under names. */
static bool is_series(yyjson_mut_val *object, size_t count) {
  if (!yyjson_mut_is_obj(object)) return false;
  size_t i, members;
  yyjson_mut_val *key, *value;
  yyjson_mut_obj_foreach(object, i, members, key, value) {
    if (!is_numbers(value, false) || yyjson_mut_arr_size(value) != count) return false;
  }
  return true;
}

static kn_status copy_value(kn_record *record, const char *key, yyjson_mut_val *value) {
  yyjson_mut_val *copy = yyjson_mut_val_mut_copy(kn_record_document(record), value);
  return copy ? kn_record_set_value(record, key, copy) : kn_status_out_of_memory();
}

/* Lists that belong together have equal lengths; others are left out, as what is no list of numbers. */
static kn_status take_group(kn_record *record, yyjson_mut_val *from, const char *const *keys, size_t count,
                            const char *nested) {
  yyjson_mut_val *first = yyjson_mut_obj_get(from, keys[0]);
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    yyjson_mut_val *list = yyjson_mut_obj_get(from, keys[i]);
    whole = whole && is_numbers(list, nested && !strcmp(keys[i], nested)) &&
            yyjson_mut_arr_size(list) == yyjson_mut_arr_size(first);
  }
  if (!whole && first) kn_log(KN_LOG_WARNING, "what the target says about '%s' is not taken: it is malformed", keys[0]);
  for (size_t i = 0; whole && i < count; i++) KN_TRY(copy_value(record, keys[i], yyjson_mut_obj_get(from, keys[i])));
  return NULL;
}

/* ---- what this machine knows by itself, of targets that speak the extensions ---- */

static kn_status put_offset(kn_record *record, const kn_clock_offset *offset) {
  kn_record *entry;
  KN_TRY(kn_record_append_object(record, "offsets", &entry));
  KN_TRY(kn_record_set_number(entry, "target_seconds", (double)offset->target_ns / 1e9));
  KN_TRY(kn_record_set_number(entry, "offset_seconds", (double)offset->offset_ns / 1e9));
  return kn_record_set_number(entry, "error_seconds", (double)offset->error_ns / 1e9);
}

static kn_status put_clock(const kn_remote *remote, kn_record *record) {
  kn_record *clock;
  if (!remote->clock.count) return NULL;
  KN_TRY(kn_record_object(record, "target_clock", &clock));
  KN_TRY(kn_record_set_int(clock, "rounds", KN_CLOCK_ROUNDS));
  for (size_t i = 0; i < remote->clock.count; i++) KN_TRY(put_offset(clock, &remote->clock.offsets[i]));
  return NULL;
}

/* The three lists stand beside each other: durations, ends on the target's clock, ends on this machine's. */
static kn_status put_steps(const kn_remote *remote, kn_record *record) {
  size_t count = remote->moments.count;
  double *values = kn_alloc_array(count, sizeof *values);
  if (!values) return kn_status_out_of_memory();
  const kn_infer_times *items = remote->moments.items;
  for (size_t i = 0; i < count; i++) values[i] = (double)(items[i].end - items[i].start) / 1e9;
  kn_status status = kn_record_set_numbers(record, "target_inference_step", values, count);
  for (size_t i = 0; i < count; i++) values[i] = (double)items[i].end / 1e9;
  if (!status) status = kn_record_set_numbers(record, "target_inference_step_timestamp", values, count);
  for (size_t i = 0; i < count; i++) values[i] = (double)kn_clock_here(&remote->clock, items[i].end) / 1e9;
  if (!status) status = kn_record_set_numbers(record, "target_inference_step_timestamp_on_host", values, count);
  kn_free(values);
  return status;
}

static bool knows_moments(const kn_remote *remote, size_t inferences) {
  return remote->clock.count && remote->moments.count == inferences;
}

static kn_status put_own(kn_remote *remote, size_t inferences, kn_record *record) {
  if (remote->client.extended && remote->client.connection.fd >= 0) { /* a broken one has its first offset at least */
    kn_status status = kn_clock_ask(&remote->client, &remote->clock);
    if (status)
      kn_log(kn_cancelled() ? KN_LOG_DEBUG : KN_LOG_WARNING, "the target's clock is known from the beginning alone: %s",
             kn_status_message(status, 0));
    kn_status_free(status);
  }
  KN_TRY(put_clock(remote, record));
  return knows_moments(remote, inferences) ? put_steps(remote, record) : NULL;
}

/* ---- all of it ---- */

/* From the target's statistics, of one that does not tell with each inference. */
static kn_status take_steps(kn_remote *remote, size_t inferences, yyjson_mut_val *root, kn_record *record) {
  static const char *const steps[] = {"target_inference_step", "target_inference_step_timestamp"};
  yyjson_mut_val *list = yyjson_mut_obj_get(root, steps[0]);
  if (knows_moments(remote, inferences)) return NULL;
  if (!list || yyjson_mut_arr_size(list) == inferences) return take_group(record, root, steps, 2, NULL);
  kn_log(KN_LOG_WARNING, "the target measured %zu inferences of %zu: its times are not taken",
         yyjson_mut_arr_size(list), inferences);
  return NULL;
}

kn_status kn_remote_measurements(kn_remote *remote, size_t inferences, kn_record *record) {
  static const char *const session[] = {"session_utilization_cpus_percent", "session_utilization_mem_percent",
                                        "session_utilization_timestamp"};
  static const char *const process[] = {"process_rss_bytes", "process_cpu_percent", "process_timestamp"};
  KN_TRY(put_own(remote, inferences, record));
  KN_TRY(kn_remote_ask_statistics(remote));
  yyjson_mut_val *root = kn_record_value(remote->statistics);
  KN_TRY(take_steps(remote, inferences, root, record));
  KN_TRY(take_group(record, root, session, 3, session[0]));
  KN_TRY(take_group(record, root, process, 3, NULL));
  static const char *const sensors[] = {"session_utilization_temperature_celsius", "session_utilization_frequency_hz"};
  size_t samples = yyjson_mut_arr_size(yyjson_mut_obj_get(root, session[2]));
  for (size_t i = 0; i < 2; i++) {
    yyjson_mut_val *values = yyjson_mut_obj_get(root, sensors[i]);
    if (is_series(values, samples)) KN_TRY(copy_value(record, sensors[i], values));
  }
  yyjson_mut_val *allocation = yyjson_mut_obj_get(root, "allocation_stats");
  if (is_amounts(allocation)) KN_TRY(copy_value(record, "allocation_stats", allocation));
  yyjson_mut_val *peak = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "target"), "peak_rss_bytes");
  if (!yyjson_mut_is_uint(peak) && !yyjson_mut_is_sint(peak)) return NULL;
  return kn_record_set_int(record, "process_peak_rss_bytes", yyjson_mut_get_sint(peak));
}

/* ---- where the time went ---- */

typedef struct kn_wire_sums {
  double input, exchange, output, target; /* seconds */
} kn_wire_sums;

/* In three messages each is an exchange of its own. In one the target says when it had the inputs and when it had the
 * outputs, on its clock. */
static kn_wire_sums sum_up(const kn_remote *remote, const kn_inference_times *times, size_t first, size_t count,
                           yyjson_mut_val *steps) {
  bool moments = knows_moments(remote, count);
  kn_wire_sums sums = {0};
  yyjson_mut_arr_iter each = yyjson_mut_arr_iter_with(steps); /* of none where there are no steps */
  for (size_t i = 0; i < first; i++) (void)yyjson_mut_arr_iter_next(&each);
  for (size_t i = first; i < count; i++) {
    const kn_inference_times *t = &times[i];
    int64_t there = moments ? kn_clock_here(&remote->clock, remote->moments.items[i].whole) : t->run_start;
    int64_t back = moments ? kn_clock_here(&remote->clock, remote->moments.items[i].ready) : t->run_end;
    sums.input += (double)(there - t->input_start) / 1e9;
    sums.exchange += (double)(back - there) / 1e9;
    sums.output += (double)(t->output_end - back) / 1e9;
    sums.target += yyjson_mut_get_num(yyjson_mut_arr_iter_next(&each));
  }
  return sums;
}

/* How long the target took for the model when it had it, as far as it says. */
static kn_status put_model_times(const kn_remote *remote, kn_record *wire) {
  static const char *const keys[] = {"model_hash_seconds", "model_store_seconds", "model_load_seconds"};
  if (!remote->statistics) return NULL;
  yyjson_mut_val *target = yyjson_mut_obj_get(kn_record_value(remote->statistics), "target");
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    yyjson_mut_val *seconds = yyjson_mut_obj_get(target, keys[i]);
    if (yyjson_mut_is_num(seconds)) KN_TRY(kn_record_set_number(wire, keys[i], yyjson_mut_get_num(seconds)));
  }
  return NULL;
}

kn_status kn_remote_wire(const kn_remote *remote, const kn_inference_times *times, size_t first, size_t count,
                         kn_record *record) {
  yyjson_mut_val *steps = yyjson_mut_obj_get(kn_record_value(record), "target_inference_step");
  if (yyjson_mut_arr_size(steps) != count) steps = NULL;
  kn_wire_sums sums = sum_up(remote, times, first, count, steps);
  double all = sums.input + sums.exchange + sums.output;
  kn_record *wire;
  KN_TRY(kn_record_object(record, "wire", &wire));
  KN_TRY(kn_record_set_string(wire, "protocol", remote->protocol->cls->name));
  KN_TRY(kn_record_set_bool(wire, "one_message", knows_moments(remote, count)));
  KN_TRY(kn_record_set_number(wire, "input_transfer_seconds", sums.input));
  KN_TRY(kn_record_set_number(wire, "inference_exchange_seconds", sums.exchange));
  KN_TRY(kn_record_set_number(wire, "output_transfer_seconds", sums.output));
  KN_TRY(kn_record_set_number(wire, "model_seconds", remote->model_seconds));
  KN_TRY(kn_record_set_bool(wire, "model_sent", remote->model_sent));
  KN_TRY(put_model_times(remote, wire));
  if (remote->reconnects) KN_TRY(kn_record_set_int(wire, "reconnects", (int64_t)remote->reconnects));
  if (!steps) return NULL;
  KN_TRY(kn_record_set_number(wire, "target_inference_seconds", sums.target));
  return all > 0 ? kn_record_set_number(wire, "share", (all - sums.target) / all) : NULL;
}
