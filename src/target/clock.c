#include "target/clock.h"

#include <kenning/services.h>

kn_clock_offset kn_clock_offset_of(const int64_t (*exchanges)[3], size_t rounds) {
  kn_clock_offset best = {.error_ns = INT64_MAX};
  for (size_t i = 0; i < rounds; i++) {
    int64_t before = exchanges[i][0], target = exchanges[i][1], after = exchanges[i][2];
    int64_t error = (after - before + 1) / 2;
    if (error >= best.error_ns) continue;
    best = (kn_clock_offset){
        .target_ns = target, .offset_ns = target - (before + (after - before) / 2), .error_ns = error};
  }
  return best;
}

kn_status kn_clock_ask(kn_client *client, kn_clock_line *line) {
  int64_t exchanges[KN_CLOCK_ROUNDS][3];
  for (size_t i = 0; i < KN_CLOCK_ROUNDS; i++) {
    exchanges[i][0] = kn_now_ns();
    KN_TRY(kn_client_clock(client, &exchanges[i][1]));
    exchanges[i][2] = kn_now_ns();
  }
  size_t place = line->count ? 1 : 0;
  line->offsets[place] = kn_clock_offset_of((const int64_t(*)[3])exchanges, KN_CLOCK_ROUNDS);
  line->count = place + 1;
  return NULL;
}

int64_t kn_clock_here(const kn_clock_line *line, int64_t target_ns) {
  const kn_clock_offset *first = &line->offsets[0], *last = &line->offsets[1];
  if (line->count < 2 || last->target_ns <= first->target_ns) return target_ns - first->offset_ns;
  double way = (double)(target_ns - first->target_ns) / (double)(last->target_ns - first->target_ns);
  return target_ns - first->offset_ns - (int64_t)(way * (double)(last->offset_ns - first->offset_ns));
}
