// Python's operators on the numbers of a program: sizes, and what is computed from them.
#include "graph.h"

#include <cmath>
#include <map>

namespace graph {
namespace {

bool is_whole(const c10::IValue& value) { return value.isInt() || value.isBool(); }

int64_t whole(const c10::IValue& value) { return value.isBool() ? static_cast<int64_t>(value.toBool()) : value.toInt(); }

double real(const c10::IValue& value) {
  if (value.isDouble()) return value.toDouble();
  if (is_whole(value)) return static_cast<double>(whole(value));
  throw std::runtime_error("expected a number, found " + value.tagKind());
}

int64_t floor_divided(int64_t a, int64_t b) {
  if (b == 0) throw std::runtime_error("division by zero");
  const auto quotient = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? quotient - 1 : quotient;
}

int64_t powered(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) throw std::runtime_error("a power is too large");
  }
  return result;
}

// The result of a whole-number operation; a size that overflows is no size.
template <typename Overflows>
c10::IValue checked(Overflows&& overflows) {
  int64_t result = 0;
  if (overflows(&result)) throw std::runtime_error("a number is too large");
  return result;
}

using Values = std::vector<c10::IValue>;
using Function = c10::IValue (*)(const Values&);

template <typename Compare>
c10::IValue compared(const Values& v, Compare&& compare) {
  if (is_whole(v[0]) && is_whole(v[1])) return compare(whole(v[0]), whole(v[1]));
  return compare(real(v[0]), real(v[1]));
}

struct Known {
  size_t arity;
  Function function;
};

const std::map<std::string, Known>& known() {
  static const std::map<std::string, Known> table = {
      {"_operator.add", {2, [](const Values& v) -> c10::IValue {
         if (!is_whole(v[0]) || !is_whole(v[1])) return real(v[0]) + real(v[1]);
         return checked([&](int64_t* r) { return __builtin_add_overflow(whole(v[0]), whole(v[1]), r); });
       }}},
      {"_operator.sub", {2, [](const Values& v) -> c10::IValue {
         if (!is_whole(v[0]) || !is_whole(v[1])) return real(v[0]) - real(v[1]);
         return checked([&](int64_t* r) { return __builtin_sub_overflow(whole(v[0]), whole(v[1]), r); });
       }}},
      {"_operator.mul", {2, [](const Values& v) -> c10::IValue {
         if (!is_whole(v[0]) || !is_whole(v[1])) return real(v[0]) * real(v[1]);
         return checked([&](int64_t* r) { return __builtin_mul_overflow(whole(v[0]), whole(v[1]), r); });
       }}},
      {"_operator.floordiv", {2, [](const Values& v) -> c10::IValue {
         if (is_whole(v[0]) && is_whole(v[1])) return floor_divided(whole(v[0]), whole(v[1]));
         return std::floor(real(v[0]) / real(v[1]));
       }}},
      {"_operator.mod", {2, [](const Values& v) -> c10::IValue {
         if (is_whole(v[0]) && is_whole(v[1])) return whole(v[0]) - whole(v[1]) * floor_divided(whole(v[0]), whole(v[1]));
         return real(v[0]) - real(v[1]) * std::floor(real(v[0]) / real(v[1]));
       }}},
      {"_operator.truediv", {2, [](const Values& v) -> c10::IValue { return real(v[0]) / real(v[1]); }}},
      {"_operator.pow", {2, [](const Values& v) -> c10::IValue {
         if (is_whole(v[0]) && is_whole(v[1]) && whole(v[1]) >= 0) return powered(whole(v[0]), whole(v[1]));
         return std::pow(real(v[0]), real(v[1]));
       }}},
      {"_operator.neg", {1, [](const Values& v) -> c10::IValue {
         if (!is_whole(v[0])) return -real(v[0]);
         return checked([&](int64_t* r) { return __builtin_sub_overflow(int64_t{0}, whole(v[0]), r); });
       }}},
      {"_operator.eq", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a == b; }); }}},
      {"_operator.ne", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a != b; }); }}},
      {"_operator.lt", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a < b; }); }}},
      {"_operator.le", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a <= b; }); }}},
      {"_operator.gt", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a > b; }); }}},
      {"_operator.ge", {2, [](const Values& v) { return compared(v, [](auto a, auto b) { return a >= b; }); }}},
      {"_operator.and_", {2, [](const Values& v) -> c10::IValue { return v[0].toBool() && v[1].toBool(); }}},
      {"_operator.or_", {2, [](const Values& v) -> c10::IValue { return v[0].toBool() || v[1].toBool(); }}},
      {"torch.sym_not", {1, [](const Values& v) -> c10::IValue { return !v[0].toBool(); }}},
      {"torch.sym_max", {2, [](const Values& v) -> c10::IValue {
         if (is_whole(v[0]) && is_whole(v[1])) return std::max(whole(v[0]), whole(v[1]));
         return std::max(real(v[0]), real(v[1]));
       }}},
      {"torch.sym_min", {2, [](const Values& v) -> c10::IValue {
         if (is_whole(v[0]) && is_whole(v[1])) return std::min(whole(v[0]), whole(v[1]));
         return std::min(real(v[0]), real(v[1]));
       }}},
      {"torch.sym_int", {1, [](const Values& v) -> c10::IValue { return static_cast<int64_t>(real(v[0])); }}},
      {"torch.sym_float", {1, [](const Values& v) -> c10::IValue { return real(v[0]); }}},
      {"torch.sym_ite", {3, [](const Values& v) { return v[0].toBool() ? v[1] : v[2]; }}},
      {"math.trunc", {1, [](const Values& v) -> c10::IValue { return static_cast<int64_t>(std::trunc(real(v[0]))); }}},
      {"math.floor", {1, [](const Values& v) -> c10::IValue { return static_cast<int64_t>(std::floor(real(v[0]))); }}},
      {"math.ceil", {1, [](const Values& v) -> c10::IValue { return static_cast<int64_t>(std::ceil(real(v[0]))); }}},
  };
  return table;
}

}  // namespace

bool is_python_operator(const std::string& name) { return known().count(name) > 0; }

c10::IValue python_call(const std::string& name, const std::vector<c10::IValue>& values) {
  const auto& found = known().at(name);
  if (values.size() != found.arity) throw std::runtime_error("expected " + std::to_string(found.arity) + " numbers");
  return found.function(values);
}

}  // namespace graph
