/* Sequences of messages in a short form: one byte chooses a message as a host sends it, or a twist of it. So a fuzzer
 * finds its way through the states of a target, the negotiated messages among them, without having to find JSON, marks
 * of the extensions, hashes and checksums first. */
#ifndef TESTS_FUZZ_WIRE_SCRIPT_H
#define TESTS_FUZZ_WIRE_SCRIPT_H

#include "target/session.h"

enum { KT_SCRIPT_FRAMES = 2, KT_SCRIPT_BYTES = 1024 };

/* The model that the script uploads, and that its identity names. */
#define KT_SCRIPT_MODEL "model of the script"

typedef struct kt_script_message {
  uint8_t bytes[KT_SCRIPT_BYTES]; /* its frames, one behind the other */
  size_t count;
} kt_script_message;

/* The next message of a script; the bytes of `data` that it takes, at least 1 of `size` (above 0). */
size_t kt_script_next(const kn_wire_config *wire, const uint8_t *data, size_t size, kt_script_message *out_message);

/* A whole honest session, step by step from 0: IO_SPEC, MODEL, DATA, PROCESS, OUTPUT. False behind the last one. */
bool kt_script_honest(const kn_wire_config *wire, bool in_place, int step, kt_script_message *out_message);
/* The output of it. */
extern const float kt_script_output[2];

#endif
