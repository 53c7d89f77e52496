/* Random numbers by counter: value `index` of stream `seed` is a function of both and of nothing else, so results do
 * not depend on threads or on the order in which they are computed. */
#ifndef KENNING_RANDOM_H
#define KENNING_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): its state after `index`
 * steps, mixed. */
static inline uint64_t kn_random(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Uniform in (0, 1): never 0, never 1. */
static inline double kn_random_unit(uint64_t seed, uint64_t index) {
  return ((double)(kn_random(seed, index) >> 11) + 0.5) / 9007199254740992.0;
}

#ifdef __cplusplus
}
#endif
#endif
