// Processes that compute together, and what they have under way.
#pragma once
#define USE_C10D_GLOO
#include "shim.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <memory>

class Sums;

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  // Made with the first sum of gradients, and anew when other parameters train.
  std::shared_ptr<Sums> sums;
};
