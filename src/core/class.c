#include "core/class.h"
#include "core/instance.h"
#include "core/registry.h"

#include <string.h>

_Static_assert(KN_OPTION_LIMIT == 64, "the message says 64");

/* Size of the member that a row fills, 0 for an unknown type. */
static size_t member_size(kn_option_type type) {
  switch (type) {
    case KN_OPTION_BOOL:
      return sizeof(bool);
    case KN_OPTION_INT:
      return sizeof(int64_t);
    case KN_OPTION_FLOAT:
      return sizeof(double);
    case KN_OPTION_STRING:
    case KN_OPTION_PATH:
      return sizeof(char *);
    case KN_OPTION_ENUM:
      return sizeof(int);
    case KN_OPTION_STRING_LIST:
      return sizeof(kn_string_list);
    case KN_OPTION_INT_LIST:
      return sizeof(kn_int_list);
  }
  return 0;
}

static const char *rows_fault(const kn_class *cls) {
  const kn_option *row;
  size_t count = 0;
  for (; (row = kn_option_at(cls, count)); count++) {
    size_t size = member_size(row->type);
    if (!row->help) return "an option has no help";
    if (!size) return "an option has an unknown type";
    if (row->type == KN_OPTION_ENUM && (!row->choices || !row->choices->name)) return "a choice has nothing to choose";
    if (size > cls->instance_size || row->offset > cls->instance_size - size || row->given >= cls->instance_size)
      return "an option lies outside its instance";
  }
  return count > KN_OPTION_LIMIT ? "it has more than 64 options" : NULL;
}

static bool inference_is_whole(const kn_inference_ops *ops) {
  return ops && ops->struct_size == sizeof *ops && ops->load && ops->unload && ops->iospec && ops->set_input &&
         ops->invoke && ops->output && ops->statistics;
}

static const char *functions_fault(const kn_class *cls) {
  switch (cls->kind) {
    case KN_KIND_DATASET: {
      const kn_dataset_ops *ops = cls->ops;
      bool whole = ops->struct_size == sizeof *ops && ops->open && ops->close && ops->info && ops->label && ops->load &&
                   ops->sample_id;
      return whole ? NULL : "its kn_dataset_ops lacks a mandatory function";
    }
    case KN_KIND_MODELWRAPPER: {
      const kn_modelwrapper_ops *ops = cls->ops;
      bool whole = ops->struct_size == sizeof *ops && ops->open && ops->close && ops->framework && ops->format &&
                   ops->iospec && (!ops->inference || inference_is_whole(ops->inference));
      return whole ? NULL : "its kn_modelwrapper_ops lacks a mandatory function";
    }
    case KN_KIND_OPTIMIZER: {
      const kn_optimizer_ops *ops = cls->ops;
      bool whole = ops->struct_size == sizeof *ops && ops->open && ops->close && ops->compile;
      if (whole && (!cls->input_formats || !cls->output_formats)) return "it names no input or output formats";
      return whole ? NULL : "its kn_optimizer_ops lacks a mandatory function";
    }
    case KN_KIND_RUNTIME: {
      const kn_runtime_ops *ops = cls->ops;
      bool whole = ops->struct_size == sizeof *ops && ops->open && ops->close && inference_is_whole(ops->inference);
      if (whole && !cls->input_formats) return "it names no input formats";
      return whole ? NULL : "its kn_runtime_ops lacks a mandatory function";
    }
    case KN_KIND_ONNXCONVERTER: {
      const kn_onnxconverter_ops *ops = cls->ops;
      bool whole =
          ops->struct_size == sizeof *ops && ops->models && ops->export_model && ops->import_model && ops->compare;
      return whole ? NULL : "its kn_onnxconverter_ops lacks a mandatory function";
    }
    default:
      return NULL;
  }
}

const char *kn_class_fault(const kn_class *cls) {
  if (cls->struct_size != sizeof(kn_class)) return "its kn_class has another size";
  const char *last = cls->name ? strrchr(cls->name, '.') : NULL;
  if (!last || !last[1]) return "its name is no dotted path";
  if (cls->kind <= 0 || cls->kind >= KN_KIND_COUNT) return "its kind is unknown";
  if (!cls->summary) return "it has no summary";
  const char *fault = rows_fault(cls);
  if (!fault && !cls->instance_size) fault = "its instance has no size";
  return fault || !cls->ops ? fault : functions_fault(cls);
}
