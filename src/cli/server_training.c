/* In place of the library's: a target trains nothing, and its program is to be small. */
#include <kenning/training.h>

static kn_status refuse(void) { return kn_status_make(KN_INCOMPATIBLE, "kenning-server trains no models"); }

kn_status kn_training_check(const kn_training_options *options) {
  (void)options;
  return refuse();
}

kn_status kn_training_batch_size(const kn_train_request *request, size_t *out_size) {
  (void)request;
  *out_size = 0;
  return refuse();
}

kn_status kn_training_run(const kn_training_options *options, const kn_train_request *request,
                          const kn_trainer *trainer, kn_record *out_history) {
  (void)options, (void)request, (void)trainer, (void)out_history;
  return refuse();
}
