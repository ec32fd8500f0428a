// Automatic mixed precision, per thread, device type and dtype.
#include "shim.h"

#include <ATen/autocast_mode.h>

extern "C" {

// Turns autocast on for one device type and tells what was set before.
Status thaw_autocast_enter(
    bool cuda, int8_t dtype, bool* was_enabled, int8_t* previous_dtype, char** error) {
  return shim::guarded(error, [&] {
    const auto device = cuda ? at::kCUDA : at::kCPU;
    *was_enabled = at::autocast::is_autocast_enabled(device);
    *previous_dtype = static_cast<int8_t>(at::autocast::get_autocast_dtype(device));
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(dtype));
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::increment_nesting();
  });
}

Status thaw_autocast_leave(bool cuda, bool was_enabled, int8_t previous_dtype, char** error) {
  return shim::guarded(error, [&] {
    const auto device = cuda ? at::kCUDA : at::kCPU;
    // The casts of the weights are kept until the outermost region ends.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, was_enabled);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(previous_dtype));
  });
}

}  // extern "C"
