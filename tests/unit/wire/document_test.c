/* docs/protocol.md against the tables and the codecs: numbers, names, sizes and places in it are those of the code, and
 * there are no others. */
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/session.h"
#include "wire/extension.h"
#include "wire/frame.h"
#include "wire/packed.h"

#include <ctype.h>
#include <kenning/status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 8, CELL_BYTES = 160 };

static char *page;

/* ---- tables of the page ---- */

typedef struct row {
  char cells[CELLS][CELL_BYTES];
  size_t count;
} row;

/* The row in the line at `text`, blanks around its cells taken away. False for what is none. */
static bool read_row(const char *text, row *out) {
  *out = (row){0};
  if (*text != '|') return false;
  for (const char *at = text + 1, *end; out->count < CELLS && *at != '\n' && *at; at = end + 1) {
    end = at + strcspn(at, "|\n");
    if (*end != '|') break;
    while (*at == ' ') at++;
    size_t length = at < end ? (size_t)(end - at) : 0;
    while (length && at[length - 1] == ' ') length--;
    if (length >= CELL_BYTES) length = CELL_BYTES - 1;
    memcpy(out->cells[out->count++], at, length);
  }
  return true;
}

static const char *next_line(const char *text) {
  const char *end = strchr(text, '\n');
  return end ? end + 1 : text + strlen(text);
}

/* The first row of values of the table whose head is `head`. */
static const char *table(const char *head) {
  const char *at = strstr(page, head);
  if (!at) kt_fail("docs/protocol.md has no table '%s'", head);
  return next_line(next_line(at));
}

/* ---- messages ---- */

typedef struct message {
  const char *name;
  uint64_t number;
  kn_direction direction;
  unsigned action;
} message;

static const message originals[] = {
#define MESSAGE(name, number, direction, action) {#name, number, direction, action},
    KN_MESSAGES(MESSAGE)};
static const message extensions[] = {KN_EXTENSIONS(MESSAGE)};
#undef MESSAGE

static void expect_number(const char *what, const char *cell, uint64_t number) {
  char *end;
  if (strtoull(cell, &end, 10) != number || end == cell || *end)
    kt_fail("%s: the page says '%s', the code %llu", what, cell, (unsigned long long)number);
}

static void messages_are_those_of_the_table(void **state) {
  (void)state;
  const char *at = table("| number | name | carries |");
  row r;
  for (size_t i = 0; i < sizeof originals / sizeof *originals; i++, at = next_line(at)) {
    const message *m = &originals[i];
    if (!read_row(at, &r) || strcmp(r.cells[1], m->name) != 0) kt_fail("%s: the page has '%s'", m->name, r.cells[1]);
    expect_number(m->name, r.cells[0], m->number);
    expect_number(m->name, r.cells[3], m->action);
    const char *carries = r.cells[2];
    bool refused = !strcmp(carries, "refused"), right = m->direction == KN_NOTICE || refused;
    if (m->direction == KN_UPLOAD) right |= !strncmp(carries, "request: ", 9);
    if (m->direction == KN_DOWNLOAD) right |= !strncmp(carries, "answer: ", 8);
    if (m->direction == KN_COMMAND) right |= !*carries;
    if (!right) kt_fail("%s: '%s'", m->name, carries);
  }
  assert_false(read_row(at, &r)); /* no more than those */
  at = table("| number | name | request |");
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++, at = next_line(at)) {
    const message *m = &extensions[i];
    if (!read_row(at, &r) || strcmp(r.cells[1], m->name) != 0) kt_fail("%s: the page has '%s'", m->name, r.cells[1]);
    expect_number(m->name, r.cells[0], m->number);
    expect_number(m->name, r.cells[4], m->action);
    if (m->direction == KN_UPLOAD) assert_true(*r.cells[2]);
    if (m->direction != KN_UPLOAD) assert_true(*r.cells[3]);
  }
  assert_false(read_row(at, &r));
}

/* ---- headers ---- */

static void sizes_of_headers(void **state) {
  (void)state;
  static const struct {
    const char *wire;
    kn_wire_format format;
  } formats[] = {{"`2022`", KN_WIRE_2022}, {"`8-byte`", KN_WIRE_8}, {"`12-byte`", KN_WIRE_12}};
  const char *at = table("| `wire` | header |");
  row r;
  for (size_t i = 0; i < 3; i++, at = next_line(at)) {
    char text[16];
    assert_true(read_row(at, &r));
    assert_string_equal(r.cells[0], formats[i].wire);
    snprintf(text, sizeof text, "%zu bytes", kn_frame_header_size(formats[i].format));
    assert_string_equal(r.cells[1], text);
  }
  assert_false(read_row(at, &r));
}

/* Where the field that begins with `name` lies in a drawing: the line with it is drawn below a line that numbers the
 * bytes, of which each number stands above the begin of its byte. */
static void field_of(const char *drawing, const char *name, size_t *out_begin, size_t *out_end) {
  const char *numbers = strstr(drawing, "\n 0 ");
  assert_non_null(numbers++);
  const char *fields = next_line(next_line(numbers)), *field = strstr(fields, name);
  if (!field || field > next_line(fields)) kt_fail("'%s' is not drawn", name);
  size_t begin = (size_t)(field - fields), end = begin + strcspn(field, "|");
  while (fields[begin - 1] != '|') begin--;
  size_t places[16], count = 0;
  for (const char *c = numbers; *c != '\n' && count < 16;) {
    if (isdigit((unsigned char)*c)) {
      places[count++] = (size_t)(c - numbers);
      while (isdigit((unsigned char)*c)) c++;
    } else {
      c++;
    }
  }
  *out_begin = *out_end = 0;
  for (size_t i = 0; i < count; i++) {
    *out_begin += places[i] < begin;
    *out_end += places[i] < end;
  }
}

/* A field is where the codec puts it: those bytes of the header depend on it, and no others. */
static void expect_field(const char *title, const char *name, kn_wire_format format, kn_frame frame) {
  const kn_frame none = {.payload = format == KN_WIRE_2022 ? UINT32_MAX - 1 : 0}; /* there with the two of the type */
  uint8_t with[KN_FRAME_HEADER_MAXIMUM] = {0}, without[KN_FRAME_HEADER_MAXIMUM] = {0};
  const char *drawing = strstr(page, title);
  size_t begin, end;
  if (!drawing) kt_fail("there is no drawing '%s'", title);
  field_of(drawing, name, &begin, &end);
  if (format == KN_WIRE_2022 && !frame.payload) frame.payload = none.payload;
  kn_frame_encode(format, false, &frame, with);
  kn_frame_encode(format, false, &none, without);
  for (size_t i = 0; i < kn_frame_header_size(format); i++)
    if ((with[i] != without[i]) != (i >= begin && i < end))
      kt_fail("'%s' of '%s' is drawn at bytes %zu to %zu: byte %zu is different", name, title, begin, end, i);
}

static void drawings_of_headers(void **state) {
  (void)state;
  const kn_frame type = {.type = UINT64_MAX, .flow = 3}, sum = {.checksum = 0xFF}, flags = {.flags = 0xFFFF},
                 payload = {.payload = UINT32_MAX};
  expect_field("\n12-byte header", "type", KN_WIRE_12, type);
  expect_field("\n12-byte header", "sum", KN_WIRE_12, sum);
  expect_field("\n12-byte header", "flags", KN_WIRE_12, flags);
  expect_field("\n12-byte header", "bytes of payload", KN_WIRE_12, payload);
  expect_field("\n8-byte header", "type", KN_WIRE_8, type);
  expect_field("\n8-byte header", "sum", KN_WIRE_8, sum);
  expect_field("\n8-byte header", "flags", KN_WIRE_8, flags);
  expect_field("\n8-byte header", "bytes of payload", KN_WIRE_8, payload);
  expect_field("\n## 2022", "type      ", KN_WIRE_2022, (kn_frame){.type = 0xFFFF});
  expect_field("\n## 2022", "bytes that follow", KN_WIRE_2022, (kn_frame){.payload = UINT32_MAX - 2});
}

static void bits_of_flags(void **state) {
  (void)state;
  static const struct {
    unsigned flag;
    const char *bits, *names;
  } rows[] = {{KN_FLAG_SUCCESS, "0", "SUCCESS"},
              {KN_FLAG_FAIL, "1", "FAIL"},
              {KN_FLAG_HOST, "2", "IS_HOST_MESSAGE"},
              {KN_FLAG_PAYLOAD, "3", "HAS_PAYLOAD"},
              {KN_FLAG_FIRST | KN_FLAG_LAST, "4, 5", "FIRST, LAST"},
              {KN_FLAG_KENNING | KN_FLAG_ZEPHYR, "6, 7", "IS_KENNING, IS_ZEPHYR"},
              {KN_FLAG_SERIALIZED, "12", "SERIALIZED"}};
  const char *at = table("| bit of flags | name |");
  row r;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, at = next_line(at)) {
    assert_true(read_row(at, &r));
    assert_string_equal(r.cells[0], rows[i].bits);
    assert_string_equal(r.cells[1], rows[i].names);
    unsigned flags = 0;
    for (char *bit = r.cells[0]; *bit;) {
      flags |= 1U << strtoul(bit, &bit, 10);
      bit += strspn(bit, ", ");
    }
    assert_int_equal(flags, rows[i].flag);
  }
  assert_false(read_row(at, &r));
  assert_true(KN_FLAG_FIRST < KN_FLAG_LAST && KN_FLAG_KENNING < KN_FLAG_ZEPHYR);
}

/* Frames that the page shows, byte by byte. */
static void frames_that_are_shown(void **state) {
  (void)state;
  enum { ASKED = KN_FLAG_PAYLOAD | KN_FLAG_FIRST | KN_FLAG_LAST, DONE = ASKED | KN_FLAG_SUCCESS | KN_FLAG_KENNING };
  static const struct {
    const char *bytes;
    kn_wire_format format;
    kn_frame frame;
  } shown[] = {
      {"d3 00 00 00 07 00", KN_WIRE_2022, {.type = KN_MESSAGE_IO_SPEC, .payload = 209, .flags = ASKED}},
      {"02 00 00 00 00 00", KN_WIRE_2022, {.type = KN_REPLY_OK, .flags = KN_FLAG_FIRST | KN_FLAG_LAST}},
      {"02 30 09 00 02 00", KN_WIRE_2022, {.type = KN_MESSAGE_DATA, .payload = 602112, .flags = ASKED}},
      {"16 00 00 00 00 00", KN_WIRE_2022, {.type = KN_REPLY_OK, .payload = 20, .flags = ASKED}},
      {"05 00 00 00 00 00 4b 4e 01", KN_WIRE_2022, {.type = KN_REPLY_OK, .payload = KN_GRANT_BYTES, .flags = ASKED}},
      {"04 00 00 00 01 00 02 00", KN_WIRE_2022, {.type = KN_REPLY_ERROR, .payload = KN_CODE_BYTES, .flags = ASKED}},
      {"06 00 00 00 40 3d 30 00 00 00 00 00",
       KN_WIRE_12,
       {.type = KN_MESSAGE_STATS, .flow = KN_FLOW_RETRANSMIT, .checksum = 0x3D, .flags = KN_FLAG_FIRST | KN_FLAG_LAST}},
      {"07 00 00 00 00 00 38 00 6a 03 00 00", KN_WIRE_12, {.type = KN_MESSAGE_IO_SPEC, .payload = 874, .flags = ASKED}},
      {"07 00 00 00 c0 00 79 00 01 00 00 00 02",
       KN_WIRE_12,
       {.type = KN_MESSAGE_IO_SPEC, .flow = KN_FLOW_TRANSMISSION, .payload = 1, .flags = DONE}},
      {"02 00 00 00 00 00 38 00 00 30 09 00", KN_WIRE_12, {.type = KN_MESSAGE_DATA, .payload = 602112, .flags = ASKED}},
      {"05 00 00 00 00 7e 30 00 00 00 00 00",
       KN_WIRE_12,
       {.type = KN_MESSAGE_OUTPUT, .checksum = 0x7E, .flags = KN_FLAG_FIRST | KN_FLAG_LAST}},
      {"05 00 00 00 c0 00 7a 00 01 00 00 00 07",
       KN_WIRE_12,
       {.type = KN_MESSAGE_OUTPUT,
        .flow = KN_FLOW_TRANSMISSION,
        .payload = 1,
        .flags = ASKED | KN_FLAG_FAIL | KN_FLAG_KENNING}}};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    uint8_t bytes[32];
    size_t count = 0;
    kn_frame frame;
    if (!strstr(page, shown[i].bytes)) kt_fail("the page does not show %s", shown[i].bytes);
    for (const char *at = shown[i].bytes; *at && count < sizeof bytes;) {
      char *end;
      bytes[count++] = (uint8_t)strtoul(at, &end, 16);
      at = end + strspn(end, " ");
    }
    const kn_frame *expected = &shown[i].frame;
    assert_true(kn_frame_decode(shown[i].format, false, bytes, &frame));
    if (frame.type != expected->type || frame.flow != expected->flow || frame.checksum != expected->checksum ||
        frame.flags != expected->flags || frame.payload != expected->payload)
      kt_fail("%s is another frame", shown[i].bytes);
    if (frame.checksum) assert_int_equal(kn_frame_sum(0, bytes, count), KN_CHECKSUM);
  }
  char sum[64];
  snprintf(sum, sizeof sum, "combined by exclusive or give %02X,", (unsigned)KN_CHECKSUM);
  kt_assert_contains(page, sum);
}

/* ---- refusals and codes ---- */

static void words_and_codes(void **state) {
  (void)state;
  char words[1024] = "The words are: ", *plain = strdup(page);
#define WORD(name, number, text, code) \
  if (KN_REFUSED_##name)               \
    snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", number > 1 ? ", " : "", text);
  KN_REFUSALS(WORD)
#undef WORD
  snprintf(words + strlen(words), sizeof words - strlen(words), ".");
  assert_non_null(plain);
  for (char *c = plain; *c; c++)
    if (*c == '\n') *c = ' ';
  kt_assert_contains(plain, words);
  free(plain);

  static const struct {
    uint64_t number;
    const char *text;
  } codes[] = {
#define CODE(name, number, text) {number, text},
      KN_CODES(CODE)
#undef CODE
  };
  enum { COUNT = sizeof codes / sizeof *codes, ROWS = COUNT / 2 };
  const char *at = table("| code | | code | |");
  row r;
  for (size_t i = 0; i < ROWS; i++, at = next_line(at)) {
    assert_true(read_row(at, &r));
    for (size_t half = 0; half < 2; half++) { /* two columns; OK is none */
      size_t code = 1 + i + half * ROWS;
      expect_number(codes[code].text, r.cells[2 * half], codes[code].number);
      assert_string_equal(r.cells[2 * half + 1], codes[code].text);
    }
  }
  assert_false(read_row(at, &r));
  assert_int_equal(COUNT, 1 + 2 * ROWS);
}

/* ---- layouts ---- */

static uint64_t number_at(const uint8_t *bytes, const char *cell, size_t size) {
  return kn_wire_get(bytes + strtoul(cell, NULL, 10), size);
}

static void the_packed_io_specification(void **state) {
  (void)state;
  static const char json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [3, 5], \"dtype\": \"float32\"}, "
      "{\"name\": \"y\", \"shape\": [7], \"dtype\": \"int8\"}], "
      "\"output\": [{\"name\": \"z\", \"shape\": [11, 13, 17], \"dtype\": \"uint16\"}]}";
  kn_iospec spec;
  uint8_t packed[KN_PACKED_IOSPEC];
  char size[64];
  row r[8];
  snprintf(size, sizeof size, "packed into %d bytes:", KN_PACKED_IOSPEC);
  kt_assert_contains(page, size);
  const char *at = table("| at | field | |");
  for (size_t i = 0; i < 8; i++, at = next_line(at)) assert_true(read_row(at, &r[i]));
  row more;
  assert_false(read_row(at, &more));
  kt_assert_ok(kn_iospec_parse(json, sizeof json - 1, "test", &spec));
  kt_assert_ok(kn_packed_iospec_write(&spec, "a name", packed));
  kn_iospec_clear(&spec);
  assert_int_equal(number_at(packed, r[0].cells[0], 4), 2);                     /* inputs */
  assert_int_equal(number_at(packed, r[1].cells[0], 8), 2 | (uint64_t)1 << 32); /* dimensions */
  assert_int_equal(number_at(packed, r[2].cells[0], 8), 3 | (uint64_t)5 << 32); /* shapes */
  assert_int_equal(number_at(packed, r[3].cells[0], 4), 0x08002002);            /* float32, int8 */
  assert_int_equal(number_at(packed, r[4].cells[0], 4), 1);                     /* outputs */
  const char *ranks = r[5].cells[0], *shapes = strchr(ranks, ',') + 1, *types = strchr(shapes, ',') + 1;
  assert_int_equal(number_at(packed, ranks, 4), 3);
  assert_int_equal(number_at(packed, shapes, 8), 11 | (uint64_t)13 << 32);
  assert_int_equal(number_at(packed, types, 2), 0x1001);
  assert_string_equal((const char *)packed + strtoul(r[6].cells[0], NULL, 10), "module.main");
  assert_string_equal((const char *)packed + strtoul(r[7].cells[0], NULL, 10), "a name");
  snprintf(size, sizeof size, "number of inputs, at most %d", KN_PACKED_INPUTS);
  assert_string_equal(r[0].cells[2], size);
  snprintf(size, sizeof size, "number of outputs, at most %d", KN_PACKED_OUTPUTS);
  assert_string_equal(r[4].cells[2], size);
}

static void sizes_of_the_extensions(void **state) {
  (void)state;
  char text[96];
  snprintf(text, sizeof text, "behind the JSON text stand %d blanks and tabs", KN_OFFER_BYTES);
  kt_assert_contains(page, text);
  assert_int_equal(KN_INFER_PREFIX, 4 * 8);
  kt_assert_contains(page, "four u64 of ns");
  assert_int_equal(KN_IDENTITY_BYTES, 32 + 8);
  kt_assert_contains(page, "32 bytes SHA-256 of the model, u64 its size");
  assert_int_equal(KN_CODE_BYTES, 2);
  kt_assert_contains(page, "**Codes** are two bytes");
  kt_assert_contains(page, "`char name[32]`, `u64 kind`");
  assert_int_equal(KN_PACKED_ROW, 32 + 8 + 8);
}

static int set_up(void **state) {
  (void)state;
  char *path = kt_source_path("docs/protocol.md");
  page = kt_file_read(path, NULL);
  free(path);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  free(page);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_are_those_of_the_table),
      cmocka_unit_test(sizes_of_headers),
      cmocka_unit_test(drawings_of_headers),
      cmocka_unit_test(bits_of_flags),
      cmocka_unit_test(frames_that_are_shown),
      cmocka_unit_test(words_and_codes),
      cmocka_unit_test(the_packed_io_specification),
      cmocka_unit_test(sizes_of_the_extensions),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
