/* Whole sessions in every wire format, however they are cut. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "unit/target/peer.h"
#include "wire/packed.h"

#include <stdio.h>
#include <string.h>

static const char *expected(const kn_wire_config *wire) {
  if (wire->format == KN_WIRE_2022) return "OK\nOK\nOK\nOK\nOK\nOK 8\nOK\nOK\nOK\nOK 8\n";
  return "IO_SPEC success 2\nMODEL success 3\n"
         "DATA success 5\nPROCESS success 6\nOUTPUT success of 8\n"
         "DATA success 5\nPROCESS success 6\nOUTPUT success of 8\n";
}

static void check(const kt_target *target, const kn_wire_config *wire) {
  static const float output[2] = {1.5F, -2};
  char *text = kt_replies_text(target, wire);
  assert_string_equal(text, expected(wire));
  free(text);
  assert_memory_equal(target->replies.data + target->replies.count - sizeof output, output, sizeof output);
  assert_int_equal(target->engine.steps.count, 2);
  size_t bytes;
  char *model = kt_file_read(target->model, &bytes);
  assert_int_equal(bytes, 150);
  free(model);
}

static void a_session_is_answered_in_every_format(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    kt_bytes bytes = kt_bytes_session(&kt_wires[i], 2);
    static const size_t pieces[] = {SIZE_MAX, 1, 7};
    for (size_t k = 0; k < 3; k++) {
      kt_target target;
      kt_target_open(&target, &kt_wires[i]);
      kt_target_feed(&target, bytes.data, bytes.count, pieces[k]);
      assert_false(target.closed);
      check(&target, &kt_wires[i]);
      kt_target_close(&target);
    }
    kt_bytes_free(&bytes);
  }
}

/* What the connection's owner reads at once makes no difference: the session is given its bytes in two parts. */
static void a_session_may_be_cut_at_every_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    kt_bytes bytes = kt_bytes_session(&kt_wires[i], 2);
    for (size_t cut = 1; cut < bytes.count; cut += cut < 60 || cut + 60 > bytes.count ? 1 : 41) {
      kt_target target;
      kt_target_open(&target, &kt_wires[i]);
      kt_target_feed(&target, bytes.data, cut, SIZE_MAX);
      kt_target_feed(&target, bytes.data + cut, bytes.count - cut, SIZE_MAX);
      check(&target, &kt_wires[i]);
      kt_target_close(&target);
    }
    kt_bytes_free(&bytes);
  }
}

/* The answers of the original's server to the same requests, as recorded. */
static void answers_are_those_that_were_recorded(void **state) {
  (void)state;
  static const uint8_t today[] = {7, 0, 0, 0, 0xc0, 0, 0x79, 0, 1, 0, 0, 0, 2, /* IO_SPEC */
                                  3, 0, 0, 0, 0xc0, 0, 0x79, 0, 1, 0, 0, 0, 3, /* MODEL */
                                  2, 0, 0, 0, 0xc0, 0, 0x79, 0, 1, 0, 0, 0, 5, /* DATA */
                                  4, 0, 0, 0, 0xc0, 0, 0x79, 0, 1, 0, 0, 0, 6, /* PROCESS */
                                  5, 0, 0, 0, 0xc0, 0, 0x79, 0, 8, 0, 0, 0};   /* OUTPUT */
  static const uint8_t early[] = {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 2,  0, 0, 0, 0, 0,
                                  2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0};
  static const struct {
    kn_wire_config wire;
    const uint8_t *bytes;
    size_t count;
  } seen[] = {{{.format = KN_WIRE_12, .frame_limit = 1 << 20}, today, sizeof today},
              {{.format = KN_WIRE_2022, .frame_limit = 1 << 20}, early, sizeof early}};
  for (size_t i = 0; i < 2; i++) {
    kt_bytes bytes = kt_bytes_session(&seen[i].wire, 1);
    kt_target target;
    kt_target_open(&target, &seen[i].wire);
    kt_target_feed(&target, bytes.data, bytes.count, SIZE_MAX);
    assert_int_equal(target.replies.count, seen[i].count + 8);
    assert_memory_equal(target.replies.data, seen[i].bytes, seen[i].count);
    kt_target_close(&target);
    kt_bytes_free(&bytes);
  }
}

static void statistics_hold_every_inference(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    kt_target target;
    kt_target_open(&target, &kt_wires[i]);
    kt_bytes bytes = kt_bytes_session(&kt_wires[i], 3);
    kt_target_feed(&target, bytes.data, bytes.count, SIZE_MAX);
    kt_bytes_free(&target.replies);
    kt_bytes statistics = {0};
    kt_bytes_add_request(&statistics, &kt_wires[i], KN_MESSAGE_STATS, NULL, 0);
    kt_target_feed(&target, statistics.data, statistics.count, SIZE_MAX);
    char *json;
    size_t count;
    kt_assert_ok(kn_target_engine_statistics(&target.engine, &json, &count));
    assert_non_null(strstr(json, "\"target_inference_step\":["));
    assert_int_equal(target.engine.steps.count, 3);
    kn_free(json);
    char *text = kt_replies_text(&target, &kt_wires[i]);
    assert_non_null(strstr(text, kt_wires[i].format == KN_WIRE_2022 ? "OK " : "STATS success of "));
    free(text);
    kt_bytes_free(&statistics);
    kt_bytes_free(&bytes);
    kt_target_close(&target);
  }
}

/* A host without JSON, which knows nothing of the extensions. */
static void a_host_without_json_gets_rows(void **state) {
  (void)state;
  const kn_wire_config *wire = &kt_wires[5];
  kn_iospec spec;
  uint8_t packed[KN_PACKED_IOSPEC];
  kt_assert_ok(kn_iospec_parse(KT_SPEC, strlen(KT_SPEC), "test", &spec));
  kt_assert_ok(kn_packed_iospec_write(&spec, "model", packed));
  kn_iospec_clear(&spec);
  static const float input[4] = {1.5F, -2, 3, 4};
  kt_bytes bytes = {0};
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_IO_SPEC, packed, sizeof packed);
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_MODEL, "model", 5);
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_DATA, input, sizeof input);
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_PROCESS, NULL, 0);
  kt_target target;
  kt_target_open(&target, wire);
  kt_target_feed(&target, bytes.data, bytes.count, SIZE_MAX);
  uint8_t *rows;
  size_t count;
  kt_assert_ok(kn_target_engine_statistics_packed(&target.engine, &rows, &count));
  kn_packed_row row;
  assert_int_equal(kn_packed_statistics_count(count), 5);
  assert_true(kn_packed_statistics_row(rows, count, 0, &row));
  assert_string_equal(row.name, "inferences");
  assert_int_equal(row.value, 1);
  assert_true(kn_packed_statistics_row(rows, count, 1, &row));
  assert_int_equal(row.kind, KN_PACKED_TIME);
  kn_free(rows);
  kt_bytes_free(&bytes);
  kt_bytes_free(&target.replies);
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_STATS, NULL, 0);
  kt_target_feed(&target, bytes.data, bytes.count, SIZE_MAX);
  char *text = kt_replies_text(&target, wire);
  assert_non_null(strstr(text, "STATS success of 52"));
  free(text);
  kt_bytes_free(&bytes);
  kt_target_close(&target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_session_is_answered_in_every_format), cmocka_unit_test(a_session_may_be_cut_at_every_byte),
      cmocka_unit_test(answers_are_those_that_were_recorded),  cmocka_unit_test(statistics_hold_every_inference),
      cmocka_unit_test(a_host_without_json_gets_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
