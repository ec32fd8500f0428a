// What the files of this folder share: how a C++ exception becomes a value that Rust can read.
//
// Every exported function returns a Status. Nothing throws across the boundary. Tensors cross as pointers to
// at::Tensor, which is what tch and every plugin use as well.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <exception>

enum Status : int { OK = 0, FAILED = 1, OUT_OF_MEMORY = 2 };

using TensorPtr = at::Tensor*;

namespace shim {

// A copy of the text that Rust frees with thaw_free_text.
inline char* text(const char* message) { return ::strdup(message == nullptr ? "" : message); }

template <typename Body>
Status guarded(char** error, Body&& body) noexcept {
  try {
    body();
    return OK;
  } catch (const c10::OutOfMemoryError& e) {
    *error = text(e.what_without_backtrace());
    return OUT_OF_MEMORY;
  } catch (const c10::Error& e) {
    *error = text(e.what_without_backtrace());
    return FAILED;
  } catch (const std::bad_alloc&) {
    *error = text("no memory left");
    return OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    *error = text(e.what());
    return FAILED;
  } catch (...) {
    *error = text("an exception that is no std::exception");
    return FAILED;
  }
}

}  // namespace shim
