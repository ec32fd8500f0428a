// Several processes: the store they meet at, and what they compute together over Gloo.
//
// Whatever crosses the wire is on the CPU: tensors of a GPU are copied there and back.
#define USE_C10D_GLOO
#include "shim.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using Milliseconds = std::chrono::milliseconds;

// Where the processes of a run meet.
struct Meeting {
  c10::intrusive_ptr<c10d::TCPStore> tcp;
  c10::intrusive_ptr<c10d::Store> store;
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

std::shared_ptr<::gloo::transport::Device> device(bool on_this_machine) {
  // PyTorch's variable: which network the processes talk over.
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface != nullptr && *interface != '\0') {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  if (on_this_machine) return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

// Gradients of one dtype that cross the wire as one vector.
struct Bucket {
  std::vector<size_t> members;
  size_t bytes = 0;
};

std::vector<Bucket> buckets_of(const TensorPtr* parameters, size_t n, size_t limit) {
  std::vector<Bucket> all;
  for (size_t i = 0; i < n; ++i) {
    const auto& parameter = *parameters[i];
    const auto* last = all.empty() ? nullptr : parameters[all.back().members.back()];
    const bool fits = last != nullptr && last->scalar_type() == parameter.scalar_type() &&
                      last->device() == parameter.device() && all.back().bytes + parameter.nbytes() <= limit;
    if (!fits) all.emplace_back();
    all.back().members.push_back(i);
    all.back().bytes += parameter.nbytes();
  }
  return all;
}

// The bucket's gradients one after the other; zeros for those that there are not.
at::Tensor flattened(const Bucket& bucket, const TensorPtr* parameters, at::ScalarType wire) {
  std::vector<at::Tensor> parts;
  parts.reserve(bucket.members.size());
  for (const auto i : bucket.members) {
    const auto& parameter = *parameters[i];
    const auto& grad = parameter.grad();
    TORCH_CHECK(!grad.defined() || grad.layout() == at::kStrided,
                "sparse gradients are not summed over processes");
    const auto options = parameter.options();
    parts.push_back(grad.defined() ? grad.reshape({-1}) : at::zeros({parameter.numel()}, options));
  }
  return at::cat(parts).to(wire).cpu().contiguous();
}

}  // namespace

extern "C" {

// Opens the store that a process hosts or connects to.
Status thaw_meeting_open(const char* host, uint16_t port, bool hosts, size_t processes, int64_t timeout_ms,
                         const char* prefix, Meeting** meeting, char** error) {
  return shim::guarded(error, [&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = hosts;
    options.numWorkers = processes;
    options.waitWorkers = false;
    options.timeout = Milliseconds(timeout_ms);
    auto opened = std::make_unique<Meeting>();
    opened->tcp = c10::make_intrusive<c10d::TCPStore>(host, options);
    c10::intrusive_ptr<c10d::Store> base = opened->tcp;
    opened->store = c10::make_intrusive<c10d::PrefixStore>(prefix, base);
    *meeting = opened.release();
  });
}

void thaw_meeting_free(Meeting* meeting) { delete meeting; }

Status thaw_meeting_set(Meeting* meeting, const char* key, const uint8_t* bytes, size_t n, char** error) {
  return shim::guarded(error, [&] { meeting->store->set(key, std::vector<uint8_t>(bytes, bytes + n)); });
}

Status thaw_meeting_has(Meeting* meeting, const char* key, bool* has, char** error) {
  return shim::guarded(error, [&] { *has = meeting->store->check({key}); });
}

// What somebody set; waited for up to the store's timeout. The text is the caller's.
Status thaw_meeting_get(Meeting* meeting, const char* key, char** text, char** error) {
  return shim::guarded(error, [&] {
    const auto bytes = meeting->store->get(key);
    *text = shim::text(std::string(bytes.begin(), bytes.end()).c_str());
  });
}

Status thaw_group_join(Meeting* meeting, int rank, int size, int64_t timeout_ms, bool on_this_machine,
                       Group** group, char** error) {
  return shim::guarded(error, [&] {
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(timeout_ms));
    options->devices.push_back(device(on_this_machine));
    c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::PrefixStore>("gloo", meeting->store);
    auto joined = std::make_unique<Group>();
    joined->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
    *group = joined.release();
  });
}

void thaw_group_free(Group* group) { delete group; }

// The vectors of all processes, each of `n` bytes, one after the other into `all`.
Status thaw_group_all_gather(Group* group, const uint8_t* own, size_t n, uint8_t* all, char** error) {
  return shim::guarded(error, [&] {
    const auto size = static_cast<int64_t>(group->gloo->getSize());
    const auto length = static_cast<int64_t>(n);
    std::vector<at::Tensor> inputs{at::empty({length}, at::kByte)};
    std::memcpy(inputs[0].data_ptr(), own, n);
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int64_t i = 0; i < size; ++i) outputs[0].push_back(at::empty({length}, at::kByte));
    group->gloo->allgather(outputs, inputs)->wait();
    for (int64_t i = 0; i < size; ++i) std::memcpy(all + i * length, outputs[0][i].data_ptr(), n);
  });
}

// Gives every process the values that the tensor has at `root`.
Status thaw_group_broadcast(Group* group, const TensorPtr* tensors, size_t n, int root, char** error) {
  return shim::guarded(error, [&] {
    c10::NoGradGuard no_grad;
    c10d::BroadcastOptions options;
    options.rootRank = root;
    for (size_t i = 0; i < n; ++i) {
      auto& tensor = *tensors[i];
      if (tensor.numel() == 0) continue;
      auto values = tensor.detach().cpu().contiguous().clone();
      // As bytes: not every dtype is known to Gloo.
      std::vector<at::Tensor> wire{values.reshape({-1}).view(at::kByte)};
      group->gloo->broadcast(wire, options)->wait();
      // What is the same already is not written into: others watch who writes.
      if (group->gloo->getRank() != root && !at::equal(tensor.detach().cpu(), values)) tensor.copy_(values);
    }
  });
}

// Sums the gradients of the parameters over all processes, in buckets of at most so many bytes. A gradient
// that only some have counts as zero at the others; one that nobody has is nowhere afterwards. `wire` is the
// dtype in which they are sent, -1 for their own.
Status thaw_group_sum_gradients(Group* group, const TensorPtr* parameters, size_t n, size_t bucket_bytes,
                                int wire, char** error) {
  return shim::guarded(error, [&] {
    if (n == 0) return;
    c10::NoGradGuard no_grad;
    auto there = at::zeros({static_cast<int64_t>(n)}, at::kFloat);
    for (size_t i = 0; i < n; ++i) there.data_ptr<float>()[i] = parameters[i]->grad().defined() ? 1.f : 0.f;
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    std::vector<std::vector<at::Tensor>> sums{{there}};
    works.push_back(group->gloo->allreduce(sums.back()));
    const auto buckets = buckets_of(parameters, n, bucket_bytes);
    for (const auto& bucket : buckets) {
      const auto own = parameters[bucket.members[0]]->scalar_type();
      const auto sent = wire < 0 ? own : static_cast<at::ScalarType>(wire);
      sums.push_back({flattened(bucket, parameters, sent)});
      works.push_back(group->gloo->allreduce(sums.back()));
    }
    for (auto& work : works) work->wait();
    for (size_t b = 0; b < buckets.size(); ++b) {
      const auto& first = *parameters[buckets[b].members[0]];
      const auto sum = sums[b + 1][0].to(first.device(), first.scalar_type());
      int64_t offset = 0;
      for (const auto i : buckets[b].members) {
        auto& parameter = *parameters[i];
        const auto part = sum.narrow(0, offset, parameter.numel()).view(parameter.sizes());
        offset += parameter.numel();
        if (parameter.grad().defined()) {
          parameter.mutable_grad().copy_(part);
        } else if (there.data_ptr<float>()[i] > 0.f) {
          parameter.mutable_grad() = at::empty_like(parameter).copy_(part);
        }
      }
    }
  });
}

}  // extern "C"
