// Running a plan of a graph.
#include "graph.h"

#include "../../../plugin-api/module-file/cpp/statistics.h"

#include <ATen/ScalarOps.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include <map>
#include <set>

namespace {

using graph::Graph;
using graph::Node;
using graph::Operand;
using graph::Plan;
using graph::Slot;

struct Run {
  const Graph& graph;
  const uint8_t* modes;
  size_t count;
  c10::Device device;
  std::vector<c10::IValue> values;

  uint8_t mode_of(const Node& node) const { return node.module < count ? modes[node.module] : uint8_t{0}; }
};

c10::IValue taken(const Run& run, const Operand& operand) {
  switch (operand.kind) {
    case Operand::FROM_SLOT: {
      const auto& value = run.values[operand.slots[0]];
      if (!operand.wraps_number || value.isTensor()) return value;
      return at::native::wrapped_scalar_tensor(value.toScalar());
    }
    case Operand::INT_LIST: {
      std::vector<int64_t> numbers = operand.integers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (operand.slots[i] >= 0) numbers[i] = run.values[operand.slots[i]].toInt();
      }
      return c10::IValue(numbers);
    }
    case Operand::TENSOR_LIST: {
      c10::List<at::Tensor> list;
      for (const auto slot : operand.slots) list.push_back(run.values[slot].toTensor());
      return list;
    }
    case Operand::OPTIONAL_TENSOR_LIST: {
      c10::List<std::optional<at::Tensor>> list;
      for (const auto slot : operand.slots)
        list.push_back(slot < 0 ? std::nullopt : std::optional<at::Tensor>(run.values[slot].toTensor()));
      return list;
    }
    case Operand::RUN_DEVICE: return run.device;
    default: return operand.constant;
  }
}

// Statistics that are to stay are not handed over: the batch's own are computed all the same.
void keep_statistics(const Node& node, std::vector<c10::IValue>& stack) {
  for (const auto* name : {"running_mean", "running_var"}) {
    const auto position = node.op->schema().argumentIndexWithName(name);
    if (position.has_value()) stack[*position] = c10::IValue();
  }
}

void follow_mode(const Run& run, const Node& node, std::vector<c10::IValue>& stack) {
  const auto mode = run.mode_of(node);
  const bool trains = (mode & TRAINING) != 0;
  if (node.rule == FLAG) {
    stack[node.argument] = trains;
    if (trains && (mode & TRACKING) == 0) keep_statistics(node, stack);
  } else if (node.rule == PROBABILITY && !trains) {
    stack[node.argument] = 0.0;
  }
}

// The input of a norm is its first argument.
void check_statistics(const Node& node, const std::vector<c10::IValue>& stack) {
  const auto size = stack.at(0).toTensor().sizes();
  const auto& argument = stack.at(node.checked);
  if (node.check == graph::Check::BATCH && argument.toBool()) statistics::check_batch(size);
  if (node.check == graph::Check::INSTANCE && argument.toBool()) statistics::check_instance(size);
  if (node.check == graph::Check::GROUPS) statistics::check_groups(size, argument.toInt());
}

bool is_left_out(const Run& run, const Node& node) {
  const auto mode = run.mode_of(node);
  switch (node.rule) {
    case COUNTER: return mode != (TRAINING | TRACKING);
    case TRAINING_ONLY:
    case PASS_THROUGH: return (mode & TRAINING) == 0;
    default: return false;
  }
}

void store(Run& run, const Node& node, std::vector<c10::IValue>& stack) {
  if (node.outputs.size() == 1) {
    if (stack.size() == 1 && stack[0].isTensorList()) {
      run.values[node.outputs[0]] = stack[0].toTensorVector().at(0);
      return;
    }
    if (stack.size() == 1) run.values[node.outputs[0]] = std::move(stack[0]);
    return;
  }
  // A list of tensors is as many values of the program.
  if (stack.size() == 1 && stack[0].isTensorList()) {
    const auto list = stack[0].toTensorVector();
    if (list.size() != node.outputs.size())
      throw std::runtime_error("it gives " + std::to_string(list.size()) + " tensors, the file has " +
                               std::to_string(node.outputs.size()));
    for (size_t i = 0; i < list.size(); ++i) run.values[node.outputs[i]] = list[i];
    return;
  }
  for (size_t i = 0; i < node.outputs.size() && i < stack.size(); ++i) {
    if (node.outputs[i] >= 0) run.values[node.outputs[i]] = std::move(stack[i]);
  }
}

void run_block(Run& run, const std::vector<size_t>& nodes);

void run_region(Run& run, const Node& node) {
  std::vector<c10::IValue> arguments;
  for (const auto& operand : node.operands) arguments.push_back(taken(run, *operand));
  size_t chosen = 0;
  if (node.region == graph::Region::SET_GRAD_ENABLED) {
    // Never on where the caller has it off: a validation stays one.
    const c10::AutoGradMode guard(arguments.at(0).toBool() && c10::GradMode::is_enabled());
    run_block(run, run.graph.blocks[node.blocks.at(0)]);
  } else if (node.region == graph::Region::AUTOCAST) {
    const auto device = run.device.type();
    const bool was_enabled = at::autocast::is_autocast_enabled(device);
    const auto was_type = at::autocast::get_autocast_dtype(device);
    const bool was_caching = at::autocast::is_autocast_cache_enabled();
    struct Restore {
      at::DeviceType device;
      bool enabled;
      at::ScalarType type;
      bool caching;
      ~Restore() {
        if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
        at::autocast::set_autocast_enabled(device, enabled);
        at::autocast::set_autocast_dtype(device, type);
        at::autocast::set_autocast_cache_enabled(caching);
      }
    };
    at::autocast::increment_nesting();
    const Restore restore{device, was_enabled, was_type, was_caching};
    at::autocast::set_autocast_enabled(device, arguments.at(2).toBool());
    if (arguments.at(1).isInt()) at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(arguments.at(1).toInt()));
    if (arguments.size() > 3 && arguments.at(3).isBool()) at::autocast::set_autocast_cache_enabled(arguments.at(3).toBool());
    run_block(run, run.graph.blocks[node.blocks.at(0)]);
  } else {
    const auto& predicate = arguments.at(0);
    const bool holds = predicate.isTensor() ? predicate.toTensor().item().toBool() : predicate.toBool();
    chosen = holds ? 0 : 1;
    run_block(run, run.graph.blocks[node.blocks.at(chosen)]);
  }
  const auto& results = node.results.at(chosen);
  for (size_t i = 0; i < node.outputs.size(); ++i) run.values[node.outputs[i]] = run.values[results.at(i)];
}

void run_node(Run& run, const Node& node) {
  if (is_left_out(run, node)) {
    if (node.rule == PASS_THROUGH) run.values[node.outputs.at(0)] = run.values[node.source];
    return;
  }
  if (node.region != graph::Region::NO) return run_region(run, node);
  std::vector<c10::IValue> stack;
  stack.reserve(node.operands.size());
  for (const auto& operand : node.operands) stack.push_back(taken(run, *operand));
  if (!node.op.has_value()) {
    run.values[node.outputs.at(0)] = graph::python_call(node.python, stack);
    return;
  }
  if (node.rule != ALWAYS) follow_mode(run, node, stack);
  if (node.check != graph::Check::NOTHING) check_statistics(node, stack);
  node.op->callBoxed(stack);
  store(run, node, stack);
}

void run_named(Run& run, const Node& node) {
  try {
    run_node(run, node);
  } catch (const c10::Error& e) {
    if (node.region != graph::Region::NO) throw;
    throw std::runtime_error(node.place + ": " + e.what_without_backtrace());
  } catch (const std::exception& e) {
    if (node.region != graph::Region::NO) throw;
    throw std::runtime_error(node.place + ": " + e.what());
  }
}

void run_block(Run& run, const std::vector<size_t>& nodes) {
  for (const auto node : nodes) run_named(run, run.graph.nodes[node]);
}

// Every slot that a node reads, nested blocks included.
void reads(const Graph& graph, const Node& node, std::set<Slot>& slots) {
  for (const auto& operand : node.operands) {
    for (const auto slot : operand->slots) {
      if (slot >= 0) slots.insert(slot);
    }
  }
  if (node.source >= 0) slots.insert(node.source);
  for (const auto& results : node.results) slots.insert(results.begin(), results.end());
  for (const auto block : node.blocks) {
    for (const auto inner : graph.blocks[block]) {
      const auto& nested = graph.nodes[inner];
      reads(graph, nested, slots);
      slots.insert(nested.outputs.begin(), nested.outputs.end());
    }
  }
}

}  // namespace

extern "C" {

// Some nodes of the program in order, and the slots that are wanted at their end.
Status thaw_graph_plan(
    Graph* graph, const size_t* nodes, size_t n, const int64_t* outputs, size_t n_outputs, size_t* number, char** error) {
  return graph::guarded(error, [&] {
    Plan plan;
    plan.nodes.assign(nodes, nodes + n);
    plan.outputs.assign(outputs, outputs + n_outputs);
    plan.last_uses.resize(n);
    std::set<Slot> later(plan.outputs.begin(), plan.outputs.end());
    for (const auto& bound : graph->bound) later.insert(bound.first);
    for (size_t i = n; i-- > 0;) {
      const auto& node = graph->nodes.at(plan.nodes[i]);
      std::set<Slot> used;
      reads(*graph, node, used);
      for (const auto output : node.outputs) {
        if (output >= 0) used.insert(output);
      }
      for (const auto slot : used) {
        if (later.insert(slot).second) plan.last_uses[i].push_back(slot);
      }
    }
    graph->plans.push_back(std::move(plan));
    *number = graph->plans.size() - 1;
  });
}

// Runs a plan. `outputs` has room for as many tensors as the plan gives; they are the caller's.
Status thaw_graph_run(
    Graph* graph, size_t plan, const uint8_t* modes, size_t n_modes, const int64_t* slots, const TensorPtr* inputs, size_t n,
    TensorPtr* outputs, char** error) {
  return graph::guarded(error, [&] {
    const auto& chosen = graph->plans.at(plan);
    auto device = n > 0 ? inputs[0]->device() : c10::Device(c10::kCPU);
    for (const auto& bound : graph->bound) {
      if (bound.second.requires_grad() || bound.second.is_floating_point()) {
        device = bound.second.device();
        break;
      }
    }
    Run run{*graph, modes, n_modes, device, std::vector<c10::IValue>(graph->slots)};
    for (auto& [slot, tensor] : graph->bound) {
      // What the host does not know of, such as a constant of the code, follows here.
      if (tensor.device() != device) tensor = tensor.detach().to(device).set_requires_grad(tensor.requires_grad());
      run.values[slot] = tensor;
    }
    for (size_t i = 0; i < n; ++i) run.values[slots[i]] = *inputs[i];
    for (size_t i = 0; i < chosen.nodes.size(); ++i) {
      run_named(run, graph->nodes[chosen.nodes[i]]);
      for (const auto slot : chosen.last_uses[i]) run.values[slot] = c10::IValue();
    }
    for (size_t i = 0; i < chosen.outputs.size(); ++i) {
      const auto& value = run.values[chosen.outputs[i]];
      outputs[i] = new at::Tensor(value.isTensor() ? value.toTensor() : at::native::wrapped_scalar_tensor(value.toScalar()));
    }
  });
}

}  // extern "C"
