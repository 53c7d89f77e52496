#include "pipeline/learning_rate.h"

#include <math.h>

double kn_learning_rate(const kn_training_options *options, double given, const kn_rate_position *position) {
  int64_t per_epoch = position->steps_per_epoch, step = position->step, first = 0;
  if (options->unfreeze && options->unfreeze_learning_rate > 0 && step / per_epoch >= options->unfreeze_epoch) {
    first = options->unfreeze_epoch;
    given = options->unfreeze_learning_rate;
    step -= first * per_epoch;
  }
  double warmup = (double)options->warmup_epochs * (double)per_epoch;
  if ((double)step < warmup) return given * ((double)step + 1) / warmup;
  double total = (double)(position->epochs - first) * (double)per_epoch;
  switch ((kn_rate_schedule)options->schedule) {
    case KN_RATE_COSINE:
      return given * 0.5 * (1 + cos(M_PI * ((double)step - warmup) / (total - warmup)));
    case KN_RATE_STEP: {
      int64_t changes = step / per_epoch / options->schedule_epochs;
      return given * pow(options->schedule_factor, (double)changes);
    }
    case KN_RATE_PLATEAU:
      return given * pow(options->schedule_factor, (double)position->reductions);
    case KN_RATE_CONSTANT:
      break;
  }
  return given;
}
