// Sums of gradients over all processes, in buckets, each sent as soon as the backward pass has its gradients.
//
// Buckets are made in the order of the parameters and sent from the last to the first, which is about the
// order of a backward pass. Every process sends them in that order, whenever they become ready, since Gloo
// pairs what is sent first with what the others send first. The sums do not depend on when that is.
#include "group.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>
#include <utility>
#include <vector>

namespace {

// Gradients of one dtype that cross the wire as one vector.
struct Bucket {
  std::vector<size_t> members;
  size_t bytes = 0;
  // Members whose gradients this backward pass has not given yet.
  size_t missing = 0;
  std::vector<at::Tensor> sum;
  c10::intrusive_ptr<c10d::Work> work;
};

std::vector<Bucket> buckets_of(const std::vector<at::Tensor>& parameters, size_t limit) {
  std::vector<Bucket> all;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& parameter = parameters[i];
    const auto* last = all.empty() ? nullptr : &parameters[all.back().members.back()];
    const bool fits = last != nullptr && last->scalar_type() == parameter.scalar_type() &&
        last->device() == parameter.device() && all.back().bytes + parameter.nbytes() <= limit;
    if (!fits) all.emplace_back();
    all.back().members.push_back(i);
    all.back().bytes += parameter.nbytes();
  }
  return all;
}

}  // namespace

// What the gradients of some parameters are summed with. Nothing else is sent between a backward pass and its
// finish().
class Sums : public std::enable_shared_from_this<Sums> {
 public:
  Sums(c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo, std::vector<at::Tensor> parameters, size_t limit,
       int wire)
      : gloo_(std::move(gloo)), parameters_(std::move(parameters)), limit_(limit), wire_(wire) {
    buckets_ = buckets_of(parameters_, limit);
    bucket_of_.resize(parameters_.size());
    for (size_t b = 0; b < buckets_.size(); ++b) {
      for (const auto i : buckets_[b].members) bucket_of_[i] = b;
    }
  }

  ~Sums() {
    for (const auto& parameter : parameters_) {
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
    }
  }

  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;

  // Has the backward pass say when a gradient is done. Those of a GPU are sent when all are: copying one waits
  // for it.
  void install_hooks();

  bool is_for(const TensorPtr* parameters, size_t n, size_t limit, int wire) const {
    if (n != parameters_.size() || limit != limit_ || wire != wire_) return false;
    for (size_t i = 0; i < n; ++i) {
      if (!parameters_[i].is_same(*parameters[i])) return false;
    }
    return true;
  }

  // The backward pass that comes gives the gradients to be sent.
  void begin() {
    const std::lock_guard<std::mutex> lock(mutex_);
    reset();
    listens_ = true;
  }

  // A gradient is done. What goes wrong here is said by finish(): the backward pass would say it in its own
  // words.
  void ready(size_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!listens_ || failure_) return;
    auto& bucket = buckets_[bucket_of_[index]];
    if (bucket.work) {
      // The model goes backward through it once more: what was sent is not the whole.
      grew_ = true;
      return;
    }
    if (given_[index]) return;
    given_[index] = true;
    --bucket.missing;
    try {
      // The first bucket comes last, and takes along what is known at the end alone.
      while (unsent_ > 1 && buckets_[unsent_ - 1].missing == 0) send(), ++early_;
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  // Sends what is left, waits for the sums and gives them to the parameters.
  void finish(size_t* buckets, size_t* early) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!listens_) reset();
    listens_ = false;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    c10::NoGradGuard no_grad;
    const auto flags = send_all();
    auto there = flags;
    if (flags.back() > 0.f) {
      for (auto& bucket : buckets_) bucket.work.reset();
      unsent_ = buckets_.size();
      grew_ = false;
      there = send_all();
    }
    for (const auto& bucket : buckets_) give(bucket, there);
    *buckets = buckets_.size();
    *early = early_;
    reset();
  }

 private:
  void reset() {
    given_.assign(parameters_.size(), false);
    for (auto& bucket : buckets_) {
      bucket.missing = bucket.members.size();
      bucket.sum.clear();
      bucket.work.reset();
    }
    unsent_ = buckets_.size();
    early_ = 0;
    grew_ = false;
    failure_ = nullptr;
  }

  // The next bucket in the order in which all processes send them.
  void send() {
    c10::NoGradGuard no_grad;
    auto& bucket = buckets_[unsent_ - 1];
    const auto own = parameters_[bucket.members[0]].scalar_type();
    const auto sent = wire_ < 0 ? own : static_cast<at::ScalarType>(wire_);
    auto parts = gradients(bucket);
    auto values = at::cat(parts).to(sent).cpu().contiguous();
    if (unsent_ == 1) values = at::cat({values, flags().to(sent)});
    bucket.sum = {values};
    bucket.work = gloo_->allreduce(bucket.sum);
    --unsent_;
  }

  // Sends the rest and waits for all. Gives how many processes have a gradient, for each parameter, and at the
  // end how many have one that grew after it was sent.
  std::vector<float> send_all() {
    while (unsent_ > 0) send();
    for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) bucket->work->wait();
    const auto n = static_cast<int64_t>(parameters_.size()) + 1;
    auto& first = buckets_[0].sum[0];
    const auto flags = first.narrow(0, first.numel() - n, n).to(at::kFloat).contiguous();
    return {flags.data_ptr<float>(), flags.data_ptr<float>() + n};
  }

  at::Tensor flags() const {
    auto flags = at::zeros({static_cast<int64_t>(parameters_.size()) + 1}, at::kFloat);
    auto* values = flags.data_ptr<float>();
    for (size_t i = 0; i < parameters_.size(); ++i) values[i] = parameters_[i].grad().defined() ? 1.f : 0.f;
    values[parameters_.size()] = grew_ ? 1.f : 0.f;
    return flags;
  }

  // The bucket's gradients; zeros for those that there are not.
  std::vector<at::Tensor> gradients(const Bucket& bucket) const {
    std::vector<at::Tensor> parts;
    parts.reserve(bucket.members.size());
    for (const auto i : bucket.members) {
      const auto& parameter = parameters_[i];
      const auto& grad = parameter.grad();
      TORCH_CHECK(!grad.defined() || grad.layout() == at::kStrided,
                  "sparse gradients are not summed over processes");
      const auto options = parameter.options();
      parts.push_back(grad.defined() ? grad.reshape({-1}) : at::zeros({parameter.numel()}, options));
    }
    return parts;
  }

  void give(const Bucket& bucket, const std::vector<float>& there) {
    const auto& first = parameters_[bucket.members[0]];
    const auto sum = bucket.sum[0].to(first.device(), first.scalar_type());
    int64_t offset = 0;
    for (const auto i : bucket.members) {
      auto& parameter = parameters_[i];
      const auto part = sum.narrow(0, offset, parameter.numel()).view(parameter.sizes());
      offset += parameter.numel();
      if (parameter.grad().defined()) {
        parameter.mutable_grad().copy_(part);
      } else if (there[i] > 0.f) {
        parameter.mutable_grad() = at::empty_like(parameter).copy_(part);
      }
    }
  }

  std::mutex mutex_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  std::vector<at::Tensor> parameters_;
  size_t limit_;
  int wire_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;
  // Of the present backward pass.
  std::vector<bool> given_;
  size_t unsent_ = 0;
  size_t early_ = 0;
  bool listens_ = false;
  bool grew_ = false;
  std::exception_ptr failure_;
};

namespace {

struct Ready : torch::autograd::PostAccumulateGradHook {
  Ready(std::weak_ptr<Sums> sums, size_t index) : sums(std::move(sums)), index(index) {}
  void operator()(const torch::autograd::Variable&) override {
    if (const auto all = sums.lock()) all->ready(index);
  }
  std::weak_ptr<Sums> sums;
  size_t index;
};

// Those of these parameters, made where there are none or others.
Sums& sums_of(Group& group, const TensorPtr* parameters, size_t n, size_t limit, int wire) {
  if (!group.sums || !group.sums->is_for(parameters, n, limit, wire)) {
    group.sums.reset();
    std::vector<at::Tensor> all;
    for (size_t i = 0; i < n; ++i) all.push_back(*parameters[i]);
    group.sums = std::make_shared<Sums>(group.gloo, std::move(all), limit, wire);
    group.sums->install_hooks();
  }
  return *group.sums;
}

}  // namespace

void Sums::install_hooks() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].is_cpu()) continue;
    auto hook = std::make_unique<Ready>(weak_from_this(), i);
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i], std::move(hook));
  }
}

extern "C" {

// The next backward pass gives the gradients that the sum after it is of: they are sent while it goes on.
Status thaw_group_begin_sums(
    Group* group, const TensorPtr* parameters, size_t n, size_t bucket_bytes, int wire, char** error) {
  return shim::guarded(error, [&] {
    if (n > 0) sums_of(*group, parameters, n, bucket_bytes, wire).begin();
  });
}

// Sums the gradients of the parameters over all processes, in buckets of at most so many bytes. A gradient
// that only some have counts as zero at the others; one that nobody has is nowhere afterwards. `wire` is the
// dtype in which they are sent, -1 for their own. Gives how many buckets there are, and how many of them were
// sent during the backward pass.
Status thaw_group_sum_gradients(
    Group* group, const TensorPtr* parameters, size_t n, size_t bucket_bytes, int wire, size_t* buckets,
    size_t* early, char** error) {
  return shim::guarded(error, [&] {
    *buckets = *early = 0;
    if (n > 0) sums_of(*group, parameters, n, bucket_bytes, wire).finish(buckets, early);
  });
}

// Here, where Sums is known.
void thaw_group_free(Group* group) { delete group; }

}  // extern "C"
