// Running a module, and its result as a flat list of tensors.
#include "shim.h"

#include <memory>

namespace {

std::string joined(const std::string& name, const std::string& part) { return name.empty() ? part : name + "." + part; }

// Tuples and lists by position, named tuples and dictionaries by name; what is no tensor is left out.
void flatten(const c10::IValue& value, const std::string& name, shim::Outputs& outputs) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) outputs.tensors.emplace_back(name, value.toTensor());
  } else if (value.isTuple()) {
    const auto tuple = value.toTuple();
    const auto& schema = tuple->type()->schema();
    const auto& elements = tuple->elements();
    for (size_t i = 0; i < elements.size(); ++i) {
      const auto part = schema == nullptr ? std::to_string(i) : schema->arguments()[i].name();
      flatten(elements[i], joined(name, part), outputs);
    }
  } else if (value.isList()) {
    const auto list = value.toListRef();
    for (size_t i = 0; i < list.size(); ++i) flatten(list[i], joined(name, std::to_string(i)), outputs);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      const auto part = entry.key().isString() ? entry.key().toStringRef() : std::to_string(entry.key().toInt());
      flatten(entry.value(), joined(name, part), outputs);
    }
  }
}

}  // namespace

extern "C" {

Status thaw_script_arguments(
    const shim::Script* script, size_t module, void* list, void (*add)(void*, const char*, bool), char** error) {
  return shim::guarded(error, [&] {
    for (const auto& argument : shim::arguments_of(script->modules[module].module)) add(list, argument.name.c_str(), argument.required);
  });
}

// Inputs go to the forward's first arguments; a null pointer is None.
Status thaw_script_forward(
    shim::Script* script, size_t module, const TensorPtr* inputs, size_t n, shim::Outputs** outputs, char** error) {
  return shim::guarded(error, [&] {
    for (size_t i = 0; i < n; ++i) {
      if (inputs[i] == nullptr) continue;
      shim::follow(*script, inputs[i]->device());
      break;
    }
    std::vector<c10::IValue> stack;
    stack.reserve(n + 1);
    for (size_t i = 0; i < n; ++i) stack.emplace_back(inputs[i] == nullptr ? c10::IValue() : c10::IValue(*inputs[i]));
    const auto result = script->modules[module].module.get_method("forward")(std::move(stack));
    auto flat = std::make_unique<shim::Outputs>();
    flatten(result, "", *flat);
    *outputs = flat.release();
  });
}

size_t thaw_script_outputs(const shim::Outputs* outputs) { return outputs->tensors.size(); }

// The name lives as long as the outputs.
Status thaw_script_output(
    const shim::Outputs* outputs, size_t index, const char** name, TensorPtr* tensor, char** error) {
  return shim::guarded(error, [&] {
    *name = outputs->tensors[index].first.c_str();
    *tensor = new at::Tensor(outputs->tensors[index].second);
  });
}

void thaw_script_free_outputs(shim::Outputs* outputs) { delete outputs; }

}  // extern "C"
