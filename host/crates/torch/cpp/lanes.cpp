// Tensors in memory of the caller's, and copies to a GPU beside what it computes.
#include "shim.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <memory>

namespace {

at::TensorOptions of(int8_t dtype) {
  TORCH_CHECK(dtype >= 0, "a tensor of this type is not made here");
  return at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(at::kCPU);
}

at::Device gpu(int64_t index) { return {at::kCUDA, static_cast<at::DeviceIndex>(index)}; }

c10::Stream stream_of(int64_t index, int64_t id) {
  return c10::Stream(c10::Stream::UNSAFE, gpu(index), id);
}

}  // namespace

enum Lane : int { COPIES = 0, COMPUTING = 1 };

extern "C" {

// A tensor in memory that `release` gives back to its owner when nothing refers to the tensor any more. It is called
// once, also where there is no tensor.
Status thaw_tensor_in(void* start, const int64_t* sizes, size_t dimensions, int8_t dtype, void (*release)(void*),
                      void* owner, TensorPtr* tensor, char** error) {
  return shim::guarded(error, [&] {
    auto maker = at::for_blob(start, at::IntArrayRef(sizes, dimensions));
    // From here on the maker or its tensor owns it.
    maker.context(owner, release);
    maker.options(of(dtype)).target_device(at::Device(at::kCPU));
    *tensor = new at::Tensor(maker.make_tensor());
  });
}

Status thaw_empty_pinned(const int64_t* sizes, size_t dimensions, int8_t dtype, TensorPtr* tensor, char** error) {
  return shim::guarded(error, [&] {
    *tensor = new at::Tensor(at::empty(at::IntArrayRef(sizes, dimensions), of(dtype).pinned_memory(true)));
  });
}

// One of the GPU's streams; libtorch keeps all of them for the life of the process.
Status thaw_new_stream(int64_t index, int64_t* stream, char** error) {
  return shim::guarded(error, [&] {
    const c10::impl::VirtualGuardImpl device(at::kCUDA);
    *stream = device.getNewStream(gpu(index)).id();
  });
}

// Starts a copy on that stream, into memory that belongs to it.
Status thaw_copy_beside(TensorPtr pinned, int64_t index, int64_t stream, TensorPtr* copy, char** error) {
  return shim::guarded(error, [&] {
    const c10::StreamGuard guard(stream_of(index, stream));
    *copy = new at::Tensor(pinned->to(gpu(index), pinned->scalar_type(), /*non_blocking=*/true));
  });
}

// An event behind all that one of the two streams has to do.
Status thaw_mark(int64_t index, int64_t stream, Lane lane, c10::Event** event, char** error) {
  return shim::guarded(error, [&] {
    const c10::impl::VirtualGuardImpl device(at::kCUDA);
    auto mark = std::make_unique<c10::Event>(at::kCUDA);
    mark->record(lane == COPIES ? stream_of(index, stream) : device.getStream(gpu(index)));
    *event = mark.release();
  });
}

// What the stream that computes is asked for from here on begins behind the event.
Status thaw_compute_behind(const c10::Event* event, int64_t index, char** error) {
  return shim::guarded(error, [&] {
    const c10::impl::VirtualGuardImpl device(at::kCUDA);
    event->block(device.getStream(gpu(index)));
  });
}

// Its memory serves no other copy before the stream that computes is through with what it has to do when the tensor is
// dropped.
Status thaw_computes_with(TensorPtr tensor, char** error) {
  return shim::guarded(error, [&] {
    const c10::impl::VirtualGuardImpl device(at::kCUDA);
    tensor->record_stream(device.getStream(tensor->device()));
  });
}

}  // extern "C"
