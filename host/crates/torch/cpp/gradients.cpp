// Gradients of many parameters at once: norm, clipping, dropping, loss scaling, pinned copies.
#include "shim.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <utility>
#include <vector>

namespace {

using Bucket = std::vector<at::Tensor>;

// The gradients there are, split by device and dtype, which is what the foreach kernels take.
std::vector<Bucket> buckets(const TensorPtr* parameters, size_t n) {
  std::vector<Bucket> all;
  for (size_t i = 0; i < n; ++i) {
    const auto& grad = parameters[i]->grad();
    if (!grad.defined()) continue;
    Bucket* home = nullptr;
    for (auto& bucket : all) {
      if (bucket[0].device() == grad.device() && bucket[0].scalar_type() == grad.scalar_type()) home = &bucket;
    }
    if (home == nullptr) {
      all.emplace_back();
      all.back().reserve(n - i);
      home = &all.back();
    }
    home->push_back(grad);
  }
  return all;
}

// The norm of all gradients seen as one vector, a 0-dim tensor on the first gradient's device.
at::Tensor total_norm(const std::vector<Bucket>& all) {
  std::vector<at::Tensor> norms;
  const auto home = all[0][0].device();
  for (const auto& bucket : all) {
    for (auto& norm : at::_foreach_norm(bucket, 2.0)) {
      norms.push_back(norm.device() == home ? std::move(norm) : norm.to(home));
    }
  }
  if (all.size() > 1) {
    for (auto& norm : norms) norm = norm.to(norms[0].scalar_type());
  }
  return at::linalg_vector_norm(at::stack(norms), 2.0);
}

void scale(Bucket& bucket, const at::Tensor& factor) {
  at::_foreach_mul_(bucket, bucket[0].device() == factor.device() ? factor : factor.to(bucket[0].device()));
}

}  // namespace

extern "C" {

// Scales the gradients so that their norm is at most max_norm. Gives the norm before: as a number, or, where nothing
// may wait for the device, as a tensor of no dimension.
Status thaw_clip_grad_norm(
    const TensorPtr* parameters, size_t n, double max_norm, bool wait, double* norm, TensorPtr* late, char** error) {
  return shim::guarded(error, [&] {
    c10::NoGradGuard no_grad;
    auto all = buckets(parameters, n);
    *norm = 0.0;
    *late = nullptr;
    if (all.empty()) return;
    const auto total = total_norm(all);
    if (wait && total.is_cpu() && total.scalar_type() == at::kFloat) {
      // Plain floats instead of three tiny kernels: the same operations in the same precision as PyTorch's.
      const float value = total.item<float>();
      const float factor = (1.0f / (value + 1e-6f)) * static_cast<float>(max_norm);
      *norm = value;
      if (factor >= 1.0f) return;
      for (auto& bucket : all) scale(bucket, at::scalar_tensor(factor));
      return;
    }
    const auto factor = total.add(1e-6).reciprocal().mul(max_norm).clamp_max(1.0);
    for (auto& bucket : all) scale(bucket, factor);
    if (wait) {
      *norm = total.item<double>();
    } else {
      *late = new at::Tensor(total);
    }
  });
}

// Limits every element of the gradients to [-limit, limit].
Status thaw_clip_grad_value(const TensorPtr* parameters, size_t n, double limit, char** error) {
  return shim::guarded(error, [&] {
    c10::NoGradGuard no_grad;
    for (auto& bucket : buckets(parameters, n)) {
      at::_foreach_clamp_min_(bucket, -limit);
      at::_foreach_clamp_max_(bucket, limit);
    }
  });
}

// Drops the gradients, so that the next backward pass writes instead of adding.
Status thaw_zero_grad(const TensorPtr* parameters, size_t n, char** error) {
  return shim::guarded(error, [&] {
    for (size_t i = 0; i < n; ++i) {
      auto& grad = parameters[i]->mutable_grad();
      if (grad.defined()) grad.reset();
    }
  });
}

// Divides the gradients by a number and, where there is one, by a scale that is a tensor. found_inf, of no dimension,
// becomes 1 where one of them is not finite, and else stays as it is. Nothing waits for the device.
Status thaw_unscale_grads(
    const TensorPtr* parameters, size_t n, double divisor, TensorPtr scale, TensorPtr found_inf, char** error) {
  return shim::guarded(error, [&] {
    c10::NoGradGuard no_grad;
    // As PyTorch's GradScaler: the reciprocal is taken in double.
    const auto inverse = scale == nullptr
        ? at::scalar_tensor(1.0 / divisor, at::kFloat)
        : scale->to(at::kDouble).mul(divisor).reciprocal().to(at::kFloat);
    for (auto& bucket : buckets(parameters, n)) {
      const auto device = bucket[0].device();
      auto found = found_inf->device() == device ? *found_inf : at::zeros({}, found_inf->options().device(device));
      at::_amp_foreach_non_finite_check_and_unscale_(bucket, found, inverse.to(device, /*non_blocking=*/true));
      if (!found.is_same(*found_inf)) found_inf->add_(found.to(found_inf->device())).clamp_max_(1.0);
    }
  });
}

// PyTorch's GradScaler: halves the scale after a step with infinities, doubles it after enough steps without.
Status thaw_update_scale(TensorPtr scale, TensorPtr growth, TensorPtr found_inf, int64_t interval, char** error) {
  return shim::guarded(error, [&] {
    c10::NoGradGuard no_grad;
    at::_amp_update_scale_(*scale, *growth, *found_inf, 2.0, 0.5, interval);
  });
}

// Copies a tensor into page-locked memory, from which a GPU reads while the host goes on.
Status thaw_pin_memory(TensorPtr tensor, TensorPtr* pinned, char** error) {
  return shim::guarded(error, [&] { *pinned = new at::Tensor(tensor->pin_memory()); });
}

}  // extern "C"
