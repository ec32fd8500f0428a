// Settings of the whole process: error texts, seeds, determinism, where libtorch lies.
#include "shim.h"

#include <ATen/Context.h>
#include <c10/util/Logging.h>

#include <dlfcn.h>

#include <cstdlib>
#include <functional>
#include <string>

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

Status thaw_set_deterministic(bool on, bool warn_only, char** error) {
  return shim::guarded(error, [&] {
    at::globalContext().setDeterministicAlgorithms(on, warn_only);
    at::globalContext().setDeterministicCuDNN(on);
  });
}

}  // extern "C"
