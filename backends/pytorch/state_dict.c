#include "state_dict.h"

#include <stdio.h>
#include <string.h>

#include "pickle.h"
#include "shared/zip_file.h"

/* Of a state dictionary as large as the machine's memory. */
static const size_t file_limit = SIZE_MAX / 4;
/* The number that files before PyTorch 1.6 begin with, 0x1950a86a20f9469cfc6c, as a pickle has it. */
static const unsigned char legacy_start[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                             0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

/* ---- what a file is ---- */

static kn_status kind_of(const char *path, const char *data, size_t bytes, torch_file *out_kind) {
  if (bytes >= sizeof legacy_start && !memcmp(data, legacy_start, sizeof legacy_start)) {
    *out_kind = TORCH_FILE_STATE;
    return NULL;
  }
  if (!zip_is(data, bytes)) return kn_status_make(KN_BAD_DATA, "%s is no file of PyTorch's", path);
  zip_file archive;
  KN_TRY(zip_parse(path, data, bytes, &archive));
  if (zip_find(&archive, "constants.pkl") && zip_find(&archive, "data.pkl"))
    *out_kind = TORCH_FILE_SCRIPT;
  else if (zip_find(&archive, "data.pkl"))
    *out_kind = TORCH_FILE_STATE;
  else if (zip_find_end(&archive, ".so"))
    *out_kind = TORCH_FILE_PACKAGE;
  zip_clear(&archive);
  return *out_kind ? NULL
                   : kn_status_make(KN_BAD_DATA, "%s is an archive, but neither of TorchScript nor of weights", path);
}

kn_status torch_file_kind(const char *path, torch_file *out_kind) {
  char *data;
  size_t bytes;
  *out_kind = TORCH_FILE_UNKNOWN;
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  kn_status status = kind_of(path, data, bytes, out_kind);
  kn_free(data);
  return status;
}

static bool holds_elements(const zip_member *member) {
  const char *slash = memchr(member->name, '/', member->name_length);
  size_t rest = slash ? member->name_length - (size_t)(slash + 1 - member->name) : 0;
  return (rest > 5 && !memcmp(slash + 1, "data/", 5)) || (rest > 10 && !memcmp(slash + 1, "constants/", 10));
}

kn_status script_weights_bytes(const char *path, uint64_t *out_bytes) {
  char *data;
  size_t bytes;
  zip_file archive = {0};
  *out_bytes = 0;
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  kn_status status = zip_parse(path, data, bytes, &archive);
  for (size_t i = 0; i < archive.count && !status; i++)
    if (holds_elements(&archive.members[i]) && !archive.members[i].compressed) *out_bytes += archive.members[i].bytes;
  zip_clear(&archive);
  kn_free(data);
  return status;
}

/* ---- tensors ---- */

/* Where the elements of storages are. */
typedef struct storage_place {
  const pickle_value *key; /* legacy files */
  const unsigned char *data;
  size_t bytes;
} storage_place;

typedef struct state_reader {
  const char *path;
  zip_file archive;        /* without members: a legacy file */
  storage_place *storages; /* of a legacy file */
  size_t storage_count;
  state_dict *state;
} state_reader;

static bool same_text(const pickle_value *a, const pickle_value *b) {
  return a->text.length == b->text.length && !memcmp(a->text.data, b->text.data, a->text.length);
}

static kn_status find_storage(const state_reader *r, const pickle_value *storage, storage_place *out) {
  const pickle_value *key = storage->storage.key;
  for (size_t i = 0; i < r->storage_count; i++) {
    if (!same_text(r->storages[i].key, key)) continue;
    *out = r->storages[i];
    return NULL;
  }
  char name[64];
  const zip_member *member = NULL;
  if (key->text.length < 50) {
    (void)snprintf(name, sizeof name, "data/%.*s", (int)key->text.length, key->text.data);
    member = zip_find(&r->archive, name);
  }
  if (!member) return kn_status_make(KN_BAD_DATA, "%s: the elements of a tensor are missing", r->path);
  KN_TRY(zip_verify(r->path, member));
  *out = (storage_place){.data = member->data, .bytes = member->bytes};
  return NULL;
}

static bool is_compact(const pickle_value *tensor) {
  int64_t expected = 1;
  for (uint32_t i = tensor->tensor.rank; i-- > 0;) {
    if (tensor->tensor.shape[i] != 1 && tensor->tensor.strides[i] != expected) return false;
    if (__builtin_mul_overflow(expected, tensor->tensor.shape[i], &expected)) return false;
  }
  return true;
}

/* One past the last element that the tensor reaches; false when that is no number. */
static bool reach(const pickle_value *tensor, int64_t *out_end) {
  int64_t end = tensor->tensor.offset, step;
  for (uint32_t i = 0; i < tensor->tensor.rank; i++) {
    if (tensor->tensor.shape[i] == 0) {
      *out_end = 0;
      return true;
    }
    if (__builtin_mul_overflow(tensor->tensor.shape[i] - 1, tensor->tensor.strides[i], &step) ||
        __builtin_add_overflow(end, step, &end))
      return false;
  }
  return !__builtin_add_overflow(end, 1, out_end);
}

static kn_status reorder(const pickle_value *tensor, const unsigned char *from, size_t size, state_tensor *out) {
  int64_t at[KN_MAX_RANK] = {0}, place = 0;
  unsigned char *to = out->owned = kn_alloc(out->bytes);
  if (!to) return kn_status_out_of_memory();
  for (size_t done = 0; done < out->bytes; done += size) {
    memcpy(to + done, from + (size_t)place * size, size);
    for (uint32_t i = tensor->tensor.rank; i-- > 0;) {
      place += tensor->tensor.strides[i];
      if (++at[i] < tensor->tensor.shape[i]) break;
      place -= tensor->tensor.strides[i] * at[i];
      at[i] = 0;
    }
  }
  out->data = to;
  return NULL;
}

static kn_status add_tensor(state_reader *r, const pickle_value *name, const pickle_value *tensor) {
  state_tensor *out = &r->state->items[r->state->count];
  storage_place place;
  int64_t end;
  out->name = kn_strndup(name->text.data, name->text.length);
  if (!out->name) return kn_status_out_of_memory();
  r->state->count++;
  out->dtype = tensor->tensor.storage->storage.dtype;
  out->rank = tensor->tensor.rank;
  memcpy(out->shape, tensor->tensor.shape, sizeof out->shape);
  KN_TRY(find_storage(r, tensor->tensor.storage, &place));
  kn_status status = kn_tensor_bytes(out->dtype, out->rank, out->shape, &out->bytes);
  size_t size = kn_dtype_size(out->dtype);
  if (status || !reach(tensor, &end) || (uint64_t)end > place.bytes / size ||
      (out->bytes && (uint64_t)tensor->tensor.offset > place.bytes / size)) {
    kn_status_free(status);
    return kn_status_make(KN_BAD_DATA, "%s: the tensor '%.80s' is larger than its elements", r->path, out->name);
  }
  const unsigned char *from = place.data + (out->bytes ? (size_t)tensor->tensor.offset * size : 0);
  out->data = from;
  /* A small storage can be spread over a large tensor by strides of 0. */
  if (out->bytes > place.bytes && out->bytes > ((size_t)1 << 32))
    return kn_status_make(KN_BAD_DATA, "%s: the tensor '%.80s' is larger than its elements", r->path, out->name);
  return is_compact(tensor) ? NULL : reorder(tensor, from, size, out);
}

static kn_status no_dictionary(const state_reader *r) {
  return kn_status_make(KN_INCOMPATIBLE, "%s holds no state dictionary; save one: torch.save(model.state_dict(), PATH)",
                        r->path);
}

static kn_status add_tensors(state_reader *r, const pickle_value *root) {
  const pickle_value *inner = pickle_at(root, "state_dict");
  if (!inner) inner = pickle_at(root, "model_state_dict");
  if (inner) root = inner;
  if (root->kind != PICKLE_DICTIONARY) return no_dictionary(r);
  r->state->items = kn_alloc_array(root->list.count / 2, sizeof *r->state->items);
  if (!r->state->items) return kn_status_out_of_memory();
  for (size_t i = 0; i + 1 < root->list.count; i += 2) {
    const pickle_value *name = root->list.items[i], *tensor = root->list.items[i + 1];
    if (name->kind != PICKLE_TEXT) return no_dictionary(r);
    if (tensor->kind == PICKLE_TENSOR) KN_TRY(add_tensor(r, name, tensor));
  }
  return r->state->count ? NULL : no_dictionary(r);
}

static kn_status refuse(const char *path, kn_status status, const char *refused) {
  if (!*refused) return status;
  kn_status_free(status);
  return kn_status_make(
      KN_INCOMPATIBLE,
      "%s is a pickle that would import and call %s: that is code, which is neither run nor converted. Load it "
      "in Python where it came from and save its weights alone, torch.save(model.state_dict(), PATH), or "
      "TorchScript, torch.jit.script(model).save(PATH)",
      path, refused);
}

static kn_status read_archive(state_reader *r) {
  const zip_member *data = zip_find(&r->archive, "data.pkl"), *order = zip_find(&r->archive, "byteorder");
  if (!data) return kn_status_make(KN_BAD_DATA, "%s has no data.pkl: nothing was saved in it", r->path);
  if (order && (order->bytes < 6 || memcmp(order->data, "little", 6) != 0))
    return kn_status_make(KN_INCOMPATIBLE, "%s was written by a machine of another byte order", r->path);
  KN_TRY(zip_verify(r->path, data));
  pickle read;
  char refused[160];
  kn_status status = pickle_read(r->path, data->data, data->bytes, &read, refused);
  if (status) return refuse(r->path, status, refused);
  status = add_tensors(r, read.root);
  pickle_clear(&read);
  return status;
}

/* ---- files before PyTorch 1.6: pickles of a number, a version, facts about the machine, the object and the keys of
 * the storages; then for each key the number of elements and the elements ---- */

static kn_status place_storages(state_reader *r, const pickle_value *keys, const pickle *object,
                                const unsigned char *at, size_t bytes);

static kn_status read_legacy(state_reader *r, const unsigned char *data, size_t bytes) {
  pickle parts[5] = {0};
  char refused[160] = "";
  kn_status status = NULL;
  size_t at = 0;
  for (size_t i = 0; i < 5 && !status; i++) {
    status = pickle_read(r->path, data + at, bytes - at, &parts[i], refused);
    at += parts[i].bytes;
  }
  if (status) status = refuse(r->path, status, refused);
  if (!status) status = place_storages(r, parts[4].root, &parts[3], data + at, bytes - at);
  if (!status) status = add_tensors(r, parts[3].root);
  for (size_t i = 0; i < 5; i++) pickle_clear(&parts[i]);
  return status;
}

/* The size of an element is told by the tensors alone. */
static size_t element_size(const pickle_value *value, const pickle_value *key, int depth) {
  size_t size = 0;
  if (value->kind == PICKLE_TENSOR && same_text(value->tensor.storage->storage.key, key))
    return kn_dtype_size(value->tensor.storage->storage.dtype);
  if (value->kind == PICKLE_DICTIONARY && depth < 4)
    for (size_t i = 1; i < value->list.count && !size; i += 2)
      size = element_size(value->list.items[i], key, depth + 1);
  return size;
}

static kn_status place_storages(state_reader *r, const pickle_value *keys, const pickle *object,
                                const unsigned char *at, size_t bytes) {
  if (keys->kind != PICKLE_LIST) return kn_status_make(KN_BAD_DATA, "%s has no list of storages", r->path);
  r->storages = kn_alloc_array(keys->list.count, sizeof *r->storages);
  if (!r->storages) return kn_status_out_of_memory();
  for (size_t i = 0; i < keys->list.count; i++) {
    const pickle_value *key = keys->list.items[i];
    uint64_t elements;
    size_t size = key->kind == PICKLE_TEXT ? element_size(object->root, key, 0) : 0, taken;
    if (!size) return kn_status_make(KN_INCOMPATIBLE, "%s has elements that no tensor uses", r->path);
    if (bytes < 8) return kn_status_make(KN_BAD_DATA, "%s ends too early", r->path);
    memcpy(&elements, at, 8);
    if (elements > SIZE_MAX || !kn_mul_size((size_t)elements, size, &taken) || taken > bytes - 8)
      return kn_status_make(KN_BAD_DATA, "%s ends too early", r->path);
    r->storages[r->storage_count++] = (storage_place){.key = key, .data = at + 8, .bytes = taken};
    at += 8 + taken;
    bytes -= 8 + taken;
  }
  return NULL;
}

kn_status state_dict_read(const char *path, state_dict *out_state) {
  char *data;
  size_t bytes;
  *out_state = (state_dict){0};
  KN_TRY(kn_file_read(path, file_limit, &data, &bytes));
  return state_dict_parse(path, data, bytes, out_state);
}

kn_status state_dict_parse(const char *path, char *data, size_t bytes, state_dict *out_state) {
  *out_state = (state_dict){.file = data};
  state_reader r = {.path = path, .state = out_state};
  kn_status status;
  if (zip_is(out_state->file, bytes)) {
    status = zip_parse(path, out_state->file, bytes, &r.archive);
    if (!status) status = read_archive(&r);
  } else if (bytes >= sizeof legacy_start && !memcmp(out_state->file, legacy_start, sizeof legacy_start)) {
    status = read_legacy(&r, (const unsigned char *)out_state->file, bytes);
  } else {
    status = kn_status_make(KN_BAD_DATA, "%s is no file of torch.save", path);
  }
  zip_clear(&r.archive);
  kn_free(r.storages);
  if (status) state_dict_clear(out_state);
  return status;
}

void state_dict_clear(state_dict *state) {
  for (size_t i = 0; i < state->count; i++) {
    kn_free(state->items[i].name);
    kn_free(state->items[i].owned);
  }
  kn_free(state->items);
  kn_free(state->file);
  *state = (state_dict){0};
}

const state_tensor *state_dict_find(const state_dict *state, const char *name) {
  for (size_t i = 0; i < state->count; i++)
    if (!strcmp(state->items[i].name, name)) return &state->items[i];
  return NULL;
}
