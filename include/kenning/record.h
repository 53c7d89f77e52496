/* A record is a JSON object under construction: how blocks hand over facts about themselves (delegates that ran,
 * versions, sizes). Records are owned by whoever passed them; children are owned by their parent. Keys and strings are
 * copied. Setting a key again replaces its value. One thread at a time. */
#ifndef KENNING_RECORD_H
#define KENNING_RECORD_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_record kn_record;

KN_API kn_status kn_record_set_string(kn_record *record, const char *key, const char *value) KN_MUST_USE;
KN_API kn_status kn_record_set_int(kn_record *record, const char *key, int64_t value) KN_MUST_USE;
/* NaN and infinities are stored as null: JSON has no others. */
KN_API kn_status kn_record_set_number(kn_record *record, const char *key, double value) KN_MUST_USE;
KN_API kn_status kn_record_set_bool(kn_record *record, const char *key, bool value) KN_MUST_USE;
KN_API kn_status kn_record_set_numbers(kn_record *record, const char *key, const double *values,
                                       size_t count) KN_MUST_USE;
KN_API kn_status kn_record_set_strings(kn_record *record, const char *key, const char *const *values,
                                       size_t count) KN_MUST_USE;
/* An object under `key`, made when it is missing. */
KN_API kn_status kn_record_object(kn_record *record, const char *key, kn_record **out_child) KN_MUST_USE;
/* Appends an empty object to the array under `key`, made when it is missing. */
KN_API kn_status kn_record_append_object(kn_record *record, const char *key, kn_record **out_child) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
