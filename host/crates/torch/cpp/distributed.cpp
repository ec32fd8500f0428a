// Several processes: the store they meet at, and what they compute together over Gloo.
//
// Whatever crosses the wire is on the CPU: tensors of a GPU are copied there and back.
#include "group.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <c10/core/GradMode.h>
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
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

std::shared_ptr<::gloo::transport::Device> device(bool on_this_machine) {
  // PyTorch's variable: which network the processes talk over.
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface != nullptr && *interface != '\0') {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  if (on_this_machine) return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

// What c10d logs of a peer that is gone comes as an error, too, and is said by whoever gets that. A user who
// asks for its log by PyTorch's variable gets it.
void keep_quiet() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
}

}  // namespace

extern "C" {

// Opens the store that a process hosts or connects to.
Status thaw_meeting_open(const char* host, uint16_t port, bool hosts, size_t processes, int64_t timeout_ms,
                         const char* prefix, Meeting** meeting, char** error) {
  return shim::guarded(error, [&] {
    keep_quiet();
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

}  // extern "C"
