/* Bytes that no honest client sends. The session answers with a fixed word or hangs up, and goes on with what is right
 * where that can be told apart. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "unit/target/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const kn_wire_config today = {.format = KN_WIRE_12, .frame_limit = 1 << 20};
static const kn_wire_config checked = {.format = KN_WIRE_12, .frame_limit = 1 << 20, .checksums = true};
static const kn_wire_config early = {.format = KN_WIRE_2022, .frame_limit = 1 << 20};

typedef struct hostile {
  const char *name;
  const kn_wire_config *wire;
  bool loaded; /* after a whole session */
  size_t count;
  const char *bytes;
  const char *answer;
  bool closes;
} hostile;

#define HEX(text) sizeof(text) - 1, text

static const hostile cases[] = {
    /* 2022 */
    {"size 0", &early, false, HEX("\0\0\0\0\0\0"), "ERROR\n", true},
    {"size below the type", &early, false, HEX("\1\0\0\0\2\0"), "ERROR\n", true},
    {"size 0xFFFFFFFF", &early, true, HEX("\xff\xff\xff\xff\2\0"), "ERROR\n", true},
    {"unknown type", &early, false, HEX("\2\0\0\0\x9\0"), "ERROR\n", false},
    {"unknown type with payload", &early, false, HEX("\5\0\0\0\x63\0abc"), "ERROR\n", false},
    {"OK from a client", &early, false, HEX("\2\0\0\0\0\0"), "ERROR\n", false},
    {"output before a model", &early, false, HEX("\2\0\0\0\5\0"), "ERROR\n", false},
    {"process before a model", &early, false, HEX("\2\0\0\0\4\0"), "ERROR\n", false},
    {"data before a model", &early, false,
     HEX("\6\0\0\0\2\0"
         "1234"),
     "ERROR\n", false},
    {"bad io specification", &early, false, HEX("\xa\0\0\0\7\0nonsense"), "ERROR\n", false},
    {"empty io specification", &early, false, HEX("\2\0\0\0\7\0"), "ERROR\n", false},
    {"two messages in one packet", &early, true, HEX("\2\0\0\0\5\0\2\0\0\0\5\0"), "OK 8\nOK 8\n", false},
    {"data too short", &early, true,
     HEX("\6\0\0\0\2\0"
         "1234"),
     "ERROR\n", false},
    {"data too long", &early, true,
     HEX("\x22\0\0\0\2\0"
         "12345678901234567890123456789012"),
     "ERROR\n", true},
    {"model too large", &early, false, HEX("\0\1\1\0\3\0"), "ERROR\n", true},
    {"empty model", &early, true, HEX("\2\0\0\0\3\0"), "ERROR\n", false},
    /* today */
    {"unknown type", &today, false, HEX("\x63\0\0\0\0\0\x30\0\0\0\0\0"), "LOGS [ERROR] unknown type\n? fail 12\n",
     false},
    {"a runtime", &today, false, HEX("\xb\0\0\0\0\0\x38\0\5\0\0\0\1\0\0\0x"),
     "LOGS [ERROR] not supported\nRUNTIME fail 11\n", false},
    {"an unoptimized model", &today, false, HEX("\xc\0\0\0\0\0\x38\0\5\0\0\0/etc/"),
     "LOGS [ERROR] not supported\nUNOPTIMIZED_MODEL fail 4\n", false},
    {"classes by name", &today, false, HEX("\x9\0\0\0\0\0\x38\0\2\0\0\0{}"),
     "LOGS [ERROR] not supported\nOPTIMIZERS fail 10\n", false},
    {"an acknowledgement alone", &today, false, HEX("\2\0\0\0\x80\0\x31\0\0\0\0\0"), "", false},
    {"a transmission", &today, false, HEX("\2\0\0\0\xc0\0\x39\0\1\0\0\0x"), "", false},
    {"process before a model", &today, false, HEX("\4\0\0\0\0\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] wrong state\nPROCESS fail 6\n", false},
    {"output before process", &today, false, HEX("\5\0\0\0\0\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] wrong state\nOUTPUT fail 7\n", false},
    {"data before a model", &today, false,
     HEX("\2\0\0\0\0\0\x38\0\4\0\0\0"
         "1234"),
     "LOGS [ERROR] wrong state\nDATA fail 5\n", false},
    {"payload size 0xFFFFFFFF", &today, false, HEX("\7\0\0\0\0\0\x38\0\xff\xff\xff\xff"),
     "LOGS [ERROR] too large\nIO_SPEC fail 2\n", true},
    {"a size that the flags deny", &today, false, HEX("\6\0\0\0\0\0\x30\0\xff\xff\xff\xff"), "STATS success of ",
     false},
    {"oversize in the second piece", &today, true,
     HEX("\2\0\0\0\0\0\x18\0\4\0\0\0"
         "1234"
         "\2\0\0\0\0\0\x28\0\x10\0\0\0"),
     "LOGS [ERROR] too large\nDATA fail 5\n", true},
    {"a piece without a beginning", &today, false, HEX("\2\0\0\0\0\0\x28\0\4\0\0\0"),
     "LOGS [ERROR] bad fragment\nDATA fail 5\n", true},
    {"a piece without anything, and more to come", &today, false, HEX("\7\0\0\0\0\0\x10\0\0\0\0\0"),
     "LOGS [ERROR] bad fragment\nIO_SPEC fail 2\n", true},
    {"such a piece amid a message", &today, true,
     HEX("\2\0\0\0\0\0\x18\0\4\0\0\0"
         "1234"
         "\2\0\0\0\0\0\0\0\0\0\0\0"),
     "LOGS [ERROR] bad fragment\nDATA fail 5\n", true},
    {"a beginning amid a message", &today, true,
     HEX("\2\0\0\0\0\0\x18\0\4\0\0\0"
         "1234"
         "\2\0\0\0\0\0\x18\0\4\0\0\0"),
     "LOGS [ERROR] bad fragment\nDATA fail 5\n", true},
    {"another type amid a message", &today, true,
     HEX("\2\0\0\0\0\0\x18\0\4\0\0\0"
         "1234"
         "\3\0\0\0\0\0\x28\0\4\0\0\0"),
     "LOGS [ERROR] bad fragment\nDATA fail 5\n", true},
    {"how it is", &today, false, HEX("\1\0\0\0\0\0\x30\0\0\0\0\0"), "STATUS success 1\n", false},
    {"how it is after an inference", &today, true, HEX("\1\0\0\0\0\0\x30\0\0\0\0\0"), "STATUS success 6\n", false},
    {"STATUS in the format of 2022 is an answer", &early, true, HEX("\2\0\0\0\1\0"), "ERROR\n", false},
    {"trace data", &today, false, HEX("\x8\0\0\0\0\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] not supported\nTRACE_DATA fail 12\n", false},
    {"nothing to be said again", &today, false, HEX("\5\0\0\0\x40\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] wrong state\nOUTPUT fail 7\n", false},
    {"something else was said", &today, true, HEX("\6\0\0\0\x40\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] wrong state\nSTATS fail 8\n", false},
    {"the output again", &today, true, HEX("\5\0\0\0\x40\0\x30\0\0\0\0\0"), "OUTPUT success of 8\n", false},
    {"the output again and again", &today, true, HEX("\5\0\0\0\x40\0\x30\0\0\0\0\0\5\0\0\0\x40\0\x30\0\0\0\0\0"),
     "OUTPUT success of 8\nOUTPUT success of 8\n", false},
    {"an extension unasked", &today, true, HEX("\x31\0\0\0\0\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] unknown type\nCLOCK fail 12\n", false},
    {"goodbye", &today, true, HEX("\0\0\0\0\0\0\x32\0\0\0\0\0"), "PING success 12\n", true},
    {"checksum missing", &checked, false, HEX("\6\0\0\0\0\0\x30\0\0\0\0\0"),
     "LOGS [ERROR] bad checksum\nSTATS fail 8\n", false},
    {"checksum right", &checked, false, HEX("\6\0\0\0\0\x7d\x30\0\0\0\0\0"), "STATS success of ", false},
};

static void every_case_is_answered(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t piece = 1; piece < 4; piece += 2) {
      const hostile *c = &cases[i];
      kt_target target;
      kt_target_open(&target, c->wire);
      if (c->loaded) {
        kt_bytes session = kt_bytes_session(c->wire, 1);
        kt_target_feed(&target, session.data, session.count, SIZE_MAX);
        kt_bytes_free(&session);
        kt_bytes_free(&target.replies);
      }
      kt_target_feed(&target, (const uint8_t *)c->bytes, c->count, piece);
      char *text = kt_replies_text(&target, c->wire);
      size_t length = strlen(c->answer);
      bool open_end = length && c->answer[length - 1] != '\n';
      if (open_end ? strncmp(text, c->answer, length) : strcmp(text, c->answer))
        kt_fail("%s: answered with '%s', not '%s'", c->name, text, c->answer);
      if (target.closed != c->closes) kt_fail("%s: %s", c->name, c->closes ? "not closed" : "closed");
      free(text);
      if (!target.closed) { /* life goes on */
        kt_bytes session = kt_bytes_session(c->wire, 1);
        kt_bytes_free(&target.replies);
        kt_target_feed(&target, session.data, session.count, SIZE_MAX);
        static const float output[2] = {1.5F, -2};
        assert_memory_equal(target.replies.data + target.replies.count - sizeof output, output, sizeof output);
        kt_bytes_free(&session);
      }
      kt_target_close(&target);
    }
  }
}

/* A connection that ends anywhere amid an upload leaves the model that was there, and no other file. */
static void an_upload_that_ends_early_leaves_the_old_model(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    kt_target first;
    kt_target_open(&first, &kt_wires[i]);
    kt_file_write_text(first.model, "old");
    kt_bytes bytes = {0};
    char model[200] = {0};
    kt_bytes_add_request(&bytes, &kt_wires[i], KN_MESSAGE_MODEL, model, sizeof model);
    for (size_t cut = 1; cut < bytes.count; cut++) {
      kt_target target;
      kt_target_open(&target, &kt_wires[i]);
      kt_file_write_text(target.model, "old");
      kt_target_feed(&target, bytes.data, cut, SIZE_MAX);
      kn_target_session_destroy(target.session);
      target.session = NULL;
      char *left = kt_file_read(target.model, NULL), *temporary = kt_path(target.directory, "model.bin.upload");
      assert_string_equal(left, "old");
      struct stat found;
      assert_int_not_equal(stat(temporary, &found), 0);
      free(left);
      free(temporary);
      kt_target_close(&target);
    }
    kt_bytes_free(&bytes);
    kt_target_close(&first);
  }
}

/* One flipped byte anywhere in a checked session never goes unnoticed and never ends the session's life wrongly. */
static void a_flipped_byte_is_noticed(void **state) {
  (void)state;
  kt_bytes bytes = {0};
  kt_bytes_add_request(&bytes, &checked, KN_MESSAGE_IO_SPEC, KT_SPEC, strlen(KT_SPEC));
  for (size_t at = 12; at < bytes.count; at++) {
    kt_target target;
    kt_target_open(&target, &checked);
    bytes.data[at] ^= 0x20;
    kt_target_feed(&target, bytes.data, bytes.count, SIZE_MAX);
    bytes.data[at] ^= 0x20;
    char *text = kt_replies_text(&target, &checked);
    assert_string_equal(text, "LOGS [ERROR] bad checksum\nIO_SPEC fail 2\n");
    assert_false(target.engine.has_spec);
    free(text);
    kt_target_close(&target);
  }
  kt_bytes_free(&bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_case_is_answered),
      cmocka_unit_test(an_upload_that_ends_early_leaves_the_old_model),
      cmocka_unit_test(a_flipped_byte_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
