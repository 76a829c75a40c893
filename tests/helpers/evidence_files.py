"""Writes files with evidence and diagnoses them."""

from pathlib import Path

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.records import Verdicts


def diagnosed(folder: Path, **files: bytes | str) -> Verdicts:
    """The diagnosis of files alone, in their order."""
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return diagnose_files([str(folder / name) for name in files], stated=Overrides())[0]
