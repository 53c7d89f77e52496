#include "pipeline/sources.h"

#include <kenning/resource.h>

#include "core/uri.h"

enum { MAX_BLOCKS = 4 };

static kn_status fetch_text(const kn_option *row, const char *text, char **out_path) {
  if (row->flags & KN_OPTION_DIRECTORY) return kn_resource_fetch_directory(text, out_path);
  return row->flags & KN_OPTION_MODEL ? kn_resource_fetch_model(text, out_path) : kn_resource_fetch(text, out_path);
}

static kn_status replace(kn_sources *sources, char **option, char *path) {
  kn_source *items = kn_realloc(sources->items, (sources->count + 1) * sizeof *items);
  if (!items) {
    kn_free(path);
    return kn_status_out_of_memory();
  }
  sources->items = items;
  items[sources->count++] = (kn_source){option, *option};
  *option = path;
  return NULL;
}

/* `fetch` false: only judges. */
static kn_status visit_row(const kn_instance *instance, const kn_option *row, bool fetch, kn_sources *sources) {
  if (row->type != KN_OPTION_PATH) return NULL;
  char **option = (char **)(void *)((char *)instance->self + row->offset), *path;
  if (!*option || !kn_uri_is(*option)) return NULL;
  if (!fetch)
    return kn_resource_is_remote(*option) && !(row->flags & KN_OPTION_RESOURCE)
               ? kn_status_make_at(KN_INVALID_ARGUMENT, instance->where, "'%s' is %s, but takes a path on this machine",
                                   row->name, *option)
               : NULL;
  kn_status status = fetch_text(row, *option, &path);
  if (!status) return replace(sources, option, path);
  return kn_status_annotate(status, "as '%s'%s%s", row->name, instance->where ? " at " : "",
                            instance->where ? instance->where : "");
}

static kn_status visit(const kn_instance *instance, bool fetch, kn_sources *sources) {
  if (!instance->cls) return NULL;
  const kn_option *row;
  kn_status faults = NULL;
  for (size_t i = 0; (row = kn_option_at(instance->cls, i)); i++) {
    faults = kn_status_join(faults, visit_row(instance, row, fetch, sources));
    if (fetch && faults) return faults;
  }
  return faults;
}

static kn_status visit_all(const kn_scenario *scenario, bool fetch, kn_sources *sources) {
  const kn_instance *blocks[MAX_BLOCKS] = {&scenario->dataset, &scenario->model_wrapper, &scenario->runtime,
                                           &scenario->runtime_protocol};
  kn_status faults = NULL;
  for (size_t i = 0; i < MAX_BLOCKS + scenario->optimizer_count; i++) {
    const kn_instance *block = i < MAX_BLOCKS ? blocks[i] : &scenario->optimizers[i - MAX_BLOCKS];
    faults = kn_status_join(faults, visit(block, fetch, sources));
    if (fetch && faults) return faults;
  }
  return faults;
}

kn_status kn_sources_fetch(const kn_scenario *scenario, kn_sources *out_sources) {
  *out_sources = (kn_sources){0};
  KN_TRY(visit_all(scenario, false, out_sources));
  return visit_all(scenario, true, out_sources);
}

void kn_sources_restore(kn_sources *sources) {
  for (size_t i = sources->count; i-- > 0;) {
    kn_free(*sources->items[i].option);
    *sources->items[i].option = sources->items[i].original;
  }
  kn_free(sources->items);
  *sources = (kn_sources){0};
}

bool kn_sources_downloaded(const kn_sources *sources, const char *const *option) {
  for (size_t i = 0; i < sources->count; i++)
    if ((const char *const *)sources->items[i].option == option)
      return kn_resource_is_remote(sources->items[i].original);
  return false;
}
