/* A target's session under arbitrary bytes. The first byte chooses the wire format and how large the pieces are in
 * which the rest arrives; the second whether the rest are the bytes of the wire, messages in a short form, which get
 * headers with right sizes and sums, or a script (script.h). What the session answers are frames of its wire format,
 * and whoever is not hung up on can go on to an honest inference with its right result. */
#include "core/log.h"
#include "core/registry.h"
#include "memory_store.h"
#include "script.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const kn_class kn_null_runtime_class;

static const kn_wire_config wires[] = {{.format = KN_WIRE_2022, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_2022, .frame_limit = 1 << 20, .big_endian = true},
                                       {.format = KN_WIRE_8, .frame_limit = 64},
                                       {.format = KN_WIRE_8, .frame_limit = 1 << 20, .checksums = true},
                                       {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_12, .frame_limit = 64, .checksums = true}};

enum { SHORT = 1, IN_PLACE = 2, SCRIPT = 4, OPTIMIZING = 8 };

/* Whole frames, as a host reads them; *out_last is the payload of the last one. */
static void check_replies(const kn_wire_config *wire, const uint8_t *bytes, size_t count, const uint8_t **out_last) {
  size_t header = kn_frame_header_size(wire->format);
  while (count) {
    kn_frame frame;
    if (count < header || !kn_frame_decode(wire->format, wire->big_endian, bytes, &frame)) abort();
    if (frame.payload > count - header) abort();
    if (wire->format == KN_WIRE_2022 ? frame.type > KN_REPLY_ERROR : frame.flow != KN_FLOW_TRANSMISSION) abort();
    if (wire->checksums && kn_frame_sum(0, bytes, header + frame.payload) != KN_CHECKSUM) abort();
    if (header + frame.payload > wire->frame_limit) abort();
    *out_last = bytes + header;
    bytes += header + frame.payload;
    count -= header + frame.payload;
  }
}

typedef struct owner {
  kn_target_session *session;
  const kn_wire_config *wire;
  size_t piece;
  float last[2]; /* first bytes of the last answer's payload */
} owner;

static void take_replies(owner *o) {
  size_t count;
  const uint8_t *replies = kn_target_session_replies(o->session, &count), *last = NULL;
  check_replies(o->wire, replies, count, &last);
  if (last && (size_t)(replies + count - last) >= sizeof o->last) memcpy(o->last, last, sizeof o->last);
  kn_target_session_sent(o->session);
}

/* The session's owner, without a connection. False when it was closed. */
static bool feed(owner *o, const uint8_t *data, size_t count) {
  while (count) {
    size_t room;
    void *window = kn_target_session_window(o->session, &room);
    if (!room) abort();
    if (room > count) room = count;
    if (room > o->piece) room = o->piece;
    memcpy(window, data, room);
    data += room;
    count -= room;
    kn_session_next next = kn_target_session_received(o->session, room);
    if (next != KN_SESSION_READ) take_replies(o);
    if (next == KN_SESSION_WORK) {
      next = kn_target_session_work(o->session);
      take_replies(o);
    }
    if (next == KN_SESSION_CLOSE) return false;
  }
  return true;
}

/* Three bytes of structure: type, flags, length; then as many bytes of payload. */
static size_t message(owner *o, const uint8_t *data, size_t size, bool *open) {
  const kn_wire_config *wire = o->wire;
  kn_frame frame = {.type = data[0] & 0x3F, .flow = data[0] >> 6, .flags = data[1]};
  size_t payload = data[2] < size - 3 ? data[2] : size - 3;
  frame.payload = (uint32_t)payload;
  if (payload) frame.flags |= KN_FLAG_PAYLOAD;
  uint8_t bytes[KN_FRAME_HEADER_MAXIMUM + 255];
  size_t header = kn_frame_header_size(wire->format);
  kn_frame_encode(wire->format, wire->big_endian, &frame, bytes);
  memcpy(bytes + header, data + 3, payload);
  frame.checksum = kn_frame_sum(0, bytes, header + payload) ^ KN_CHECKSUM;
  if (wire->checksums) kn_frame_encode(wire->format, wire->big_endian, &frame, bytes);
  *open = feed(o, bytes, header + payload);
  return 3 + payload;
}

static void honest_session(owner *o, bool in_place) {
  kt_script_message message;
  for (int step = 0; kt_script_honest(o->wire, in_place, step, &message); step++)
    if (!feed(o, message.bytes, message.count)) abort();
  if (memcmp(o->last, kt_script_output, sizeof o->last)) abort();
}

static void play(owner *o, unsigned how, const uint8_t *data, size_t size) {
  bool open = true;
  if (how & SCRIPT) {
    while (open && size) {
      kt_script_message message;
      size_t used = kt_script_next(o->wire, data, size, &message);
      open = feed(o, message.bytes, message.count);
      data += used, size -= used;
    }
  } else if (how & SHORT) {
    while (open && size > 3) {
      size_t used = message(o, data, size, &open);
      data += used, size -= used;
    }
  } else {
    open = feed(o, data, size);
  }
  if (open && !kn_target_session_amid(o->session)) honest_session(o, how & IN_PLACE);
}

/* ---- what lives as long as the program ---- */

static const char path[] = "model";
static bool prepared;
static kn_instance optimizer;

static void set(kn_instance *instance, const char *name, const char *text) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  if (!row || kn_instance_set_text(instance, row, index, text, "fuzz")) abort();
}

static void prepare(void) {
  const kn_class *cls;
  kn_log_set_level(KN_LOG_CRITICAL);
  setenv("KENNING_PLUGIN_PATH", "/nonexistent", 1);
  if (kn_registry_find("ModelInserter", KN_KIND_OPTIMIZER, &cls) || kn_instance_create(cls, &optimizer)) abort();
  set(&optimizer, "model_framework", "onnx");
  set(&optimizer, "input_model_path", path); /* what was uploaded last */
  set(&optimizer, "compiled_model_path", "model.optimized");
  prepared = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!prepared) prepare();
  if (size < 2) return 0;
  const unsigned how = data[1];
  const kn_runtime_ops *ops = kn_null_runtime_class.ops;
  kn_instance runtime;
  if (kn_instance_create(&kn_null_runtime_class, &runtime)) abort();
  set(&runtime, "result", "echo");
  kn_target_engine engine = {.ops = ops->inference, .self = runtime.self, .payload_limit = 1 << 16};
  if (kn_target_engine_open(&engine)) abort();
  const kn_session_config config = {.wire = wires[(data[0] & 7) % 6],
                                    .model_path = path,
                                    .model_limit = 1 << 16,
                                    .in_place = how & IN_PLACE,
                                    .optimizers = &optimizer,
                                    .optimizer_count = how & OPTIMIZING ? 1 : 0};
  owner o = {.wire = &config.wire, .piece = (size_t)(data[0] >> 3) + 1};
  if (kn_target_session_create(&config, &engine, &o.session)) abort();
  play(&o, how, data + 2, size - 2);
  kn_target_session_destroy(o.session);
  kt_memory_store_clear();
  kn_target_engine_close(&engine);
  ops->close(runtime.self);
  kn_instance_destroy(&runtime);
  return 0;
}
