// Reading a file, and what is in it.
#include "shim.h"

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdlib>
#include <memory>

namespace {

using torch::jit::Module;

// The Python class of a module: the last part of its type's name, the numbers of duplicates being parts before it.
std::string kind_of(const Module& module) {
  const auto name = module.type()->name();
  return name.has_value() ? name->name() : "Module";
}

void add(std::vector<shim::Entry>& modules, const std::string& path, const Module& module) {
  shim::Entry entry{path, kind_of(module), module, shim::mode_of(module), {}, shim::chain_of(module)};
  for (const auto& parameter : module.named_parameters(/*recurse=*/false)) {
    entry.tensors.push_back({parameter.name, parameter.value, true});
  }
  for (const auto& buffer : module.named_buffers(/*recurse=*/false)) {
    entry.tensors.push_back({buffer.name, buffer.value, false});
  }
  modules.push_back(std::move(entry));
  for (const auto& child : module.named_children()) {
    add(modules, path.empty() ? child.name : path + "." + child.name, child.value);
  }
}

}  // namespace

extern "C" {

void thaw_script_free_text(char* text) { std::free(text); }

Status thaw_script_load(const char* path, shim::Script** script, char** error) {
  return shim::guarded(error, [&] {
    // The profiling executor runs another code from the second batch on, with other rounding: a run that is resumed would
    // not be the one that went through.
    torch::jit::getProfilingMode() = false;
    const auto root = torch::jit::load(path, c10::Device(c10::kCPU));
    auto loaded = std::make_unique<shim::Script>();
    add(loaded->modules, "", root);
    shim::check_statistics(loaded->modules);
    *script = loaded.release();
  });
}

void thaw_script_free(shim::Script* script) { delete script; }

size_t thaw_script_modules(const shim::Script* script) { return script->modules.size(); }

// The texts live as long as the script.
void thaw_script_module(
    const shim::Script* script, size_t module, const char** path, const char** kind, int* mode, size_t* tensors, size_t* chain) {
  const auto& entry = script->modules[module];
  *path = entry.path.c_str();
  *kind = entry.kind.c_str();
  *mode = entry.mode;
  *tensors = entry.tensors.size();
  *chain = entry.chain.size();
}

const char* thaw_script_chained(const shim::Script* script, size_t module, size_t index) {
  return script->modules[module].chain[index].c_str();
}

Status thaw_script_tensor(
    const shim::Script* script, size_t module, size_t index, const char** name, bool* is_parameter, TensorPtr* tensor, char** error) {
  return shim::guarded(error, [&] {
    const auto& named = script->modules[module].tensors[index];
    *name = named.name.c_str();
    *is_parameter = named.is_parameter;
    *tensor = new at::Tensor(named.tensor);
  });
}

// Has the module use another tensor under a name; the one that was listed stays as it is.
Status thaw_script_set_tensor(shim::Script* script, size_t module, const char* name, TensorPtr tensor, char** error) {
  return shim::guarded(error, [&] { script->modules[module].module.setattr(name, *tensor); });
}

Status thaw_script_set_training(shim::Script* script, size_t module, bool training, char** error) {
  return shim::guarded(error, [&] {
    auto& target = script->modules[module].module;
    if (target.hasattr("training")) target.setattr("training", training);
  });
}

}  // extern "C"
