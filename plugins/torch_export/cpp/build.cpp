// Building a graph node by node. All that can be checked is checked here: nothing runs before the whole file is accepted.
#include "graph.h"

#include <ATen/core/op_registration/op_registration.h>

#include <memory>

namespace {

using graph::Graph;
using graph::Node;

size_t append(Graph* graph, size_t block, Node node) {
  graph->nodes.push_back(std::move(node));
  graph->blocks.at(block).push_back(graph->nodes.size() - 1);
  return graph->nodes.size() - 1;
}

// How an argument or output is tied to the memory of others: 0 not at all, 1 it may share, 2 it is written.
int sharing(const c10::Argument& argument) {
  const auto* info = argument.alias_info();
  if (info == nullptr) return 0;
  return info->isWrite() ? 2 : 1;
}

// Norms in the forms that torch.export and its decompositions leave.
void add_check(Node& node) {
  struct Known {
    const char* name;
    graph::Check check;
    const char* argument;
  };
  static const Known all[] = {
      {"aten::batch_norm", graph::Check::BATCH, "training"},
      {"aten::native_batch_norm", graph::Check::BATCH, "training"},
      {"aten::_native_batch_norm_legit", graph::Check::BATCH, "training"},
      {"aten::_native_batch_norm_legit_functional", graph::Check::BATCH, "training"},
      {"aten::instance_norm", graph::Check::INSTANCE, "use_input_stats"},
      {"aten::group_norm", graph::Check::GROUPS, "num_groups"},
  };
  const auto& schema = node.op->schema();
  for (const auto& known : all) {
    const auto position = schema.argumentIndexWithName(known.argument);
    if (schema.name() != known.name || !position.has_value()) continue;
    node.check = known.check;
    node.checked = *position;
  }
}

}  // namespace

extern "C" {

void thaw_graph_free_text(char* text) { std::free(text); }

Graph* thaw_graph_new() { return new Graph(); }

void thaw_graph_free(Graph* graph) { delete graph; }

void thaw_graph_set_slots(Graph* graph, size_t slots) { graph->slots = slots; }

size_t thaw_graph_block(Graph* graph) {
  graph->blocks.emplace_back();
  return graph->blocks.size() - 1;
}

// A parameter, buffer or constant of the program, which has a slot from the start of every run.
Status thaw_graph_bind(Graph* graph, int64_t slot, TensorPtr tensor, char** error) {
  return graph::guarded(error, [&] { graph->bound.emplace_back(slot, *tensor); });
}

// A call of an operator. `shares` is told how each argument and then each output may share memory, and `random` whether
// the operator draws from a generator.
Status thaw_graph_operator(
    Graph* graph, size_t block, const char* name, const char* overload, const char* place, size_t* node, bool* random,
    void* list, void (*shares)(void*, const char*, int, bool), char** error) {
  return graph::guarded(error, [&] {
    auto op = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!op.has_value()) throw std::runtime_error("libtorch has no such operator");
    Node made;
    made.op = *op;
    made.place = place;
    made.operands.resize(op->schema().arguments().size());
    add_check(made);
    for (const auto& argument : op->schema().arguments()) shares(list, argument.name().c_str(), sharing(argument), false);
    for (const auto& output : op->schema().returns()) shares(list, "", sharing(output), true);
    *random = op->hasTag(at::Tag::nondeterministic_seeded);
    *node = append(graph, block, std::move(made));
  });
}

Status thaw_graph_python(Graph* graph, size_t block, const char* name, const char* place, size_t* node, char** error) {
  return graph::guarded(error, [&] {
    if (!graph::is_python_operator(name)) throw std::runtime_error("it is no operator on numbers that is known here");
    Node made;
    made.python = name;
    made.place = place;
    *node = append(graph, block, std::move(made));
  });
}

// kind: 1 gradients on or off, 2 autocast, 3 a condition with two blocks.
Status thaw_graph_region(
    Graph* graph, size_t block, int kind, const size_t* blocks, size_t n, const char* place, size_t* node, char** error) {
  return graph::guarded(error, [&] {
    Node made;
    made.region = static_cast<graph::Region>(kind);
    made.blocks.assign(blocks, blocks + n);
    made.place = place;
    *node = append(graph, block, std::move(made));
  });
}

// What a block of a region gives, in the order of the region's outputs.
Status thaw_graph_results(Graph* graph, size_t node, const int64_t* slots, size_t n, char** error) {
  return graph::guarded(error, [&] { graph->nodes.at(node).results.emplace_back(slots, slots + n); });
}

// An argument by name; of Python's operators and of regions the next one.
Status thaw_graph_argument(Graph* graph, size_t node, const char* name, const Value* value, char** error) {
  return graph::guarded(error, [&] {
    auto& target = graph->nodes.at(node);
    if (!target.op.has_value()) {
      target.operands.emplace_back(graph::plain_operand(*value));
      return;
    }
    const auto position = target.op->schema().argumentIndexWithName(name);
    if (!position.has_value()) throw std::runtime_error(std::string("it has no argument `") + name + "`");
    auto& operand = target.operands.at(*position);
    if (operand.has_value()) throw std::runtime_error(std::string("its argument `") + name + "` is given twice");
    operand = graph::operand_for(target.op->schema().arguments()[*position], *value);
  });
}

// Ends a node: defaults stand in for what was not given.
Status thaw_graph_close(Graph* graph, size_t node, const int64_t* outputs, size_t n, char** error) {
  return graph::guarded(error, [&] {
    auto& target = graph->nodes.at(node);
    target.outputs.assign(outputs, outputs + n);
    if (!target.op.has_value()) return;
    const auto& schema = target.op->schema();
    for (size_t i = 0; i < target.operands.size(); ++i) {
      if (target.operands[i].has_value()) continue;
      const auto& parameter = schema.arguments()[i];
      if (!parameter.default_value().has_value())
        throw std::runtime_error("its argument `" + parameter.name() + "` is missing");
      graph::Operand operand;
      operand.constant = *parameter.default_value();
      target.operands[i] = std::move(operand);
    }
  });
}

// The rule by which a node follows the mode of its module; `argument` names what it sets, `source` a slot.
Status thaw_graph_rule(
    Graph* graph, size_t node, int rule, size_t module, const char* argument, int64_t source, char** error) {
  return graph::guarded(error, [&] {
    auto& target = graph->nodes.at(node);
    target.rule = static_cast<ModeRule>(rule);
    target.module = module;
    target.source = source;
    if (rule != FLAG && rule != PROBABILITY) return;
    const auto position = target.op->schema().argumentIndexWithName(argument);
    if (!position.has_value()) throw std::runtime_error(std::string("it has no argument `") + argument + "`");
    target.argument = static_cast<size_t>(*position);
  });
}

}  // extern "C"
