#include "unit/target/recording.h"

#include "support/directory.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static size_t from_hex(const char *text, size_t digits, uint8_t *out) {
  for (size_t i = 0; i + 1 < digits; i += 2) {
    unsigned byte;
    assert_int_equal(sscanf(text + i, "%2x", &byte), 1);
    out[i / 2] = (uint8_t)byte;
  }
  return digits / 2;
}

static void read_payload(kt_frame *frame, const char *text) {
  size_t digits = strcspn(text, "~"), kept = digits / 2;
  unsigned sum = 0;
  frame->bytes = kept;
  if (text[digits]) assert_int_equal(sscanf(text + digits, "~%zu~%2x", &frame->bytes, &sum), 2);
  frame->payload = calloc(1, frame->bytes + 1);
  assert_non_null(frame->payload);
  from_hex(text, digits, frame->payload);
  if (frame->bytes > kept) frame->payload[frame->bytes - 1] = kn_frame_sum((uint8_t)sum, frame->payload, kept);
}

static void read_line(char *line, kn_wire_format format, kt_frame *frame) {
  char *save, *way = strtok_r(line, " ", &save), *header = strtok_r(NULL, " ", &save),
              *payload = strtok_r(NULL, " ", &save);
  assert_non_null(way);
  assert_non_null(header);
  *frame = (kt_frame){.from_host = !strcmp(way, "c2s"), .hello = !strcmp(header, "hello")};
  if (frame->hello) return;
  frame->header_bytes = from_hex(header, strlen(header), frame->header);
  assert_int_equal(frame->header_bytes, kn_frame_header_size(format));
  read_payload(frame, payload ? payload : "");
  assert_true(kn_frame_decode(format, false, frame->header, &frame->decoded));
  assert_int_equal(frame->decoded.payload, frame->bytes);
}

kt_recording kt_recording_read(const char *name, kn_wire_format format) {
  char relative[128], *path, *text, *save, *line;
  snprintf(relative, sizeof relative, "tests/golden/wire/%s", name);
  path = kt_source_path(relative);
  text = kt_file_read(path, NULL);
  free(path);
  kt_recording recording = {.frames = calloc(strlen(text) / 8 + 1, sizeof(kt_frame))};
  assert_non_null(recording.frames);
  for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
    read_line(line, format, &recording.frames[recording.count++]);
  assert_true(recording.count > 30);
  free(text);
  return recording;
}

void kt_recording_free(kt_recording *recording) {
  for (size_t i = 0; i < recording->count; i++) free(recording->frames[i].payload);
  free(recording->frames);
}
