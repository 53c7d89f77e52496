#include "weights.h"

#include <kenning/random.h>
#include <math.h>
#include <string.h>

/* He et al., "Delving deep into rectifiers", 2015, eq. 10; Glorot and Bengio, "Understanding the difficulty of training
 * deep feedforward neural networks", 2010, eq. 16. */
static void fill(const network_state *of, uint64_t seed, size_t elements, float *out) {
  size_t outputs = of->rank ? (size_t)of->shape[0] : 1, inputs = outputs ? elements / outputs : 1;
  double deviation = sqrt(2.0 / (double)inputs), bound = sqrt(6.0 / (double)(inputs + outputs));
  for (size_t i = 0; i < elements; i++) switch (of->fill) {
      case NETWORK_ZEROS:
        out[i] = 0;
        break;
      case NETWORK_ONES:
        out[i] = 1;
        break;
      case NETWORK_HE_NORMAL: /* Box and Muller's transformation */
        out[i] = (float)(deviation * sqrt(-2 * log(kn_random_unit(seed, 2 * i))) *
                         cos(2 * M_PI * kn_random_unit(seed, 2 * i + 1)));
        break;
      case NETWORK_XAVIER_UNIFORM:
        out[i] = (float)(bound * (2 * kn_random_unit(seed, i) - 1));
        break;
    }
}

static kn_status draw_one(const network_state *of, uint64_t seed, state_tensor *out) {
  *out = (state_tensor){.name = kn_strdup(of->name), .dtype = KN_FLOAT32, .rank = of->rank};
  if (!out->name) return kn_status_out_of_memory();
  memcpy(out->shape, of->shape, of->rank * sizeof *out->shape);
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, of->rank, of->shape, &out->bytes));
  out->data = out->owned = kn_alloc(out->bytes);
  if (!out->owned) return kn_status_out_of_memory();
  fill(of, seed, out->bytes / sizeof(float), out->owned);
  return NULL;
}

kn_status weights_draw(const network *n, uint64_t seed, state_dict *out_state) {
  *out_state = (state_dict){.items = kn_alloc_array(n->state_count, sizeof *out_state->items)};
  if (!out_state->items) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (; out_state->count < n->state_count && !status; out_state->count++)
    status =
        draw_one(&n->states[out_state->count], kn_random(seed, out_state->count), &out_state->items[out_state->count]);
  if (status) state_dict_clear(out_state);
  return status;
}

static bool fits(const state_tensor *given, const state_tensor *wanted) {
  return given && given->dtype == KN_FLOAT32 && given->rank == wanted->rank &&
         !memcmp(given->shape, wanted->shape, wanted->rank * sizeof *wanted->shape);
}

static kn_status take(const network *n, const char *path, const state_dict *given, state_dict *state, bool *out_whole) {
  *out_whole = true;
  for (size_t i = 0; i < n->state_count; i++) {
    const state_tensor *from = state_dict_find(given, n->states[i].name);
    bool good = fits(from, &state->items[i]);
    *out_whole = *out_whole && good;
    if (n->states[i].base && !good)
      return kn_status_make(KN_INCOMPATIBLE, "%s: '%s' is missing, not float32 or of another shape than %s has", path,
                            n->states[i].name, n->name);
  }
  for (size_t i = 0; i < n->state_count; i++)
    if (n->states[i].base || *out_whole)
      memcpy(state->items[i].owned, state_dict_find(given, n->states[i].name)->data, state->items[i].bytes);
  return NULL;
}

kn_status weights_take(const network *n, const char *path, state_dict *state, bool *out_whole) {
  state_dict given;
  *out_whole = false;
  KN_TRY(state_dict_read(path, &given));
  kn_status status = take(n, path, &given, state, out_whole);
  state_dict_clear(&given);
  return status;
}
