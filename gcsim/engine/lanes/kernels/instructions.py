"""LLVM instructions of single NumPy operations, on vectors of eight lanes, with NumPy's results bit by bit.

Arithmetic is IEEE without contraction: one instruction for each operation of NumPy. It uses LLVM's constrained forms,
which keep every exception flag of the processor. A kernel reads these flags, because NumPy raises an error for them.
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from gcsim.engine.lanes.array_values import ONE, Constant, Form, Leaf, Name, Operation, Values, zeros_of

LANES = 8  # of a vector
TYPES = {"f": "double", "i": "i64", "u": "i64", "b": "i1"}  # by the kind of a NumPy type
_ARRAY_TYPES = {np.dtype(one) for one in (np.float64, np.int64, np.uint64, np.bool_)}

_ARITHMETIC = {np.add: "add", np.subtract: "sub", np.multiply: "mul", np.divide: "div"}
_COMPARISONS: dict[Any, tuple[str, str]] = {  # (of floats, of integers)
    np.greater: ("ogt", "gt"),
    np.greater_equal: ("oge", "ge"),
    np.less: ("olt", "lt"),
    np.less_equal: ("ole", "le"),
    np.equal: ("oeq", "eq"),
    np.not_equal: ("une", "ne"),
}
_EXTREMES = {np.maximum: np.greater, np.minimum: np.less}
_BITWISE = {np.bitwise_and: "and", np.bitwise_or: "or", np.bitwise_xor: "xor"}
_LOGICAL = {np.logical_and: "and", np.logical_or: "or"}
_NEGATIONS = (np.logical_not, np.invert)
_EQUAL_BYTES = (np.ndarray.view, np.ndarray.copy)


def vector(kind: str) -> str:
    """The LLVM type of a vector of a kind of NumPy type."""
    return f"<{LANES} x {TYPES[kind]}>"


def constant(value: float | int | bool, kind: str) -> str:
    """A vector of one number."""
    if kind == "f":
        text = f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    elif kind == "b":
        text = "true" if value else "false"
    else:
        text = str(int(value))
    return f"<{', '.join([f'{TYPES[kind]} {text}'] * LANES)}>"


def is_number(form: Form) -> bool:
    """Whether a value is the same for all lanes."""
    return form.shape is None or form.shape == ONE


def is_compiled(values: Values, name: Name) -> bool:
    """Whether a value can be computed in a kernel, if its inputs are arrays of its own shape or fixed numbers."""
    value, form = values.made[name], values.forms[name]
    if isinstance(value, Leaf) or values.is_fixed[name] or is_number(form) or form.dtype not in _ARRAY_TYPES:
        return False
    for one in value.inputs:
        found = values.forms[one]
        alike = found.shape == form.shape or (is_number(found) and values.is_fixed[one])
        if not alike or found.dtype not in _ARRAY_TYPES:
            return False
    constants = [one.value for one in value.arguments if isinstance(one, Constant)]
    if value.call in (zeros_of, np.ndarray.copy) and not constants:
        return True
    if value.call in (np.ndarray.astype, np.ndarray.view) and len(constants) == 1:
        both = {values.forms[next(iter(value.inputs))].dtype.kind, form.dtype.kind}
        return value.call is np.ndarray.astype or both <= {"i", "u"}
    if value.keywords or not all(isinstance(one, int | float | np.bool_ | np.number) for one in constants):
        return False
    if value.call is np.where:
        return len(value.arguments) == 3 and _kind(values, value.arguments[0]) == "b"
    if not isinstance(value.call, np.ufunc):
        return False
    kinds = _loop_kinds(values, value)
    if value.call is np.floor_divide:
        return (
            kinds[0] in "iu"
            and len(constants) == 1
            and isinstance(value.arguments[0], int)
            and constants[0] > 0
        )
    return _is_known(value.call, kinds[0])


def _is_known(call: np.ufunc, kind: str) -> bool:
    if call in _ARITHMETIC or call in _EXTREMES:
        return kind in "fiu" and (call is not np.divide or kind == "f")
    if call in _BITWISE:
        return kind in "biu"
    if call in _LOGICAL or call in _NEGATIONS:
        return kind == "b"
    return call in _COMPARISONS or (call is np.floor and kind == "f")


def _kind(values: Values, argument: Any) -> str:
    """The kind of the type of an argument."""
    if isinstance(argument, int):
        return values.forms[argument].dtype.kind
    return np.asarray(argument.value).dtype.kind


def _loop_kinds(values: Values, value: Operation) -> tuple[str, ...]:
    """The kinds of types to which NumPy converts the arguments of a ufunc."""
    given: list[Any] = []
    for one in value.arguments:
        if isinstance(one, int):
            given.append(values.forms[one].dtype)
        else:
            given.append(type(one.value) if type(one.value) in (int, float) else np.asarray(one.value).dtype)
    return _resolved(value.call, tuple(given))


@cache
def _resolved(call: np.ufunc, given: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(one.kind for one in call.resolve_dtypes((*given, None))[:-1])


class Body:
    """The instructions of a kernel's loop; each value has a register."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self.lines: list[str] = []
        self.registers: dict[Name, str] = {}
        self.declared: set[str] = set()
        self._made = 0

    def new(self, text: str) -> str:
        """The register of a new instruction."""
        self._made += 1
        self.lines.append(f"  %r{self._made} = {text}")
        return f"%r{self._made}"

    def add(self, name: Name) -> None:
        """Writes the instructions that make a value."""
        value = self._values.made[name]
        assert isinstance(value, Operation)
        self.registers[name] = self._instruction(value, self._values.forms[name].dtype.kind)

    def negated(self, register: str) -> str:
        """The opposite of truth values."""
        return self.new(f"xor {vector('b')} {register}, {constant(True, 'b')}")

    def _instruction(self, value: Operation, kind: str) -> str:
        call, arguments = value.call, value.arguments
        if call is zeros_of:
            return constant(0, kind)
        if call in _EQUAL_BYTES:
            return self.registers[arguments[0]]
        if call is np.ndarray.astype:
            return self._operand(arguments[0], kind)
        if call is np.where:
            condition = self._operand(arguments[0], "b")
            return self._select(condition, [self._operand(one, kind) for one in arguments[1:]], kind)
        kinds = _loop_kinds(self._values, value)
        operands = [self._operand(one, k) for one, k in zip(arguments, kinds, strict=True)]
        return self._ufunc(call, operands, kinds[0])

    def _ufunc(self, call: Any, operands: list[str], kind: str) -> str:
        if call in _ARITHMETIC and kind == "f":
            return self._constrained(f"f{_ARITHMETIC[call]}", operands)
        if call in _ARITHMETIC:
            return self._plain(_ARITHMETIC[call], kind, operands)
        if call in _BITWISE or call in _LOGICAL:
            return self._plain(_BITWISE.get(call) or _LOGICAL[call], kind, operands)
        if call in _NEGATIONS:
            return self.negated(operands[0])
        if call in _EXTREMES:  # NumPy takes the second of two equal ones, such as 0.0 and -0.0
            return self._select(self._compared(_EXTREMES[call], operands, kind), operands, kind)
        if call is np.floor:
            self.declared.add(f"{vector('f')} @llvm.floor.v{LANES}f64({vector('f')})")
            return self.new(f"call {vector('f')} @llvm.floor.v{LANES}f64({vector('f')} {operands[0]})")
        if call is np.floor_divide:
            return self._floor_divided(operands, kind)
        return self._compared(call, operands, kind)

    def _floor_divided(self, operands: list[str], kind: str) -> str:
        """The quotient of a positive number."""
        if kind == "u":
            return self._plain("udiv", kind, operands)
        quotient, rest = self._plain("sdiv", kind, operands), self._plain("srem", kind, operands)
        is_less = self._compared(np.less, [rest, constant(0, kind)], kind)
        one_less = self._plain("sub", kind, [quotient, constant(1, kind)])
        return self._select(is_less, [one_less, quotient], kind)

    def _plain(self, word: str, kind: str, operands: list[str]) -> str:
        return self.new(f"{word} {vector(kind)} {', '.join(operands)}")

    def _constrained(self, word: str, operands: list[str]) -> str:
        kind = vector("f")
        name = f"@llvm.experimental.constrained.{word}.v{LANES}f64"
        self.declared.add(f"{kind} {name}({kind}, {kind}, metadata, metadata)")
        given = ", ".join(f"{kind} {one}" for one in operands)
        return self.new(
            f'call {kind} {name}({given}, metadata !"round.tonearest", metadata !"fpexcept.strict")'
        )

    def _compared(self, call: Callable[..., Any], operands: list[str], kind: str) -> str:
        of_floats, of_integers = _COMPARISONS[call]
        if kind == "f":
            return self.new(f"fcmp {of_floats} {vector(kind)} {', '.join(operands)}")
        sign = "" if of_integers in ("eq", "ne") else "s" if kind == "i" else "u"
        return self.new(f"icmp {sign}{of_integers} {vector(kind)} {', '.join(operands)}")

    def _select(self, condition: str, choices: list[str], kind: str) -> str:
        if_true, if_false = (f"{vector(kind)} {one}" for one in choices)
        return self.new(f"select {vector('b')} {condition}, {if_true}, {if_false}")

    def _operand(self, argument: Any, kind: str) -> str:
        """The register of an argument, converted to a kind of type."""
        if not isinstance(argument, int):
            return constant(argument.value, kind)
        register, found = self.registers[argument], self._values.forms[argument].dtype.kind
        if found == kind or {found, kind} == {"i", "u"}:
            return register
        if kind == "b":
            return self._compared(np.not_equal, [register, constant(0, found)], found)
        if found == "f":
            target, source = vector(kind), vector("f")
            word = (
                f"@llvm.experimental.constrained.fpto{'s' if kind == 'i' else 'u'}i.v{LANES}i64.v{LANES}f64"
            )
            self.declared.add(f"{target} {word}({source}, metadata)")
            return self.new(f'call {target} {word}({source} {register}, metadata !"fpexcept.strict")')
        word = "zext" if kind != "f" else "sitofp" if found == "i" else "uitofp"
        return self.new(f"{word} {vector(found)} {register} to {vector(kind)}")
