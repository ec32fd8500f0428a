// What PyTorch's layers check in Python is put back into the code of a traced module, which has their operators alone.
//
// A scripted module has the checks in its own code. Here they are nodes before the operators, so that a batch is refused
// before a statistic is written.
#include "shim.h"

#include "../../../plugin-api/module-file/cpp/statistics.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <unordered_set>

namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Operator;
using torch::jit::Stack;
using torch::jit::Value;

// Without an output, a node stays in the code for its effects alone: CONSERVATIVE says that it may have some.
constexpr auto HAS_EFFECTS = c10::AliasAnalysisKind::CONSERVATIVE;

const torch::jit::RegisterOperators registered({
    Operator(
        "thaw::check_batch_norm(Tensor input, bool training) -> ()",
        [](Stack& stack) {
          const bool training = torch::jit::pop(stack).toBool();
          const auto input = torch::jit::pop(stack).toTensor();
          if (training) statistics::check_batch(input.sizes());
        },
        HAS_EFFECTS),
    Operator(
        "thaw::check_instance_norm(Tensor input, bool use_input_stats) -> ()",
        [](Stack& stack) {
          const bool of_input = torch::jit::pop(stack).toBool();
          const auto input = torch::jit::pop(stack).toTensor();
          if (of_input) statistics::check_instance(input.sizes());
        },
        HAS_EFFECTS),
    Operator(
        "thaw::check_group_norm(Tensor input, int num_groups) -> ()",
        [](Stack& stack) {
          const auto groups = torch::jit::pop(stack).toInt();
          const auto input = torch::jit::pop(stack).toTensor();
          statistics::check_groups(input.sizes(), groups);
        },
        HAS_EFFECTS),
});

// An operator, its check, and the argument that the check takes beside the input.
struct Checked {
  c10::Symbol op;
  c10::Symbol check;
  const char* argument;
};

const std::vector<Checked>& checked() {
  const auto symbol = [](const char* name) { return c10::Symbol::fromQualString(name); };
  static const std::vector<Checked> all = {
      {symbol("aten::batch_norm"), symbol("thaw::check_batch_norm"), "training"},
      {symbol("aten::instance_norm"), symbol("thaw::check_instance_norm"), "use_input_stats"},
      {symbol("aten::group_norm"), symbol("thaw::check_group_norm"), "num_groups"},
  };
  return all;
}

void add_checks(Block* block) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) add_checks(inner);
    for (const auto& known : checked()) {
      if (node->kind() != known.op) continue;
      Value* argument = node->namedInput(known.argument);
      const auto constant = torch::jit::toIValue(argument);
      if (constant.has_value() && constant->isBool() && !constant->toBool()) continue;
      Node* check = node->owningGraph()->create(known.check, {node->namedInput("input"), argument}, 0);
      check->copyMetadata(node);
      check->insertBefore(node);
    }
  }
}

}  // namespace

namespace shim {

void check_statistics(const std::vector<Entry>& modules) {
  // Modules of one class share its methods.
  std::unordered_set<const torch::jit::Function*> seen;
  for (const auto& entry : modules) {
    for (auto* method : entry.module.type()->methods()) {
      auto* function = torch::jit::tryToGraphFunction(*method);
      if (function != nullptr && seen.insert(method).second) add_checks(function->graph()->block());
    }
  }
}

}  // namespace shim
