// Tensors of a module that are neither parameters nor buffers: plain attributes, what is in their lists and
// dictionaries, and constants of the code. Nobody lists them; they follow the module to its device and precision.
#include "shim.h"

#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <unordered_set>

namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
namespace attr = c10::attr;
namespace prim = c10::prim;

using Change = std::function<at::Tensor(const at::Tensor&)>;

// The value with its tensors changed, in what holds them, too.
c10::IValue changed(const c10::IValue& value, const Change& change) {
  if (value.isTensor()) return value.toTensor().defined() ? change(value.toTensor()) : value;
  if (value.isTuple()) {
    std::vector<c10::IValue> elements;
    for (const auto& element : value.toTupleRef().elements()) elements.push_back(changed(element, change));
    return c10::ivalue::Tuple::createNamed(std::move(elements), value.toTuple()->type());
  }
  // A list or a dictionary keeps its identity: others may hold it.
  if (value.isList()) {
    auto list = value.toList();
    for (size_t i = 0; i < list.size(); ++i) list.set(i, changed(list.get(i), change));
  } else if (value.isGenericDict()) {
    auto entries = value.toGenericDict();
    for (const auto& entry : entries) entry.setValue(changed(entry.value(), change));
  }
  return value;
}

void change_attributes(const Module& module, const Change& change) {
  const auto type = module.type();
  for (size_t slot = 0; slot < type->numAttributes(); ++slot) {
    if (type->is_parameter(slot) || type->is_buffer(slot) || type->getAttribute(slot)->is_module()) continue;
    const auto value = module._ivalue()->getSlot(slot);
    if (value.isPtrType()) module._ivalue()->setSlot(slot, changed(value, change));
  }
}

using Seen = std::unordered_set<const Graph*>;

void change_constants(Block* block, const Change& change, Seen& seen);

void change_graph(Graph* graph, const Change& change, Seen& seen) {
  if (seen.insert(graph).second) change_constants(graph->block(), change, seen);
}

void change_constants(Block* block, const Change& change, Seen& seen) {
  for (Node* node : block->nodes()) {
    if (node->kind() == prim::Constant && node->hasAttribute(attr::value)) {
      const auto kind = node->kindOf(attr::value);
      // A scalar goes with tensors of any device, and code that asks for its value would wait for a GPU.
      const auto unless_scalar = [&](const at::Tensor& tensor) { return tensor.dim() == 0 ? tensor : change(tensor); };
      if (kind == torch::jit::AttributeKind::t) {
        node->t_(attr::value, unless_scalar(node->t(attr::value)));
      } else if (kind == torch::jit::AttributeKind::ival) {
        node->ival_(attr::value, changed(node->ival(attr::value), unless_scalar));
      }
    } else if (node->kind() == prim::CallFunction) {
      const auto type = node->input(0)->type()->cast<c10::FunctionType>();
      auto* function = type == nullptr ? nullptr : torch::jit::tryToGraphFunction(*type->function());
      if (function != nullptr) change_graph(function->graph().get(), change, seen);
    }
    for (Block* inner : node->blocks()) change_constants(inner, change, seen);
  }
}

// Before the code has run: what ran once keeps the constants that it had.
void change_loose(const shim::Script& script, const Change& change) {
  Seen seen;
  for (const auto& entry : script.modules) {
    change_attributes(entry.module, change);
    for (auto* method : entry.module.type()->methods()) {
      auto* function = torch::jit::tryToGraphFunction(*method);
      if (function != nullptr) change_graph(function->graph().get(), change, seen);
    }
  }
}

}  // namespace

namespace shim {

void follow(Script& script, const at::Device& device) {
  if (script.device == device) return;
  change_loose(script, [&](const at::Tensor& tensor) { return tensor.to(device); });
  script.device = device;
}

}  // namespace shim

extern "C" {

// To a device by its name in PyTorch.
Status thaw_script_follow(shim::Script* script, const char* device, char** error) {
  return shim::guarded(error, [&] { shim::follow(*script, at::Device(device)); });
}

// Floating-point numbers of other widths become float32, as parameters and buffers do.
Status thaw_script_loose_to_float32(shim::Script* script, char** error) {
  return shim::guarded(error, [&] {
    change_loose(*script, [](const at::Tensor& tensor) {
      return at::isFloatingType(tensor.scalar_type()) ? tensor.to(at::kFloat) : tensor;
    });
  });
}

// How many lie on a device, and how many of them are of another width than float32.
Status thaw_script_count_loose(
    const shim::Script* script, const char* device, size_t* there, size_t* others, char** error) {
  return shim::guarded(error, [&] {
    const at::Device wanted(device);
    *there = *others = 0;
    change_loose(*script, [&](const at::Tensor& tensor) {
      if (tensor.device() == wanted) {
        ++*there;
        if (at::isFloatingType(tensor.scalar_type()) && tensor.scalar_type() != at::kFloat) ++*others;
      }
      return tensor;
    });
  });
}

}  // extern "C"
