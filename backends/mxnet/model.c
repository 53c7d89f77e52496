#include "model.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { SYMBOL_LIMIT = 256 << 20 };

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* "X-0012.params": the length of "X"; 0 for other names. */
static size_t stem_of_params(const char *name) {
  if (!ends_with(name, ".params")) return 0;
  size_t stem = strlen(name) - strlen(".params");
  size_t digits = 0;
  while (digits < stem && name[stem - digits - 1] >= '0' && name[stem - digits - 1] <= '9') digits++;
  return digits == 4 && stem > 5 && name[stem - 5] == '-' ? stem - 5 : 0;
}

/* The .params file of the last epoch beside X-symbol.json. */
static kn_status find_params(const char *symbol_path, char **out_path) {
  size_t stem = strlen(symbol_path) - strlen("-symbol.json");
  const char *slash = strrchr(symbol_path, '/');
  size_t directory_length = slash ? (size_t)(slash - symbol_path) + 1 : 0, name_length = stem - directory_length;
  char *directory = directory_length ? kn_strndup(symbol_path, directory_length) : kn_strdup("."), best[8] = "";
  if (!directory) return kn_status_out_of_memory();
  DIR *listing = opendir(directory);
  for (struct dirent *entry; listing && (entry = readdir(listing));) {
    size_t found = stem_of_params(entry->d_name);
    if (found != name_length || strncmp(entry->d_name, symbol_path + directory_length, found) != 0) continue;
    if (strncmp(entry->d_name + found, best, 5) > 0) (void)snprintf(best, sizeof best, "%.5s", entry->d_name + found);
  }
  if (listing) closedir(listing);
  kn_free(directory);
  if (!*best)
    return kn_status_make(KN_NOT_FOUND, "%s has no parameters beside it: there is no file %.*s-NNNN.params",
                          symbol_path, (int)name_length, symbol_path + directory_length);
  *out_path = kn_format("%.*s%s.params", (int)stem, symbol_path, best);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static kn_status read_symbol_file(const char *path, model *m) {
  size_t bytes;
  KN_TRY(kn_file_read(path, SYMBOL_LIMIT, &m->symbol, &bytes));
  return symbol_graph_parse(path, m->symbol, bytes, &m->graph);
}

static kn_status read_params(const char *path, model *m) {
  KN_TRY(kn_file_read(path, INT32_MAX, &m->params, &m->params_bytes));
  return ndarray_list_parse(path, m->params, m->params_bytes, &m->arrays);
}

static kn_status read_both(const char *path, model *m) {
  if (ends_with(path, "-symbol.json")) {
    char *params;
    KN_TRY(read_symbol_file(path, m));
    KN_TRY(find_params(path, &params));
    kn_status status = read_params(params, m);
    kn_free(params);
    return status;
  }
  KN_TRY(read_params(path, m));
  const ndarray *inside = ndarray_list_find(&m->arrays, MODEL_SYMBOL_NAME);
  if (inside) {
    m->symbol = kn_strndup(inside->data, inside->bytes);
    if (!m->symbol) return kn_status_out_of_memory();
    return symbol_graph_parse(path, m->symbol, strlen(m->symbol), &m->graph);
  }
  size_t stem = stem_of_params(path);
  if (!stem)
    return kn_status_make(
        KN_INCOMPATIBLE,
        "%s holds parameters without a graph; an MXNet model is X-symbol.json with X-NNNN.params, or a "
        ".params file that holds its graph",
        path);
  char *symbol = kn_format("%.*s-symbol.json", (int)stem, path);
  if (!symbol) return kn_status_out_of_memory();
  kn_status status = read_symbol_file(symbol, m);
  kn_free(symbol);
  return status;
}

static bool is_prefixed(const ndarray *array, const char *prefix, const char *variable) {
  size_t length = strlen(prefix), rest = strlen(variable);
  return array->name_length == length + rest && memcmp(array->name, prefix, length) == 0 &&
         memcmp(array->name + length, variable, rest) == 0;
}

const ndarray *model_array(const model *opened, const char *variable) {
  for (size_t i = 0; i < opened->arrays.count; i++)
    if (is_prefixed(&opened->arrays.items[i], "arg:", variable) ||
        is_prefixed(&opened->arrays.items[i], "aux:", variable))
      return &opened->arrays.items[i];
  return NULL;
}

/* Names that layers give their parameters: without a value they are missing, not inputs. */
static bool is_parameter_name(const char *name) {
  static const char *const endings[] = {"_weight",      "_bias",       "_gamma",        "_beta",
                                        "_moving_mean", "_moving_var", "_running_mean", "_running_var"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (ends_with(name, endings[i])) return true;
  return false;
}

static kn_status find_inputs(const char *path, model *m) {
  m->inputs = kn_alloc_array(m->graph.variable_count, sizeof *m->inputs);
  if (!m->inputs) return kn_status_out_of_memory();
  for (size_t i = 0; i < m->graph.variable_count; i++) {
    const symbol_variable *variable = &m->graph.variables[i];
    const ndarray *array = model_array(m, variable->name);
    if (array)
      m->weights_bytes += array->bytes;
    else if (variable->role == SYMBOL_STATE || is_parameter_name(variable->name))
      return kn_status_make(KN_BAD_DATA, "%s: the parameters of the model lack '%s'", path, variable->name);
    else if (variable->role == SYMBOL_VALUE)
      m->inputs[m->input_count++] = variable;
  }
  if (!m->input_count) return kn_status_make(KN_BAD_DATA, "%s: the graph takes no data", path);
  return NULL;
}

kn_status model_open(const char *path, model *out_model) {
  *out_model = (model){0};
  kn_status status = read_both(path, out_model);
  if (!status) status = find_inputs(path, out_model);
  if (status) model_clear(out_model);
  return status;
}

void model_clear(model *opened) {
  symbol_graph_clear(&opened->graph);
  ndarray_list_clear(&opened->arrays);
  kn_free(opened->inputs);
  kn_free(opened->symbol);
  kn_free(opened->params);
  *opened = (model){0};
}
