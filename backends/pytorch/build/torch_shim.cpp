#include "torch_shim.h"

#include <torch/script.h>
#include <torch/torch.h>
#include <torch/version.h>
#include <caffe2/serialize/inline_container.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

thread_local std::string error;
/* Where in the code of the model that was, "code/__torch__.py" and the number of a line; empty: not known. */
thread_local std::string place;
thread_local long place_line;

std::string line_at(const char *begin, const char *end) {
  begin += std::strspn(begin, " \t\r\n");
  while (end > begin && std::strchr(" \t\r\n.", end[-1])) end--;
  return std::string(begin, end > begin ? static_cast<size_t>(end - begin) : 0);
}

/* What TorchScript shows of the code: 'File "NAME", line N', lines of it, and the one at fault above "~~~ <--- HERE".
 * The last one is the innermost. */
void keep_place(const char *words) {
  const std::string start = "File \"";
  place.clear();
  const char *file = nullptr;
  for (const char *at = words; (at = std::strstr(at, start.c_str())); at++) file = at + start.size();
  const char *number = file ? std::strstr(file, "\", line ") : nullptr,
             *here = file ? std::strstr(file, "<--- HERE") : nullptr;
  if (!number || !here) return;
  place.assign(file, std::strcspn(file, "\""));
  place_line = std::atol(number + std::strlen("\", line "));
  const auto back = [&](const char *at) {
    while (at > words && at[-1] != '\n') at--;
    return at;
  };
  const char *marks = back(here), *code = marks > words ? back(marks - 1) : marks;
  error += " (" + place + ", line " + std::to_string(place_line) + ": " + line_at(code, marks) + ")";
}

/* The first line that says something: what follows it are frames of C++, or of the code of the model. */
void keep(const char *words) {
  words += std::strspn(words, " \t\r\n");
  error = line_at(words, words + std::strcspn(words, "\n"));
  /* TorchScript's own errors begin with this and say what happened at the end. */
  const std::string start = "The following operation failed in the TorchScript interpreter";
  const char *last = error == start ? std::strstr(words, "RuntimeError: ") : nullptr;
  if (last) error = line_at(last, last + std::strcspn(last, "\n"));
  keep_place(words);
}

template <typename Function>
int32_t guarded(Function &&function) {
  try {
    function();
    return 0;
  } catch (const c10::Error &caught) {
    keep(caught.what_without_backtrace());
  } catch (const std::exception &caught) {
    keep(caught.what());
  } catch (...) {
    error = "an unknown exception";
    place.clear();
  }
  return -1;
}

/* ---- the layer of a place in the code ---- */

/* A class of the code, which is the type of a layer or of the model. */
struct script_class {
  std::string name, file;
  long line;
  std::vector<std::pair<std::string, std::string>> members; /* name, type */
};

/* "  layer7 : __torch__.Layer" or "  __annotations__["0"] = __torch__.Layer" */
void read_member(const std::string &line, script_class &out) {
  const std::string type = "__torch__.", quoted = "  __annotations__[\"";
  const bool number = line.compare(0, quoted.size(), quoted) == 0;
  const size_t from = number ? quoted.size() : 2, to = line.find(number ? "\"] = " : " : ");
  const size_t at = to == std::string::npos ? to : to + (number ? 5 : 3);
  if (line.compare(0, 2, "  ") != 0 || at == std::string::npos || at >= line.size()) return;
  if (to > from && line.compare(at, type.size(), type) == 0)
    out.members.emplace_back(line.substr(from, to - from), line.substr(at));
}

/* "code/__torch__/layers.py" has the classes "__torch__.layers.NAME". */
void read_classes(const std::string &file, const std::string &text, std::vector<script_class> &out) {
  std::string space = file.substr(5, file.size() - 8);
  for (char &c : space) c = c == '/' ? '.' : c;
  std::istringstream lines(text);
  std::string line;
  for (long number = 1; std::getline(lines, line); number++) {
    if (line.compare(0, 6, "class ") == 0)
      out.push_back({space + "." + line.substr(6, line.find('(') - 6), file, number, {}});
    else if (!out.empty() && out.back().file == file)
      read_member(line, out.back());
  }
}

/* "block.layer7", or "" for a place in no layer. */
std::string layer_at(const std::vector<script_class> &classes, const std::string &file, long line) {
  const script_class *at = nullptr;
  for (const script_class &each : classes)
    if (each.file == file && each.line <= line && (!at || at->line < each.line)) at = &each;
  std::string path;
  for (int depth = 0; at && depth < 64; depth++) {
    const script_class *owner = nullptr;
    for (const script_class &each : classes)
      for (const auto &member : each.members) {
        if (owner || member.second != at->name) continue;
        path = path.empty() ? member.first : member.first + "." + path;
        owner = &each;
      }
    at = owner;
  }
  return path;
}

/* The message of a model that cannot be loaded gets the name of the layer. */
void keep_layer(const char *path) {
  const std::string message = error, file = place;
  const long line = place_line;
  if (file.empty()) return;
  std::vector<script_class> classes;
  try {
    caffe2::serialize::PyTorchStreamReader reader(path);
    for (const std::string &name : reader.getAllRecords()) {
      if (name.size() < 9 || name.compare(0, 5, "code/") != 0 || name.compare(name.size() - 3, 3, ".py") != 0) continue;
      const auto record = reader.getRecord(name);
      read_classes(name, std::string(static_cast<const char *>(std::get<0>(record).get()), std::get<1>(record)),
                   classes);
    }
  } catch (const std::exception &) {
    return; /* the message stands without it */
  }
  const std::string layer = layer_at(classes, file, line);
  error = layer.empty() ? message : message + " in the layer '" + layer + "'";
}

at::Tensor view(const torch_shim_tensor &tensor) {
  return torch::from_blob(tensor.data, at::IntArrayRef(tensor.shape, static_cast<size_t>(tensor.rank)),
                          at::TensorOptions().dtype(static_cast<at::ScalarType>(tensor.dtype)));
}

void describe(const at::Tensor &tensor, torch_shim_tensor *out) {
  TORCH_CHECK(tensor.dim() <= TORCH_SHIM_MAX_RANK, "a result has ", tensor.dim(), " dimensions");
  out->data = tensor.data_ptr();
  out->dtype = static_cast<int32_t>(tensor.scalar_type());
  out->rank = static_cast<int32_t>(tensor.dim());
  for (int64_t i = 0; i < tensor.dim(); i++) out->shape[i] = tensor.size(i);
}

/* A tensor, or tensors in tuples, lists and dictionaries, in their order. */
void flatten(const c10::IValue &value, std::vector<at::Tensor> &out) {
  if (value.isTensor()) {
    out.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const auto &element : value.toTupleRef().elements()) flatten(element, out);
  } else if (value.isList()) {
    for (const c10::IValue &element : value.toListRef()) flatten(element, out);
  } else if (value.isGenericDict()) {
    for (const auto &entry : value.toGenericDict()) flatten(entry.value(), out);
  } else {
    TORCH_CHECK(false, "the model returns a ", value.tagKind(), "; tensors are supported");
  }
}

/* Calls of kernels; what TorchScript itself does with numbers and lists is none. */
uint64_t count_operators(const torch::jit::Block *block) {
  uint64_t count = 0;
  for (const torch::jit::Node *node : block->nodes()) {
    const std::string space = node->kind().ns().toUnqualString();
    count += space == "aten" || space == "mkldnn" || space == "prepacked" || space == "mkldnn_prepacked";
    for (const torch::jit::Block *inner : node->blocks()) count += count_operators(inner);
  }
  return count;
}

}  // namespace

struct torch_shim_module {
  torch::jit::Module module;
  std::shared_ptr<torch::jit::CompilationUnit> unit;
  std::string extra;
  std::unordered_map<std::string, int32_t> trained; /* by the name of the parameter */
  std::vector<at::Tensor> inputs;
  std::vector<c10::IValue> arguments;
  c10::IValue result;
  std::vector<at::Tensor> outputs;
  bool flattened = false;
};

extern "C" {

int32_t torch_shim_abi(void) { return TORCH_SHIM_ABI; }
const char *torch_shim_version(void) { return TORCH_VERSION; }
const char *torch_shim_error(void) { return error.c_str(); }

void torch_shim_threads(int32_t threads) {
  (void)guarded([&] { at::set_num_threads(threads); });
}

int32_t torch_shim_load(const char *path, const char *extra, torch_shim_module **out) {
  *out = nullptr;
  const int32_t result = guarded([&] {
    auto loaded = std::make_unique<torch_shim_module>();
    torch::jit::ExtraFilesMap files{{extra, ""}};
    loaded->module = torch::jit::load(path, at::kCPU, files);
    loaded->extra = files[extra];
    *out = loaded.release();
  });
  if (result) keep_layer(path);
  return result;
}

const char *torch_shim_extra(const torch_shim_module *module) { return module->extra.c_str(); }

int32_t torch_shim_create(const char *name, torch_shim_module **out) {
  *out = nullptr;
  return guarded([&] {
    auto made = std::make_unique<torch_shim_module>();
    made->unit = std::make_shared<torch::jit::CompilationUnit>();
    made->module = torch::jit::Module(std::string("__torch__.") + name, made->unit, true);
    made->module.register_attribute("training", c10::BoolType::get(), false);
    *out = made.release();
  });
}

int32_t torch_shim_add(torch_shim_module *module, const char *name, const torch_shim_tensor *value, int32_t trained) {
  return guarded([&] {
    torch::jit::Module at = module->module;
    const char *part = name;
    for (const char *dot; (dot = std::strchr(part, '.')); part = dot + 1) {
      const std::string child(part, static_cast<size_t>(dot - part));
      if (!at.hasattr(child)) {
        torch::jit::Module made("__torch__.Container", module->unit, true);
        made.register_attribute("training", c10::BoolType::get(), false);
        at.register_module(child, made);
      }
      at = at.attr(child).toModule();
    }
    const at::Tensor given = view(*value);
    /* Weights saved in half precision are computed with in single precision. */
    const at::Tensor copy = given.is_floating_point() ? given.to(at::kFloat, false, true) : given.clone();
    if (trained < 0) {
      at.register_buffer(part, copy);
    } else {
      at.register_parameter(part, copy.set_requires_grad(true), false);
      module->trained[name] = trained;
    }
  });
}

int32_t torch_shim_define(torch_shim_module *module, const char *source) {
  return guarded([&] { module->module.define(source); });
}

int32_t torch_shim_prepare(torch_shim_module *module) {
  return guarded([&] {
    module->module.eval();
    torch::jit::Module frozen = torch::jit::freeze(module->module);
    module->module = torch::jit::optimize_for_inference(frozen);
  });
}

int32_t torch_shim_save(torch_shim_module *module, const char *path, const char *extra, const char *extra_text) {
  return guarded([&] {
    torch::jit::ExtraFilesMap files;
    if (extra) files[extra] = extra_text;
    module->module.eval();
    module->module.save(path, files);
  });
}

void torch_shim_free(torch_shim_module *module) {
  (void)guarded([&] { delete module; });
}

int32_t torch_shim_parameters(const torch_shim_module *module, uint64_t *out_bytes, uint64_t *out_operators) {
  *out_bytes = *out_operators = 0;
  return guarded([&] {
    for (const at::Tensor &each : module->module.parameters()) *out_bytes += each.nbytes();
    for (const at::Tensor &each : module->module.buffers()) *out_bytes += each.nbytes();
    *out_operators = count_operators(module->module.get_method("forward").graph()->block());
  });
}

int32_t torch_shim_inputs(torch_shim_module *module, torch_shim_tensor *inputs, int32_t count) {
  return guarded([&] {
    module->inputs.clear();
    module->arguments.clear();
    for (int32_t i = 0; i < count; i++) {
      at::Tensor made = torch::zeros(at::IntArrayRef(inputs[i].shape, static_cast<size_t>(inputs[i].rank)),
                                     at::TensorOptions().dtype(static_cast<at::ScalarType>(inputs[i].dtype)));
      inputs[i].data = made.data_ptr();
      module->inputs.push_back(made);
      module->arguments.emplace_back(made);
    }
    module->outputs.clear();
    module->result = c10::IValue();
    module->flattened = false;
  });
}

int32_t torch_shim_run(torch_shim_module *module) {
  return guarded([&] {
    c10::InferenceMode inference;
    module->flattened = false;
    module->result = module->module.forward(module->arguments);
  });
}

static void flatten_result(torch_shim_module *module) {
  if (module->flattened) return;
  c10::InferenceMode inference;
  module->outputs.clear();
  flatten(module->result, module->outputs);
  for (at::Tensor &each : module->outputs) each = each.contiguous();
  module->flattened = true;
}

int32_t torch_shim_output_count(const torch_shim_module *module) {
  int32_t count = -1;
  (void)guarded([&] {
    std::vector<at::Tensor> found;
    flatten(module->result, found);
    count = static_cast<int32_t>(found.size());
  });
  return count;
}

int32_t torch_shim_output(torch_shim_module *module, int32_t index, torch_shim_tensor *out) {
  return guarded([&] {
    flatten_result(module);
    describe(module->outputs.at(static_cast<size_t>(index)), out);
  });
}
}

/* ---- training ---- */

namespace {

/* Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1. */
constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;

struct piece {
  std::string name;
  at::Tensor value;
  bool weight;
};

struct trained_parameter {
  at::Tensor value, mean, square;
  int32_t when;
};

}  // namespace

struct torch_shim_trainer {
  torch_shim_module *module;
  bool adam;
  std::vector<piece> pieces;
  std::vector<trained_parameter> parameters;
};

static at::Tensor forward(torch_shim_trainer *trainer, const torch_shim_tensor *samples) {
  return trainer->module->module.forward({view(*samples)}).toTensor();
}

static void copy_logits(const at::Tensor &logits, float *out, uint64_t count) {
  const at::Tensor flat = logits.detach().to(at::kFloat).contiguous();
  TORCH_CHECK(static_cast<uint64_t>(flat.numel()) == count, "the model gives ", flat.numel(),
              " values for a batch, not ", count);
  std::memcpy(out, flat.data_ptr<float>(), count * sizeof(float));
}

static void move(torch_shim_trainer *trainer, trained_parameter &parameter, const torch_shim_step *step) {
  const at::Tensor &gradient = parameter.value.grad();
  if (!gradient.defined()) return;
  if (!trainer->adam) {
    parameter.value.add_(gradient, -step->learning_rate);
    return;
  }
  const int64_t before = parameter.when == TORCH_SHIM_ALWAYS ? step->number : step->unfrozen_number;
  const double power = static_cast<double>(before) + 1;
  const double rate = step->learning_rate * std::sqrt(1 - std::pow(beta2, power)) / (1 - std::pow(beta1, power));
  parameter.mean.mul_(beta1).add_(gradient, 1 - beta1);
  parameter.square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  parameter.value.addcdiv_(parameter.mean, parameter.square.sqrt().add_(epsilon), -rate);
}

extern "C" {

int32_t torch_shim_trainer_create(torch_shim_module *module, int32_t optimizer, torch_shim_trainer **out) {
  *out = nullptr;
  return guarded([&] {
    auto made = std::make_unique<torch_shim_trainer>();
    made->module = module;
    made->adam = optimizer == 0;
    for (const auto &each : module->module.named_parameters()) {
      const auto found = module->trained.find(each.name);
      const int32_t when = found == module->trained.end() ? TORCH_SHIM_ALWAYS : found->second;
      made->pieces.push_back({each.name, each.value, true});
      if (when == TORCH_SHIM_NEVER) continue;
      trained_parameter parameter{each.value, {}, {}, when};
      if (made->adam) {
        parameter.mean = torch::zeros_like(each.value);
        parameter.square = torch::zeros_like(each.value);
        made->pieces.push_back({each.name + "/adam_mean", parameter.mean, false});
        made->pieces.push_back({each.name + "/adam_square", parameter.square, false});
      }
      made->parameters.push_back(parameter);
    }
    for (const auto &each : module->module.named_buffers())
      if (each.value.scalar_type() == at::kFloat) made->pieces.push_back({each.name, each.value, true});
    *out = made.release();
  });
}

void torch_shim_trainer_free(torch_shim_trainer *trainer) {
  (void)guarded([&] { delete trainer; });
}

int32_t torch_shim_trainer_count(const torch_shim_trainer *trainer) {
  return static_cast<int32_t>(trainer->pieces.size());
}

const char *torch_shim_trainer_tensor(const torch_shim_trainer *trainer, int32_t index, uint64_t *out_elements,
                                      int32_t *out_weight) {
  const piece &each = trainer->pieces[static_cast<size_t>(index)];
  *out_elements = static_cast<uint64_t>(each.value.numel());
  *out_weight = each.weight;
  return each.name.c_str();
}

int32_t torch_shim_trainer_fetch(torch_shim_trainer *trainer, int32_t index, float *out_values) {
  return guarded([&] {
    torch::NoGradGuard no_gradient;
    const at::Tensor value = trainer->pieces.at(static_cast<size_t>(index)).value.contiguous();
    std::memcpy(out_values, value.data_ptr<float>(), value.nbytes());
  });
}

int32_t torch_shim_trainer_store(torch_shim_trainer *trainer, int32_t index, const float *values) {
  return guarded([&] {
    torch::NoGradGuard no_gradient;
    at::Tensor value = trainer->pieces.at(static_cast<size_t>(index)).value;
    value.copy_(torch::from_blob(const_cast<float *>(values), value.sizes(), at::kFloat));
  });
}

int32_t torch_shim_trainer_step(torch_shim_trainer *trainer, const torch_shim_tensor *samples, const int64_t *labels,
                                const float *weights, const torch_shim_step *step, float *out_logits,
                                uint64_t logits_count) {
  return guarded([&] {
    torch::manual_seed(step->seed);
    trainer->module->module.train();
    for (trained_parameter &each : trainer->parameters) {
      each.value.set_requires_grad(each.when == TORCH_SHIM_ALWAYS || step->unfrozen);
      each.value.mutable_grad().reset();
    }
    const at::Tensor logits = forward(trainer, samples);
    copy_logits(logits, out_logits, logits_count);
    const at::Tensor targets = torch::from_blob(const_cast<int64_t *>(labels), {samples->shape[0]}, at::kLong);
    const at::Tensor factors = torch::from_blob(const_cast<float *>(weights), {samples->shape[0]}, at::kFloat);
    const at::Tensor losses = at::cross_entropy_loss(logits, targets, {}, at::Reduction::None);
    (losses * factors).mean().backward();
    torch::NoGradGuard no_gradient;
    for (trained_parameter &each : trainer->parameters) move(trainer, each, step);
  });
}

int32_t torch_shim_trainer_evaluate(torch_shim_trainer *trainer, const torch_shim_tensor *samples, float *out_logits,
                                    uint64_t logits_count) {
  return guarded([&] {
    torch::NoGradGuard no_gradient;
    trainer->module->module.eval();
    copy_logits(forward(trainer, samples), out_logits, logits_count);
  });
}
}
