"""LLVM text of a kernel: one loop over lanes that makes the values of a stretch of a program.

A kernel reads its arrays from two Python tuples (``entry``): types and fixed arrays, then other inputs and the arrays
of the results. The loop takes ``LANES`` lanes at a time, and its last turn repeats some lanes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gcsim.engine.lanes.array_values import Name, Values
from gcsim.engine.lanes.kernels.entry import IS_NUMBER, IS_OTHER, KINDS
from gcsim.engine.lanes.kernels.instructions import LANES, TYPES, Body, constant, is_number, vector

REFUSED = 1  # a bit of a kernel's result: its results are not valid
_ERRORS = 1 | 4 | 8  # FE_INVALID, FE_DIVBYZERO and FE_OVERFLOW of x86-64


@dataclass(frozen=True, slots=True)
class Test:
    """A test of an array: whether any of its elements is true, or all of them."""

    values: Name
    all: bool
    expected: bool | None  # a kernel refuses any other outcome; None for a test whose outcome it returns


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a kernel computes."""

    steps: tuple[Name, ...]
    tests: tuple[Test, ...]
    fixed: tuple[Name, ...]  # inputs that are the same in each call: arrays, and numbers
    inputs: tuple[Name, ...]
    results: tuple[Name, ...]

    @property
    def returned(self) -> tuple[Test, ...]:
        """The tests whose outcome the kernel returns, from bit 1 on."""
        return tuple(one for one in self.tests if one.expected is None)


def kernel_text(values: Values, stretch: Stretch) -> str:
    """The LLVM module of a stretch, which defines ``kernel(fixed tuple, other tuple, lanes)``.

    The result has the bit REFUSED, and one bit for each returned test.
    """
    return "\n".join(_Kernel(values, stretch).lines())


class _Kernel:
    def __init__(self, values: Values, stretch: Stretch) -> None:
        self._values, self._stretch = values, stretch
        self._body = Body(values)
        self._outcomes: list[str] = []

    def lines(self) -> Iterator[str]:
        """The lines of the module."""
        opened, starts = list(self._opened()), list(self._numbers())
        loads = list(self._loads())
        for name in self._stretch.steps:
            self._body.add(name)
        gathered = list(self._gathered())
        stores = list(self._stores())
        yield self._kinds()
        yield from (f"declare {one}" for one in sorted(self._body.declared))
        yield "declare i64 @gcsim_open(ptr, ptr, i64, ptr, i64, ptr)"
        yield "declare void @gcsim_close(ptr, i64, ptr, i64, ptr, i64)"
        yield "declare i32 @feclearexcept(i32)"
        yield "declare i32 @fetestexcept(i32)"
        yield f"declare i1 @llvm.vector.reduce.or.v{LANES}i1({vector('b')})"
        yield "define i64 @kernel(ptr %fixed, ptr %others, i64 %n) {"
        yield "entry:"
        yield from opened
        yield from starts
        yield f"  call i32 @feclearexcept(i32 {_ERRORS})"
        yield f"  %end = sub i64 %n, {LANES}"
        yield "  %long = icmp sgt i64 %end, 0"
        yield "  %last = select i1 %long, i64 %end, i64 0"
        yield "  br label %loop"
        yield "loop:"
        yield "  %i = phi i64 [0, %start], [%next, %loop]"
        for place, found in enumerate(gathered):
            yield f"  %before{place} = phi {vector('b')} [{constant(False, 'b')}, %start], [{found}, %loop]"
        yield from loads
        yield from self._body.lines
        yield from stores
        yield f"  %after = add i64 %i, {LANES}"
        yield "  %inside = icmp slt i64 %after, %last"
        yield "  %next = select i1 %inside, i64 %after, i64 %last"
        yield "  %more = icmp slt i64 %i, %last"
        yield "  br i1 %more, label %loop, label %finish"
        yield "finish:"
        yield from self._end(gathered)
        yield "refuse:"
        yield f"  ret i64 {REFUSED}"
        yield "}"

    def _arrays(self) -> list[tuple[str, Name]]:
        """(variable, name) of each array and fixed number."""
        stretch = self._stretch
        found = [(f"f{i}", name) for i, name in enumerate(stretch.fixed)]
        return found + [(f"a{i}", name) for i, name in enumerate((*stretch.inputs, *stretch.results))]

    def _kinds(self) -> str:
        """A description of each array, one byte each."""
        found = []
        for variable, name in self._arrays():
            form = self._values.forms[name]
            number, other = IS_NUMBER * is_number(form), IS_OTHER * variable.startswith("a")
            found.append(KINDS.index(form.dtype.kind) | number | other)
        return f"@kinds = internal constant [{len(found)} x i8] [{', '.join(f'i8 {one}' for one in found)}]"

    def _opened(self) -> Iterator[str]:
        """Reads and checks the arrays."""
        count = len(self._arrays())
        yield f"  %table = alloca [{count * (1 + LANES)} x i64], align 64"
        given = f"ptr %fixed, ptr %others, i64 %n, ptr @kinds, i64 {count}, ptr %table"
        yield f"  %no = call i64 @gcsim_open({given})"
        yield "  %refused = icmp ne i64 %no, 0"
        yield "  br i1 %refused, label %refuse, label %start"
        yield "start:"
        for place, (variable, _) in enumerate(self._arrays()):
            yield f"  %{variable}.at = getelementptr ptr, ptr %table, i64 {place}"
            yield f"  %{variable} = load ptr, ptr %{variable}.at"

    def _numbers(self) -> Iterator[str]:
        """Vectors of the fixed numbers."""
        for variable, name in self._arrays():
            form = self._values.forms[name]
            if is_number(form):
                yield from self._loaded(variable, form.dtype.kind, "0", f"%{variable}.one", vector=False)
                kind, whole = form.dtype.kind, vector(form.dtype.kind)
                yield f"  %{variable}.first = insertelement {whole} poison, {TYPES[kind]} %{variable}.one, i64 0"
                yield (
                    f"  %{variable}.all = shufflevector {whole} %{variable}.first, {whole} poison,"
                    f" <{LANES} x i32> zeroinitializer"
                )
                self._body.registers[name] = f"%{variable}.all"

    def _loads(self) -> Iterator[str]:
        """Loads the next lanes of the inputs."""
        stretch = self._stretch
        for variable, name in self._arrays()[: len(stretch.fixed) + len(stretch.inputs)]:
            form = self._values.forms[name]
            if not is_number(form):
                yield from self._loaded(variable, form.dtype.kind, "%i", f"%{variable}.v", vector=True)
                self._body.registers[name] = f"%{variable}.v"

    def _loaded(self, variable: str, kind: str, place: str, register: str, *, vector: bool) -> Iterator[str]:
        element = "i8" if kind == "b" else TYPES[kind]
        whole = f"<{LANES} x {element}>" if vector else element
        target = f"{register}.byte" if kind == "b" else register
        yield f"  {register}.at = getelementptr {element}, ptr %{variable}, i64 {place}"
        yield f"  {target} = load {whole}, ptr {register}.at, align 1"
        if kind == "b":
            yield f"  {register} = icmp ne {whole} {target}, {'zeroinitializer' if vector else '0'}"

    def _gathered(self) -> Iterator[str]:
        """Whether lanes until now have a true element, or a false one for a test of all, for each test."""
        for place, test in enumerate(self._stretch.tests):
            values = self._body.registers[test.values]
            if test.all:
                values = self._body.negated(values)
            yield self._body.new(f"or {vector('b')} %before{place}, {values}")

    def _stores(self) -> Iterator[str]:
        first = len(self._stretch.fixed) + len(self._stretch.inputs)
        for variable, name in self._arrays()[first:]:
            kind, register = self._values.forms[name].dtype.kind, self._body.registers[name]
            element = "i8" if kind == "b" else TYPES[kind]
            if kind == "b":
                yield f"  %{variable}.byte = zext {vector('b')} {register} to <{LANES} x i8>"
                register = f"%{variable}.byte"
            yield f"  %{variable}.to = getelementptr {element}, ptr %{variable}, i64 %i"
            yield f"  store <{LANES} x {element}> {register}, ptr %{variable}.to, align 1"

    def _end(self, gathered: list[str]) -> Iterator[str]:
        """Checks errors and tests, and returns the outcomes."""
        stretch = self._stretch
        yield f"  %errors = call i32 @fetestexcept(i32 {_ERRORS})"
        yield "  %wrong = icmp ne i32 %errors, 0"
        bad, bits = "%wrong", []
        for place, (test, found) in enumerate(zip(stretch.tests, gathered, strict=True)):
            reduce = f"call i1 @llvm.vector.reduce.or.v{LANES}i1({vector('b')} {found})"
            yield f"  %some{place} = {reduce}"
            yield f"  %test{place} = xor i1 %some{place}, {'true' if test.all else 'false'}"
            if test.expected is None:
                bits.append(f"%test{place}")
            else:
                yield f"  %no{place} = xor i1 %test{place}, {'true' if test.expected else 'false'}"
                yield f"  %bad.{place} = or i1 {bad}, %no{place}"
                bad = f"%bad.{place}"
        yield f"  br i1 {bad}, label %refuse, label %done"
        yield "done:"
        given = f"ptr %others, i64 %n, ptr @kinds, i64 {len(self._arrays())}, ptr %table"
        yield f"  call void @gcsim_close({given}, i64 {len(stretch.results)})"
        yield "  %result0 = add i64 0, 0"
        for place, bit in enumerate(bits):
            yield f"  %bit{place} = zext i1 {bit} to i64"
            yield f"  %moved{place} = shl i64 %bit{place}, {place + 1}"
            yield f"  %result{place + 1} = or i64 %result{place}, %moved{place}"
        yield f"  ret i64 %result{len(bits)}"
