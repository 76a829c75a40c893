"""The published schema of pprof, ``profile.proto``, as a message class of the protobuf library.

The class is built from the field table here, so no generated file needs to match a version of the library. Source:
github.com/google/pprof, proto/profile.proto. Fields that no reader uses are left out; the library skips them.
"""

from functools import cache
from typing import Any

_PACKAGE = "gcsim.pprof"
_INT64, _UINT64, _STRING, _MESSAGE = 3, 4, 9, 11  # types in descriptor.proto
_OPTIONAL, _REPEATED = 1, 3

#: message: {field: (number, type or message name, repeated)}
_MESSAGES: dict[str, dict[str, tuple[int, int | str, bool]]] = {
    "Profile": {
        "sample_type": (1, "ValueType", True),
        "sample": (2, "Sample", True),
        "location": (4, "Location", True),
        "function": (5, "Function", True),
        "string_table": (6, _STRING, True),
        "time_nanos": (9, _INT64, False),
        "duration_nanos": (10, _INT64, False),
        "period": (12, _INT64, False),
        "default_sample_type": (14, _INT64, False),
    },
    "ValueType": {"type": (1, _INT64, False), "unit": (2, _INT64, False)},
    "Sample": {"location_id": (1, _UINT64, True), "value": (2, _INT64, True)},
    "Location": {"id": (1, _UINT64, False), "line": (4, "Line", True)},
    "Line": {"function_id": (1, _UINT64, False), "line": (2, _INT64, False)},
    "Function": {
        "id": (1, _UINT64, False),
        "name": (2, _INT64, False),
        "filename": (4, _INT64, False),
    },
}


@cache
def profile_class() -> Any:
    """The class of the message ``Profile``."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="gcsim_profile.proto", package=_PACKAGE, syntax="proto3")
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, repeated) in members.items():
            field = message.field.add(
                name=field_name, number=number, label=_REPEATED if repeated else _OPTIONAL
            )
            if isinstance(kind, str):
                field.type, field.type_name = _MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Profile"))


def parsed(data: bytes) -> Any:
    """The message in ``data``. Raises ValueError for bytes that are not a profile, or not all of one."""
    from google.protobuf.message import DecodeError

    message = profile_class()()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return message
