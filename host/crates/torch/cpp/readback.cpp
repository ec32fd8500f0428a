// Values on their way from a device to the host, without waiting for them; and a count of what does wait.

// libtorch is built with it, and at::RecordFunction has another layout without.
#ifndef NDEBUG
#define NDEBUG
#endif

#include "shim.h"

#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstring>
#include <memory>

namespace {

// Calls of this thread that made it wait for a device.
thread_local uint64_t waits = 0;

// An operator that gives a value to the host, or copies between devices without leave to go on.
bool is_wait(const at::RecordFunction& function) {
  const char* name = function.name();
  if (std::strcmp(name, "aten::_local_scalar_dense") == 0 || std::strcmp(name, "aten::nonzero") == 0) return true;
  if (std::strcmp(name, "aten::copy_") != 0) return false;
  const auto inputs = function.inputs();
  if (inputs.size() < 3 || !inputs[0].isTensor() || !inputs[1].isTensor() || !inputs[2].isBool()) return false;
  return inputs[0].toTensor().device() != inputs[1].toTensor().device() && !inputs[2].toBool();
}

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& function) {
  if (is_wait(function)) ++waits;
  return nullptr;
}

}  // namespace

extern "C" {

// Counts from here on, in every thread apart.
Status thaw_watch_waits(uint64_t* handle, char** error) {
  return shim::guarded(error, [&] {
    at::RecordFunctionCallback callback(&count);
    callback.needsInputs(true).scopes({at::RecordScope::FUNCTION});
    *handle = at::addGlobalCallback(callback);
  });
}

Status thaw_unwatch_waits(uint64_t handle, char** error) {
  return shim::guarded(error, [&] { at::removeCallback(handle); });
}

uint64_t thaw_waits() { return waits; }

// Starts a copy to the host behind what the device has to do already. The event tells when it is through; it is null
// where the tensor is on the host.
Status thaw_copy_to_host(TensorPtr tensor, TensorPtr* copy, c10::Event** event, char** error) {
  return shim::guarded(error, [&] {
    *event = nullptr;
    if (tensor->is_cpu()) {
      *copy = new at::Tensor(*tensor);
      return;
    }
    auto host = at::empty(tensor->sizes(), tensor->options().device(at::kCPU).pinned_memory(true));
    host.copy_(*tensor, /*non_blocking=*/true);
    const c10::impl::VirtualGuardImpl device(tensor->device().type());
    auto done = std::make_unique<c10::Event>(tensor->device().type());
    done->record(device.getStream(tensor->device()));
    *copy = new at::Tensor(std::move(host));
    *event = done.release();
  });
}

Status thaw_event_is_over(const c10::Event* event, bool* over, char** error) {
  return shim::guarded(error, [&] { *over = event->query(); });
}

// Counts among the waits where a result is waited for.
Status thaw_event_await(const c10::Event* event, bool counts, char** error) {
  return shim::guarded(error, [&] {
    if (counts) ++waits;
    event->synchronize();
  });
}

void thaw_event_free(c10::Event* event) { delete event; }

}  // extern "C"
