/* Records as JSON: for the parts of the library that own the document. */
#ifndef KENNING_CORE_RECORD_JSON_H
#define KENNING_CORE_RECORD_JSON_H

#include <kenning/record.h>
#include <yyjson.h>

/* An empty object with a document of its own. Free with kn_record_destroy, which frees the children too. */
kn_status kn_record_create(kn_record **out_record) KN_MUST_USE;
void kn_record_destroy(kn_record *record);
/* The object itself; lives as long as the record. */
yyjson_mut_val *kn_record_value(const kn_record *record);
yyjson_mut_doc *kn_record_document(const kn_record *record);
/* Puts a JSON value of the record's own document under `key`. */
kn_status kn_record_set_value(kn_record *record, const char *key, yyjson_mut_val *value) KN_MUST_USE;
/* Parses `json` (an object) into a new record. */
kn_status kn_record_parse(const char *json, size_t length, kn_record **out_record) KN_MUST_USE;

/* yyjson's allocator over kn_alloc, so that its failures can be injected. */
extern const yyjson_alc kn_json_allocator;

#endif
