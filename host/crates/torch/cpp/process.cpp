// Settings of the whole process: error texts, seeds, determinism, where libtorch lies.
#include "shim.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Logging.h>

#include <dlfcn.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <tuple>

extern "C" {

void thaw_free_text(char* text) { std::free(text); }

// libtorch symbolises a C++ backtrace for every error text, 6 to 8 ms each. Nobody reads it here.
Status thaw_no_backtraces(char** error) {
  return shim::guarded(error, [] {
    ::c10::SetStackTraceFetcher(std::function<std::string()>([] { return std::string(); }));
  });
}

// Path of the library that holds at::globalContext, found without calling into libtorch.
Status thaw_libtorch_path(char** path, char** error) {
  return shim::guarded(error, [&] {
    Dl_info info;
    auto* symbol = reinterpret_cast<void*>(&at::globalContext);
    TORCH_CHECK(dladdr(symbol, &info) != 0 && info.dli_fname != nullptr, "dladdr does not know where libtorch lies");
    *path = shim::text(info.dli_fname);
  });
}

Status thaw_manual_seed(uint64_t seed, char** error) {
  return shim::guarded(error, [&] { at::manual_seed(seed); });
}

Status thaw_set_deterministic(bool on, char** error) {
  return shim::guarded(error, [&] {
    // cuBLAS reads it when it is first used. The user's own value stays.
    if (on) ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
    at::globalContext().setDeterministicCuDNN(on);
  });
}

// torch.set_float32_matmul_precision; convolutions follow.
Status thaw_set_matmul_precision(const char* precision, char** error) {
  return shim::guarded(error, [&] {
    const std::string name = precision;
    at::globalContext().setFloat32MatmulPrecision(name);
    at::globalContext().setAllowTF32CuDNN(name != "highest");
  });
}

Status thaw_set_cudnn_benchmark(bool on, char** error) {
  return shim::guarded(error, [&] { at::globalContext().setBenchmarkCuDNN(on); });
}

// Bytes of a GPU: taken at most and taken now by tensors, and those of the whole device, free and in all.
Status thaw_device_memory(int64_t index, int64_t* peak, int64_t* now, uint64_t* free, uint64_t* total, char** error) {
  return shim::guarded(error, [&] {
    auto* allocator = c10::getDeviceAllocator(at::kCUDA);
    const auto device = static_cast<c10::DeviceIndex>(index);
    const auto stats = allocator->getDeviceStats(device);
    const auto& bytes = stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
    *peak = bytes.peak;
    *now = bytes.current;
    std::tie(*free, *total) = allocator->getMemoryInfo(device);
  });
}

}  // extern "C"
