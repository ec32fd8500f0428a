// What PyTorch's Python layers check of their inputs, and the operators that they call do not.
//
// A statistic of a single value has no variance: the operators give NaN where they store it, and the same output whatever
// the input. A file that was traced or exported has the operators alone, without the layers' checks.
#pragma once

#include <c10/util/ArrayRef.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>

namespace statistics {

// Throws in the words of torch.nn.functional.
inline void refuse(const char* what, c10::IntArrayRef size) {
  std::ostringstream text;
  text << "expected more than 1 " << what << " when training, got input size " << size;
  throw std::runtime_error(text.str());
}

// The product of the sizes behind samples and channels.
inline int64_t spatial(c10::IntArrayRef size) {
  int64_t product = 1;
  for (size_t i = 2; i < size.size(); ++i) product *= size[i];
  return product;
}

// As torch.nn.functional.batch_norm.
inline void check_batch(c10::IntArrayRef size) {
  if (!size.empty() && size[0] * spatial(size) == 1) refuse("value per channel", size);
}

// As torch.nn.functional.instance_norm.
inline void check_instance(c10::IntArrayRef size) {
  if (spatial(size) == 1) refuse("spatial element", size);
}

// As torch.nn.functional.group_norm.
inline void check_groups(c10::IntArrayRef size, int64_t groups) {
  if (size.size() < 2 || groups < 1) return;
  if (size[0] * size[1] / groups * spatial(size) == 1) refuse("value per channel", size);
}

}  // namespace statistics
