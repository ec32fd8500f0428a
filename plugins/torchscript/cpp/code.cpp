// What a module's code says: whether it knows two modes, and whether it only runs its children in turn.
#include "shim.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <unordered_map>
#include <unordered_set>

namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = c10::prim;
namespace attr = c10::attr;

struct Flags {
  bool read = false;
  bool always_train = false;
  bool always_eval = false;
};

// Arguments of libtorch's operators that are `training` of the module that calls them.
bool is_mode(const std::string& argument) {
  return argument == "training" || argument == "train" || argument == "use_input_stats";
}

using Constants = std::unordered_map<const Value*, c10::IValue>;

std::optional<c10::IValue> constant(const Value* value, const Constants& given) {
  if (const auto found = given.find(value); found != given.end()) return found->second;
  return torch::jit::toIValue(value);
}

void scan(const Block* block, const Constants& given, Flags& flags, int depth);

// Functions take the flag as an argument: with a constant, what is in them runs in one mode.
void scan_callee(const Node* call, const Constants& given, Flags& flags, int depth) {
  const auto type = call->input(0)->type()->cast<c10::FunctionType>();
  const auto* function = type == nullptr ? nullptr : torch::jit::tryToGraphFunction(*type->function());
  if (function == nullptr || depth > 16) return;
  const auto graph = const_cast<torch::jit::GraphFunction*>(function)->graph();
  Constants arguments;
  for (size_t i = 1; i < call->inputs().size() && i - 1 < graph->inputs().size(); ++i) {
    if (const auto value = constant(call->input(i), given)) arguments.emplace(graph->inputs()[i - 1], *value);
  }
  scan(graph->block(), arguments, flags, depth + 1);
}

void scan(const Block* block, const Constants& given, Flags& flags, int depth) {
  for (const Node* node : block->nodes()) {
    if (node->kind() == prim::GetAttr && node->s(attr::name) == "training") flags.read = true;
    if (node->kind() == prim::CallFunction) scan_callee(node, given, flags, depth);
    if (const auto* schema = node->maybeSchema()) {
      for (size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
        if (!is_mode(schema->arguments()[i].name())) continue;
        const auto value = constant(node->input(i), given);
        if (value.has_value() && value->isBool()) (value->toBool() ? flags.always_train : flags.always_eval) = true;
      }
    }
    for (const Block* inner : node->blocks()) scan(inner, given, flags, depth);
  }
}

}  // namespace

namespace shim {

Mode mode_of(const torch::jit::Module& module) {
  Flags flags;
  for (auto* method : module.type()->methods()) {
    auto* function = torch::jit::tryToGraphFunction(*method);
    if (function != nullptr) scan(function->graph()->block(), {}, flags, 0);
  }
  if (flags.read) return FREE;
  if (flags.always_train) return ALWAYS_TRAIN;
  return flags.always_eval ? ALWAYS_EVAL : NONE;
}

std::vector<std::string> chain_of(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  if (!forward.has_value()) return {};
  const auto graph = forward->graph();
  if (graph->inputs().size() != 2 || graph->outputs().size() != 1) return {};
  const Value* self = graph->inputs()[0];
  const Value* current = graph->inputs()[1];
  std::unordered_map<const Value*, std::string> children;
  std::vector<std::string> chain;
  for (const Node* node : graph->nodes()) {
    if (node->kind() == prim::GetAttr && node->input(0) == self && node->output()->type()->is_module()) {
      children.emplace(node->output(), node->s(attr::name));
    } else if (node->kind() == prim::CallMethod && node->s(attr::name) == "forward" && node->inputs().size() == 2) {
      const auto child = children.find(node->input(0));
      if (child == children.end() || node->input(1) != current) return {};
      current = node->output();
      if (!current->type()->isSubtypeOf(*c10::TensorType::get())) return {};
      chain.push_back(child->second);
    } else {
      return {};
    }
  }
  return graph->outputs()[0] == current ? chain : std::vector<std::string>{};
}

std::vector<Argument> arguments_of(const torch::jit::Module& module) {
  std::vector<Argument> arguments;
  const auto& schema = module.get_method("forward").function().getSchema();
  for (size_t i = 1; i < schema.arguments().size(); ++i) {
    const auto& argument = schema.arguments()[i];
    arguments.push_back({argument.name(), !argument.default_value().has_value()});
  }
  return arguments;
}

}  // namespace shim
