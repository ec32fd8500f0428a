// State of libtorch's default random generators.
#include "shim.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>

#include <mutex>

namespace {

// index -1 is the CPU, anything else a CUDA device.
at::Generator generator(int64_t index) {
  const auto device = index < 0 ? c10::Device(c10::kCPU)
                                : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
  return at::globalContext().defaultGenerator(device);
}

}  // namespace

extern "C" {

Status thaw_random_state(int64_t index, TensorPtr* state, char** error) {
  return shim::guarded(error, [&] {
    auto g = generator(index);
    std::lock_guard<std::mutex> lock(g.mutex());
    *state = new at::Tensor(g.get_state());
  });
}

Status thaw_set_random_state(int64_t index, TensorPtr state, char** error) {
  return shim::guarded(error, [&] {
    auto g = generator(index);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(*state);
  });
}

}  // extern "C"
