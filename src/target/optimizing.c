#include "target/optimizing.h"

#include "core/file.h"
#include "core/record_json.h"
#include "transport/deadline.h"

#include <kenning/services.h>

enum { PATIENCE = 20 }; /* times `timeout` for the optimizers' work */

static bool add_optimizers(yyjson_mut_doc *doc, yyjson_mut_val *root, const kn_optimizing *optimizing) {
  yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "optimizers");
  for (size_t i = 0; list && i < optimizing->count; i++) {
    const kn_instance *optimizer = &optimizing->optimizers[i];
    yyjson_mut_val *block = yyjson_mut_arr_add_obj(doc, list), *parameters = kn_instance_to_json(optimizer, doc);
    if (!block || !parameters || !yyjson_mut_obj_add_str(doc, block, "type", optimizer->cls->name) ||
        !yyjson_mut_obj_add_val(doc, block, "parameters", parameters))
      return false;
  }
  return list != NULL;
}

static bool add_model(yyjson_mut_doc *doc, yyjson_mut_val *root, const kn_optimizing *optimizing, yyjson_val *spec) {
  yyjson_mut_val *block = yyjson_mut_obj_add_obj(doc, root, "prev_block"),
                 *copy = spec ? yyjson_val_mut_copy(doc, spec) : NULL;
  return block && copy && yyjson_mut_obj_add_str(doc, block, "model_path", optimizing->model_path) &&
         (optimizing->format ? yyjson_mut_obj_add_str(doc, block, "model_type", optimizing->format)
                             : yyjson_mut_obj_add_null(doc, block, "model_type")) &&
         yyjson_mut_obj_add_val(doc, block, "io_spec", copy);
}

static kn_status describe(const kn_optimizing *optimizing, char **out_json, size_t *out_bytes) {
  char *spec;
  size_t bytes;
  *out_json = NULL;
  KN_TRY(kn_iospec_text(optimizing->spec, &spec, &bytes));
  yyjson_doc *parsed = yyjson_read_opts(spec, bytes, 0, &kn_json_allocator, NULL);
  yyjson_mut_doc *doc = yyjson_mut_doc_new(&kn_json_allocator);
  yyjson_mut_val *root = doc ? yyjson_mut_obj(doc) : NULL;
  if (root) yyjson_mut_doc_set_root(doc, root);
  if (root && parsed && add_model(doc, root, optimizing, yyjson_doc_get_root(parsed)) &&
      add_optimizers(doc, root, optimizing))
    *out_json = yyjson_mut_write_opts(doc, 0, &kn_json_allocator, out_bytes, NULL);
  yyjson_mut_doc_free(doc);
  yyjson_doc_free(parsed);
  kn_free(spec);
  return *out_json ? NULL : kn_status_out_of_memory();
}

static kn_status ask(const kn_optimizing *optimizing, kn_client *client, const char *json, size_t bytes) {
  char *model;
  size_t size;
  KN_TRY(kn_client_upload(client, KN_MESSAGE_OPTIMIZERS, json, bytes));
  KN_TRY(kn_client_upload_file(client, KN_MESSAGE_UNOPTIMIZED_MODEL, optimizing->model_path));
  client->link.timeout_s *= PATIENCE;
  KN_TRY(kn_client_optimize(client, (size_t)client->link.model_limit, &model, &size));
  kn_status status = size ? kn_file_write(optimizing->result_path, model, size)
                          : kn_status_make(KN_BAD_DATA, "the target's result is empty");
  kn_free(model);
  return status;
}

static kn_status connect_and_ask(const kn_optimizing *optimizing, const kn_link_config *link) {
  const kn_runtimeprotocol_ops *ops = optimizing->protocol->cls->ops;
  char *json;
  size_t bytes;
  kn_connection connection;
  kn_client client;
  KN_TRY(describe(optimizing, &json, &bytes));
  kn_status status =
      ops->connect(optimizing->protocol->self, optimizing->model_path, kn_deadline_after(link->timeout_s), &connection);
  if (!status) status = kn_client_open(connection, link, &client);
  if (!status) {
    status = ask(optimizing, &client, json, bytes);
    kn_client_close(&client);
  }
  kn_free(json);
  return status;
}

kn_status kn_optimizing_run(const kn_optimizing *optimizing) {
  const kn_runtimeprotocol_ops *ops = optimizing->protocol->cls->ops;
  kn_link_config link;
  kn_status status = ops->open(optimizing->protocol->self, &link);
  if (!status && link.wire.format == KN_WIRE_2022)
    status = kn_status_make(KN_INCOMPATIBLE, "the wire format of 2022 has no messages for optimizers on a target");
  if (!status) status = connect_and_ask(optimizing, &link);
  ops->close(optimizing->protocol->self);
  return status;
}
