// What the files of this folder share: a loaded file, and how a C++ exception becomes a value that Rust can read.
//
// Every exported function that can fail returns a Status. Nothing throws across the boundary. Tensors cross as pointers
// to at::Tensor, which is what tch uses as well.
#pragma once

#include <c10/util/Exception.h>
#include <torch/csrc/jit/api/module.h>

#include <cstring>
#include <exception>
#include <string>
#include <vector>

enum Status : int { OK = 0, FAILED = 1 };

// What of `training` a module's own code uses.
enum Mode : int {
  // Nothing: the module does the same in both modes.
  NONE = 0,
  // It reads the flag.
  FREE = 1,
  // The code has it as a constant, as in a traced module.
  ALWAYS_EVAL = 2,
  ALWAYS_TRAIN = 3,
};

using TensorPtr = at::Tensor*;

namespace shim {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool is_parameter;
};

struct Entry {
  std::string path;
  std::string kind;
  torch::jit::Module module;
  Mode mode;
  // Parameters, then buffers, of the module itself.
  std::vector<NamedTensor> tensors;
  // Names of the children that the forward runs one after the other, where it does nothing else.
  std::vector<std::string> chain;
};

struct Argument {
  std::string name;
  bool required;
};

struct Script {
  // In the order of named_modules; the root first.
  std::vector<Entry> modules;
  // Where tensors are that are neither parameters nor buffers.
  at::Device device = at::kCPU;
};

struct Outputs {
  // An output that is a tensor by itself has no name.
  std::vector<std::pair<std::string, at::Tensor>> tensors;
};

Mode mode_of(const torch::jit::Module& module);
std::vector<std::string> chain_of(const torch::jit::Module& module);
std::vector<Argument> arguments_of(const torch::jit::Module& module);
// Has norms refuse a batch that has one value for a statistic, as PyTorch's layers do. After everything else was read of
// the code, since this changes it.
void check_statistics(const std::vector<Entry>& modules);

// Brings tensors that are neither parameters nor buffers to a device.
void follow(Script& script, const at::Device& device);

// A copy of the text that Rust frees with thaw_script_free_text.
inline char* text(const char* message) { return ::strdup(message == nullptr ? "" : message); }

template <typename Body>
Status guarded(char** error, Body&& body) noexcept {
  try {
    body();
    return OK;
  } catch (const c10::Error& e) {
    *error = text(e.what_without_backtrace());
  } catch (const std::exception& e) {
    *error = text(e.what());
  } catch (...) {
    *error = text("an exception that is no std::exception");
  }
  return FAILED;
}

}  // namespace shim
