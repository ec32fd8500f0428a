// One optimizer step over many parameters: libtorch's fused SGD, Adam and AdamW.
//
// A call covers parameters of one device and one dtype. Parameters without a gradient are left out, as PyTorch does.
// The fused CPU kernels walk memory and ignore strides, so that a gradient or a state laid out otherwise than its
// parameter would be paired with the wrong elements: what differs is copied into the parameter's layout first.
#include "shim.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include <dlfcn.h>

#include <optional>
#include <utility>
#include <vector>

namespace {

// Waking OpenMP's threads costs more than a small update. The limit is this thread's own and set back at the end.
class SingleThread {
 public:
  explicit SingleThread(bool wanted) {
    using Get = int (*)();
    using Set = void (*)(int);
    static const auto get = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    static const auto set = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (!wanted || get == nullptr || set == nullptr) return;
    before_ = get();
    if (before_ > 1) set(1);
    set_ = set;
  }
  ~SingleThread() {
    if (before_ > 1) set_(before_);
  }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int before_ = 0;
  void (*set_)(int) = nullptr;
};

bool same_layout(const at::Tensor& a, const at::Tensor& b) { return a.strides().equals(b.strides()); }

at::Tensor in_layout_of(const at::Tensor& like, const at::Tensor& t) {
  return at::empty_like(like, at::TensorOptions().dtype(t.scalar_type())).copy_(t);
}

// The lists of one call, and the parameters that need a detour because their memory has gaps.
struct Lists {
  std::vector<at::Tensor> parameters, grads;
  std::vector<std::pair<at::Tensor, at::Tensor>> copy_back;

  explicit Lists(size_t n) {
    parameters.reserve(n);
    grads.reserve(n);
  }

  // Adds a parameter. Gives the tensor that the kernel updates, whose layout the state has to have.
  const at::Tensor& add(const at::Tensor& parameter, const at::Tensor& grad) {
    TORCH_CHECK(!grad.is_sparse(), "the gradient is sparse; the fused optimizers take dense gradients only");
    if (parameter.is_non_overlapping_and_dense()) {
      parameters.push_back(parameter);
    } else {
      parameters.push_back(at::empty_like(parameter).copy_(parameter));
      copy_back.emplace_back(parameter, parameters.back());
    }
    const auto& target = parameters.back();
    grads.push_back(same_layout(grad, target) ? grad : in_layout_of(target, grad));
    return target;
  }

  void finish() {
    for (auto& [to, from] : copy_back) to.copy_(from);
  }
};

// A state tensor, put into the parameter's layout for all who hold it where that differs.
const at::Tensor& state_for(TensorPtr state, const at::Tensor& parameter) {
  if (!same_layout(*state, parameter)) state->set_data(in_layout_of(parameter, *state));
  return *state;
}

// What tells the kernels to leave the step out, where its value is 1; null where there is no such thing. On the CPU
// it can be looked at.
bool is_left_out(TensorPtr found_inf) {
  return found_inf != nullptr && found_inf->is_cpu() && *found_inf->data_ptr<float>() == 1.0f;
}

std::optional<at::Tensor> for_kernel(TensorPtr found_inf) {
  return found_inf == nullptr ? std::nullopt : std::optional<at::Tensor>(*found_inf);
}

}  // namespace

extern "C" {

// Which of the parameters have a gradient.
Status thaw_has_grad(const TensorPtr* parameters, size_t n, bool* has, char** error) {
  return shim::guarded(error, [&] {
    for (size_t i = 0; i < n; ++i) has[i] = parameters[i]->grad().defined();
  });
}

struct SgdOptions {
  double lr, weight_decay, momentum, dampening;
  bool nesterov, maximize, single_thread;
};

// momentum: one buffer each (null where it has not been made), or null without momentum.
// first[i]: the buffer has no content yet and takes the gradient as it is.
// found_inf: where its value is 1, nothing changes; null for none.
Status thaw_sgd_step(
    const TensorPtr* parameters,
    const TensorPtr* momentum,
    const bool* first,
    size_t n,
    const SgdOptions* o,
    TensorPtr found_inf,
    char** error) {
  return shim::guarded(error, [&] {
    if (is_left_out(found_inf)) return;
    c10::NoGradGuard no_grad;
    SingleThread limit(o->single_thread);
    // is_first_step holds for a whole call: parameters that join later need a call of their own.
    for (const bool fresh : {true, false}) {
      if (fresh && momentum == nullptr) continue;
      Lists lists(n);
      std::vector<at::Tensor> buffers;
      if (momentum != nullptr) buffers.reserve(n);
      for (size_t i = 0; i < n; ++i) {
        if (momentum != nullptr && (momentum[i] == nullptr || first[i] != fresh)) continue;
        const auto& grad = parameters[i]->grad();
        if (!grad.defined()) continue;
        const auto& target = lists.add(*parameters[i], grad);
        if (momentum != nullptr) buffers.push_back(state_for(momentum[i], target));
      }
      if (lists.parameters.empty()) continue;
      at::_fused_sgd_(
          lists.parameters, lists.grads, buffers, o->weight_decay, o->momentum, o->lr, o->dampening, o->nesterov,
          o->maximize, fresh, std::nullopt, for_kernel(found_inf));
      lists.finish();
    }
  });
}

struct AdamOptions {
  double lr, weight_decay, beta1, beta2, eps;
  bool amsgrad, maximize, decoupled, single_thread;
};

// A parameter whose exp_avgs entry is null has no state yet and is left out. max_exp_avg_sqs is null without amsgrad.
// found_inf as for SGD.
Status thaw_adam_step(
    const TensorPtr* parameters,
    const TensorPtr* exp_avgs,
    const TensorPtr* exp_avg_sqs,
    const TensorPtr* max_exp_avg_sqs,
    const TensorPtr* steps,
    size_t n,
    const AdamOptions* o,
    TensorPtr found_inf,
    char** error) {
  return shim::guarded(error, [&] {
    if (is_left_out(found_inf)) return;
    c10::NoGradGuard no_grad;
    SingleThread limit(o->single_thread);
    Lists lists(n);
    std::vector<at::Tensor> firsts, seconds, maxima, counts;
    firsts.reserve(n);
    seconds.reserve(n);
    counts.reserve(n);
    if (o->amsgrad) maxima.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      if (exp_avgs[i] == nullptr) continue;
      const auto& grad = parameters[i]->grad();
      if (!grad.defined()) continue;
      const auto& target = lists.add(*parameters[i], grad);
      firsts.push_back(state_for(exp_avgs[i], target));
      seconds.push_back(state_for(exp_avg_sqs[i], target));
      if (o->amsgrad) maxima.push_back(state_for(max_exp_avg_sqs[i], target));
      counts.push_back(*steps[i]);
    }
    if (lists.parameters.empty()) return;
    if (counts[0].is_cpu()) {
      for (auto& count : counts) *count.data_ptr<float>() += 1.0f;
    } else {
      at::_foreach_add_(counts, 1);
    }
    const auto update = [&](auto kernel) {
      kernel(
          lists.parameters, lists.grads, firsts, seconds, maxima, counts, o->lr, o->beta1, o->beta2, o->weight_decay,
          o->eps, o->amsgrad, o->maximize, std::nullopt, for_kernel(found_inf));
    };
    if (o->decoupled) {
      update([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
    } else {
      update([](auto&&... arguments) { at::_fused_adam_(arguments...); });
    }
    // A step that the kernel left out does not count.
    if (found_inf != nullptr && !counts[0].is_cpu()) {
      at::_foreach_sub_(counts, std::vector<at::Tensor>(counts.size(), *found_inf));
    }
    lists.finish();
  });
}

}  // extern "C"
