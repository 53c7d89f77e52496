#include "network_builder.h"

#include <stdio.h>
#include <string.h>

void network_clear(network *n) {
  for (size_t i = 0; i < n->state_count; i++) kn_free(n->states[i].name);
  kn_free(n->states);
  kn_free(n->source);
  *n = (network){0};
}

static void append(network *n, const char *text) {
  size_t length = strlen(text);
  char *grown = n->out_of_memory ? NULL : kn_realloc(n->source, n->source_length + length + 1);
  if (!grown) {
    n->out_of_memory = true;
    return;
  }
  memcpy(grown + n->source_length, text, length + 1);
  n->source = grown;
  n->source_length += length;
}

void network_line(network *n, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = kn_vformat(format, arguments);
  va_end(arguments);
  if (text) {
    append(n, "    ");
    append(n, text);
    append(n, "\n");
  } else {
    n->out_of_memory = true;
  }
  kn_free(text);
}

void network_begin(network *n, const char *name) {
  *n = (network){.name = name};
  append(n, "def forward(self, x):\n");
}

kn_status network_end(network *n) {
  network_line(n, "return x");
  if (!n->out_of_memory) return NULL;
  network_clear(n);
  return kn_status_out_of_memory();
}

static network_state *add_state(network *n, const char *path, const char *member) {
  static network_state lost; /* written to and never read: memory is out */
  if (n->state_count == n->state_capacity) {
    size_t wanted = n->state_capacity ? n->state_capacity * 2 : 64;
    network_state *grown = kn_realloc(n->states, wanted * sizeof *grown);
    if (!grown) {
      n->out_of_memory = true;
      return &lost;
    }
    n->states = grown;
    n->state_capacity = wanted;
  }
  network_state *state = &n->states[n->state_count];
  *state = (network_state){.name = kn_format("%s.%s", path, member), .base = n->in_base};
  if (!state->name) {
    n->out_of_memory = true;
    return &lost;
  }
  n->state_count++;
  return state;
}

/* "features.0.conv" -> getattr(self.features, "0").conv: names of numbers are no names in the source. */
static void path_expression(const char *path, char *out, size_t size) {
  char whole[512];
  (void)snprintf(whole, sizeof whole, "self");
  while (*path) {
    int length = (int)strcspn(path, ".");
    char next[512];
    if (*path >= '0' && *path <= '9')
      (void)snprintf(next, sizeof next, "getattr(%.400s, \"%.*s\")", whole, length, path);
    else
      (void)snprintf(next, sizeof next, "%.400s.%.*s", whole, length, path);
    memcpy(whole, next, sizeof whole);
    path += length + (path[length] == '.');
  }
  (void)snprintf(out, size, "%s", whole);
}

static void set_vector(network_state *state, int64_t elements, network_fill fill) {
  state->rank = 1;
  state->shape[0] = elements;
  state->fill = fill;
}

void network_add_convolution(network *n, const char *path, const network_convolution *of) {
  char layer[512];
  path_expression(path, layer, sizeof layer);
  network_state *weight = add_state(n, path, "weight");
  weight->rank = 4;
  weight->fill = NETWORK_HE_NORMAL;
  const int64_t shape[4] = {of->out, of->in / of->groups, of->kernel, of->kernel};
  memcpy(weight->shape, shape, sizeof shape);
  network_line(n, "x = torch.conv2d(x, %s.weight, None, [%lld, %lld], [%lld, %lld], [1, 1], %lld)", layer,
               (long long)of->stride, (long long)of->stride, (long long)of->padding, (long long)of->padding,
               (long long)of->groups);
}

void network_add_normalization(network *n, const char *path, int64_t channels, double epsilon, double momentum) {
  static const char *const members[] = {"weight", "bias", "running_mean", "running_var"};
  char layer[512];
  path_expression(path, layer, sizeof layer);
  for (size_t i = 0; i < 4; i++) {
    network_state *state = add_state(n, path, members[i]);
    set_vector(state, channels, i == 0 || i == 3 ? NETWORK_ONES : NETWORK_ZEROS);
    state->buffer = i >= 2;
    state->normalization = true;
  }
  network_line(n, "x = torch.batch_norm(x, %s.weight, %s.bias, %s.running_mean, %s.running_var, %s, %g, %g, True)",
               layer, layer, layer, layer, n->in_base && n->frozen_base ? "False" : "self.training", momentum, epsilon);
}

void network_add_linear(network *n, const char *path, int64_t in, int64_t out, network_fill fill) {
  char layer[512];
  path_expression(path, layer, sizeof layer);
  network_state *weight = add_state(n, path, "weight");
  weight->rank = 2;
  weight->shape[0] = out;
  weight->shape[1] = in;
  weight->fill = fill;
  set_vector(add_state(n, path, "bias"), out, NETWORK_ZEROS);
  network_line(n, "x = torch.addmm(%s.bias, x, %s.weight.t())", layer, layer);
}

void network_add_dropout(network *n, double share) {
  network_line(n, "x = torch.dropout(x, %g, self.training)", share);
}
