// Values of the file, fitted to what an operator's schema asks for.
#include "graph.h"

#include <ATen/ScalarOps.h>
#include <c10/core/Scalar.h>

namespace graph {
namespace {

[[noreturn]] void refuse(const c10::Argument& parameter, const char* found) {
  throw std::runtime_error(
      "its argument `" + parameter.name() + "` is " + found + ", expected " + parameter.type()->str());
}

const char* name_of(int kind) {
  switch (kind) {
    case NONE: return "None";
    case BOOL: return "a bool";
    case INT: return "a whole number";
    case FLOAT: return "a number";
    case STRING: return "a text";
    case DEVICE: return "a device";
    case SLOT: return "a value";
    case INTS: return "a list of whole numbers";
    case FLOATS: return "a list of numbers";
    case BOOLS: return "a list of bools";
    default: return "a list of tensors";
  }
}

Operand constant(c10::IValue value) {
  Operand operand;
  operand.constant = std::move(value);
  return operand;
}

Operand from_slot(Slot slot) {
  Operand operand;
  operand.kind = Operand::FROM_SLOT;
  operand.slots = {slot};
  return operand;
}

Operand integers(const Value& value) {
  Operand operand;
  std::vector<int64_t> numbers(value.integers, value.integers + value.count);
  bool has_slots = false;
  for (size_t i = 0; i < value.count; ++i) has_slots |= value.is_slot != nullptr && value.is_slot[i] != 0;
  if (!has_slots) return constant(c10::IValue(numbers));
  operand.kind = Operand::INT_LIST;
  for (size_t i = 0; i < value.count; ++i) {
    operand.slots.push_back(value.is_slot[i] != 0 ? numbers[i] : -1);
    operand.integers.push_back(numbers[i]);
  }
  return operand;
}

Operand tensors(const Value& value, bool optional, const c10::Argument& parameter) {
  Operand operand;
  operand.kind = optional ? Operand::OPTIONAL_TENSOR_LIST : Operand::TENSOR_LIST;
  operand.slots.assign(value.integers, value.integers + value.count);
  for (const auto slot : operand.slots) {
    if (slot < 0 && !optional) refuse(parameter, "a list with None in it");
  }
  return operand;
}

Operand list_for(const c10::Argument& parameter, const c10::TypePtr& element, const Value& value) {
  const bool is_empty = value.count == 0 && (value.kind == INTS || value.kind == TENSORS || value.kind == FLOATS);
  switch (element->kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      if (value.kind == INTS) return integers(value);
      // `int[2]` takes one number for all of them.
      if (value.kind == INT && parameter.N().has_value())
        return constant(c10::IValue(std::vector<int64_t>(*parameter.N(), value.integer)));
      break;
    case c10::TypeKind::FloatType:
      if (value.kind == FLOATS)
        return constant(c10::IValue(std::vector<double>(value.numbers, value.numbers + value.count)));
      if (value.kind == INTS && value.is_slot == nullptr)
        return constant(c10::IValue(std::vector<double>(value.integers, value.integers + value.count)));
      break;
    case c10::TypeKind::BoolType:
      if (value.kind == BOOLS || is_empty) {
        c10::List<bool> list;
        for (size_t i = 0; i < value.count; ++i) list.push_back(value.integers[i] != 0);
        return constant(list);
      }
      break;
    case c10::TypeKind::TensorType:
      if (value.kind == TENSORS || is_empty) return tensors(value, false, parameter);
      break;
    case c10::TypeKind::OptionalType:
      if (element->castRaw<c10::OptionalType>()->getElementType()->kind() == c10::TypeKind::TensorType &&
          (value.kind == TENSORS || is_empty))
        return tensors(value, true, parameter);
      break;
    default: break;
  }
  refuse(parameter, name_of(value.kind));
}

}  // namespace

Operand operand_for(const c10::Argument& parameter, const Value& value) {
  auto type = parameter.type();
  if (const auto optional = type->cast<c10::OptionalType>()) {
    if (value.kind == NONE) return constant(c10::IValue());
    type = optional->getElementType();
  }
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      if (value.kind == SLOT) {
        auto operand = from_slot(value.integer);
        operand.wraps_number = true;
        return operand;
      }
      if (value.kind == INT) return constant(at::native::wrapped_scalar_tensor(at::Scalar(value.integer)));
      if (value.kind == FLOAT) return constant(at::native::wrapped_scalar_tensor(at::Scalar(value.number)));
      if (value.kind == BOOL) return constant(at::native::wrapped_scalar_tensor(at::Scalar(value.integer != 0)));
      break;
    case c10::TypeKind::NumberType:
      if (value.kind == SLOT) return from_slot(value.integer);
      if (value.kind == INT) return constant(value.integer);
      if (value.kind == FLOAT) return constant(value.number);
      if (value.kind == BOOL) return constant(value.integer != 0);
      break;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      if (value.kind == SLOT) return from_slot(value.integer);
      if (value.kind == INT || value.kind == BOOL) return constant(value.integer);
      break;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType:
      if (value.kind == SLOT) return from_slot(value.integer);
      if (value.kind == INT) return constant(static_cast<double>(value.integer));
      if (value.kind == FLOAT) return constant(value.number);
      break;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType:
      if (value.kind == SLOT) return from_slot(value.integer);
      if (value.kind == BOOL) return constant(value.integer != 0);
      break;
    case c10::TypeKind::StringType:
      if (value.kind == STRING) return constant(std::string(value.text));
      break;
    case c10::TypeKind::DeviceObjType:
      if (value.kind == DEVICE) {
        Operand operand;
        operand.kind = Operand::RUN_DEVICE;
        return operand;
      }
      break;
    case c10::TypeKind::ListType:
      return list_for(parameter, type->castRaw<c10::ListType>()->getElementType(), value);
    default: break;
  }
  refuse(parameter, name_of(value.kind));
}

Operand plain_operand(const Value& value) {
  switch (value.kind) {
    case NONE: return constant(c10::IValue());
    case BOOL: return constant(value.integer != 0);
    case INT: return constant(value.integer);
    case FLOAT: return constant(value.number);
    case STRING: return constant(std::string(value.text));
    case SLOT: return from_slot(value.integer);
    default: throw std::runtime_error(std::string("an argument is ") + name_of(value.kind) + ", expected a number");
  }
}

}  // namespace graph
