#include "datasets/faults.h"

kn_status kn_faults_keep(kn_faults *faults, kn_status fault) {
  kn_code code = kn_status_code(fault);
  if (!fault || code == KN_OUT_OF_MEMORY || code == KN_CANCELLED) return fault;
  if (faults->count++ < KN_FAULTS_SHOWN)
    faults->shown = kn_status_join(faults->shown, fault);
  else
    kn_status_free(fault);
  return NULL;
}

kn_status kn_faults_take(kn_faults *faults, const char *where, const char *what) {
  kn_faults all = *faults;
  *faults = (kn_faults){0};
  if (all.count <= KN_FAULTS_SHOWN) return all.shown;
  return kn_status_join(all.shown,
                        kn_status_make_at(KN_BAD_DATA, where, "%zu more %s", all.count - KN_FAULTS_SHOWN, what));
}
