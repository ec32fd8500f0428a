// A program as a list of calls, and how a C++ exception becomes a value that Rust can read.
//
// Every value of a program has a slot. A node reads slots, calls one operator through libtorch's dispatcher, and writes
// slots; so autograd, autocast and devices work as in eager PyTorch. Nothing here knows the file that it came from.
//
// Every exported function that can fail returns a Status. Nothing throws across the boundary. Tensors cross as pointers
// to at::Tensor, which is what tch uses as well.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <vector>

enum Status : int { OK = 0, FAILED = 1 };

using TensorPtr = at::Tensor*;

// What an argument of the file is. Scalar types, layouts and memory formats are c10's numbers, given as INT.
enum ValueKind : int {
  NONE = 0,
  BOOL = 1,
  INT = 2,
  FLOAT = 3,
  STRING = 4,
  // The run's device, whatever the file says.
  DEVICE = 5,
  // A tensor or a number that an earlier node gave.
  SLOT = 6,
  // Whole numbers, some of them slots.
  INTS = 7,
  FLOATS = 8,
  BOOLS = 9,
  // Tensors by slot; -1 is None.
  TENSORS = 10,
};

struct Value {
  int kind;
  int64_t integer;
  double number;
  const char* text;
  // INTS: numbers or slots, as `is_slot` says. BOOLS, TENSORS: numbers alone.
  const int64_t* integers;
  const uint8_t* is_slot;
  const double* numbers;
  size_t count;
};

// What a node does of its module's mode.
enum ModeRule : int {
  ALWAYS = 0,
  // The argument is whether the module trains.
  FLAG = 1,
  // The argument is a probability that is 0 in evaluation mode.
  PROBABILITY = 2,
  // It runs only where stored statistics are tracked.
  COUNTER = 3,
  // It runs in training mode alone.
  TRAINING_ONLY = 4,
  // As TRAINING_ONLY; in evaluation mode its output is the value of another slot.
  PASS_THROUGH = 5,
};

// Bits of a module's mode, as the host has them.
constexpr uint8_t TRAINING = 1;
constexpr uint8_t TRACKING = 2;

namespace graph {

using Slot = int64_t;

// Where one argument of a call comes from.
struct Operand {
  enum Kind { CONSTANT, FROM_SLOT, INT_LIST, TENSOR_LIST, OPTIONAL_TENSOR_LIST, RUN_DEVICE } kind = CONSTANT;
  c10::IValue constant;
  std::vector<Slot> slots;
  // INT_LIST: the numbers where the slot is -1.
  std::vector<int64_t> integers;
  // A number for a parameter that is a tensor: it must not decide the result's type.
  bool wraps_number = false;
};

// What PyTorch's layer checks of its input before it calls the operator.
enum class Check { NOTHING, BATCH, INSTANCE, GROUPS };

enum class Region { NO, SET_GRAD_ENABLED, AUTOCAST, CONDITION };

struct Node {
  std::optional<c10::OperatorHandle> op;
  // Python's operator on numbers, where `op` is none.
  std::string python;
  Region region = Region::NO;
  std::vector<std::optional<Operand>> operands;
  std::vector<Slot> outputs;
  // Blocks of a region, and the slots that each gives for `outputs`.
  std::vector<size_t> blocks;
  std::vector<std::vector<Slot>> results;
  ModeRule rule = ALWAYS;
  size_t module = 0;
  size_t argument = 0;
  Slot source = -1;
  Check check = Check::NOTHING;
  // Position of the argument that says whether a norm takes statistics of the batch, or in how many groups.
  size_t checked = 0;
  // The file's module path and operator, for errors.
  std::string place;
};

// Some of the top block's nodes in order, and when values are no longer needed.
struct Plan {
  std::vector<size_t> nodes;
  std::vector<std::vector<Slot>> last_uses;
  std::vector<Slot> outputs;
};

struct Graph {
  std::vector<Node> nodes;
  // Node numbers; block 0 is the program itself.
  std::vector<std::vector<size_t>> blocks{1};
  std::vector<Plan> plans;
  size_t slots = 0;
  // Parameters, buffers and constants.
  std::vector<std::pair<Slot, at::Tensor>> bound;
};

// Fits a value of the file to a parameter of an operator; throws where it cannot.
Operand operand_for(const c10::Argument& parameter, const Value& value);
// A value for Python's operators, which take what comes.
Operand plain_operand(const Value& value);
// Python's arithmetic on whole and real numbers: floor division and modulo round down.
c10::IValue python_call(const std::string& name, const std::vector<c10::IValue>& values);
bool is_python_operator(const std::string& name);

// A copy of the text that Rust frees with thaw_graph_free_text.
inline char* text(const char* message) { return ::strdup(message == nullptr ? "" : message); }

template <typename Body>
Status guarded(char** error, Body&& body) noexcept {
  try {
    body();
    return OK;
  } catch (const c10::Error& e) {
    *error = text(e.what_without_backtrace());
  } catch (const std::exception& e) {
    *error = text(e.what());
  } catch (...) {
    *error = text("an exception that is no std::exception");
  }
  return FAILED;
}

}  // namespace graph
