"""LLVM text of the two functions that every kernel calls, first and last.

``gcsim_open`` reads the arrays of a kernel from two Python tuples. It checks that each is a one-dimensional NumPy array
without gaps, with the stated type and length, and writes their addresses into a table. It copies an array of less than
``LANES`` elements into the table, and repeats its first element. ``gcsim_close`` copies such results back.
"""

from dataclasses import dataclass

from gcsim.engine.lanes.kernels.instructions import LANES

KINDS = ("f", "i", "u", "b")  # of the types at the start of the fixed tuple
IS_NUMBER, IS_OTHER = 4, 8  # bits of an array's description: one element; found in the second tuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Offsets in Python's and NumPy's objects, bytes."""

    array: int  # of PyArrayObject's fields after the head of the object
    items: int  # of a tuple


def entry_text(layout: Layout) -> str:
    """The LLVM module of both functions."""
    return _TEXT.format(array=layout.array, items=layout.items, lanes=LANES, row=8 * LANES)


_TEXT = """
define i64 @gcsim_open(ptr %fixed, ptr %others, i64 %n, ptr %kinds, i64 %count, ptr %table) {{
entry:
  %copies = getelementptr ptr, ptr %table, i64 %count
  %first = getelementptr i8, ptr %fixed, i64 {items}
  %given = getelementptr i8, ptr %others, i64 {items}
  %some = icmp sge i64 %n, 1
  br i1 %some, label %loop, label %refuse
loop:
  %i = phi i64 [0, %entry], [%next, %done]
  %f = phi i64 [4, %entry], [%f2, %done]
  %o = phi i64 [0, %entry], [%o2, %done]
  %kind.at = getelementptr i8, ptr %kinds, i64 %i
  %bits = load i8, ptr %kind.at
  %other.bit = and i8 %bits, 8
  %is.other = icmp ne i8 %other.bit, 0
  %tuple = select i1 %is.other, ptr %given, ptr %first
  %place = select i1 %is.other, i64 %o, i64 %f
  %add.o = zext i1 %is.other to i64
  %o2 = add i64 %o, %add.o
  %add.f = sub i64 1, %add.o
  %f2 = add i64 %f, %add.f
  %object.at = getelementptr ptr, ptr %tuple, i64 %place
  %object = load ptr, ptr %object.at
  %kind8 = and i8 %bits, 3
  %kind = zext i8 %kind8 to i64
  %type.at = getelementptr ptr, ptr %first, i64 %kind
  %type = load ptr, ptr %type.at
  %number.bit = and i8 %bits, 4
  %is.number = icmp ne i8 %number.bit, 0
  %length = select i1 %is.number, i64 1, i64 %n
  %is.byte = icmp eq i8 %kind8, 3
  %size = select i1 %is.byte, i64 1, i64 8
  %fields = getelementptr i8, ptr %object, i64 {array}
  %data = load ptr, ptr %fields
  %dimensions.at = getelementptr i8, ptr %fields, i64 8
  %dimensions = load i32, ptr %dimensions.at
  %found.at = getelementptr i8, ptr %fields, i64 40
  %found = load ptr, ptr %found.at
  %is1 = icmp eq i32 %dimensions, 1
  %same = icmp eq ptr %found, %type
  %ok = and i1 %is1, %same
  br i1 %ok, label %shape, label %refuse
shape:
  %sizes.at = getelementptr i8, ptr %fields, i64 16
  %sizes = load ptr, ptr %sizes.at
  %elements = load i64, ptr %sizes
  %strides.at = getelementptr i8, ptr %fields, i64 24
  %strides = load ptr, ptr %strides.at
  %stride = load i64, ptr %strides
  %fits = icmp eq i64 %elements, %length
  %dense = icmp eq i64 %stride, %size
  %alone = icmp eq i64 %length, 1
  %reads = or i1 %dense, %alone
  %ok2 = and i1 %fits, %reads
  br i1 %ok2, label %measure, label %refuse
measure:
  %row = mul i64 %i, {row}
  %copy = getelementptr i8, ptr %copies, i64 %row
  %short = icmp slt i64 %length, {lanes}
  br i1 %short, label %padding, label %done
padding:
  br i1 %is.byte, label %bytes, label %words
words:
  %w = phi i64 [0, %padding], [%w2, %words]
  %w.in = icmp slt i64 %w, %length
  %w.from = select i1 %w.in, i64 %w, i64 0
  %w.source = getelementptr i64, ptr %data, i64 %w.from
  %word = load i64, ptr %w.source, align 1
  %w.target = getelementptr i64, ptr %copy, i64 %w
  store i64 %word, ptr %w.target
  %w2 = add i64 %w, 1
  %w.more = icmp slt i64 %w2, {lanes}
  br i1 %w.more, label %words, label %done
bytes:
  %b = phi i64 [0, %padding], [%b2, %bytes]
  %b.in = icmp slt i64 %b, %length
  %b.from = select i1 %b.in, i64 %b, i64 0
  %b.source = getelementptr i8, ptr %data, i64 %b.from
  %byte = load i8, ptr %b.source
  %b.target = getelementptr i8, ptr %copy, i64 %b
  store i8 %byte, ptr %b.target
  %b2 = add i64 %b, 1
  %b.more = icmp slt i64 %b2, {lanes}
  br i1 %b.more, label %bytes, label %done
done:
  %address = phi ptr [%data, %measure], [%copy, %words], [%copy, %bytes]
  %entry.at = getelementptr ptr, ptr %table, i64 %i
  store ptr %address, ptr %entry.at
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %opened
opened:
  ret i64 0
refuse:
  ret i64 1
}}

define void @gcsim_close(ptr %others, i64 %n, ptr %kinds, i64 %count, ptr %table, i64 %results) {{
entry:
  %given = getelementptr i8, ptr %others, i64 {items}
  %first = sub i64 %count, %results
  %short = icmp slt i64 %n, {lanes}
  %some = icmp sgt i64 %results, 0
  %copies = and i1 %short, %some
  br i1 %copies, label %begin, label %end
begin:
  br label %back
back:
  %o = phi i64 [0, %begin], [%o2, %seek]
  %j = phi i64 [0, %begin], [%j2, %seek]
  %before.at = getelementptr i8, ptr %kinds, i64 %j
  %before = load i8, ptr %before.at
  %before.bit = and i8 %before, 8
  %is.other = icmp ne i8 %before.bit, 0
  br i1 %is.other, label %object, label %seek.no
object:
  %is.result = icmp sge i64 %j, %first
  br i1 %is.result, label %copying, label %seek.yes
copying:
  %object.at = getelementptr ptr, ptr %given, i64 %o
  %array = load ptr, ptr %object.at
  %fields = getelementptr i8, ptr %array, i64 {array}
  %data = load ptr, ptr %fields
  %copy.at = getelementptr ptr, ptr %table, i64 %j
  %copy = load ptr, ptr %copy.at
  %kind = and i8 %before, 3
  %is.byte = icmp eq i8 %kind, 3
  %size = select i1 %is.byte, i64 1, i64 8
  %length = mul i64 %n, %size
  br label %bytes
bytes:
  %b = phi i64 [0, %copying], [%b2, %bytes]
  %b.source = getelementptr i8, ptr %copy, i64 %b
  %byte = load i8, ptr %b.source
  %b.target = getelementptr i8, ptr %data, i64 %b
  store i8 %byte, ptr %b.target
  %b2 = add i64 %b, 1
  %b.more = icmp slt i64 %b2, %length
  br i1 %b.more, label %bytes, label %seek.yes
seek.yes:
  %o.next = add i64 %o, 1
  br label %seek
seek.no:
  br label %seek
seek:
  %o2 = phi i64 [%o.next, %seek.yes], [%o, %seek.no]
  %j2 = add i64 %j, 1
  %more = icmp slt i64 %j2, %count
  br i1 %more, label %back, label %end
end:
  ret void
}}
"""
