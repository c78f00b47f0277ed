"""MindSpore's own summary files, for MindInsight."""
from __future__ import annotations

import os
from typing import Any, Optional, Sequence, Union

import numpy as np

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter
from ms_lr_callbacks.writers.destination import checked_folder


class SummaryRecordWriter(ScalarWriter):
    """Write scalars through ``mindspore.train.summary.SummaryRecord``.

    MindSpore allows one ``SummaryRecord`` at a time in a process, so this writer cannot be used
    together with a ``SummaryCollector``. What is in a file stays: a run that is resumed from an
    earlier step writes its points again, into a file of its own. MindSpore's process that writes the
    file keeps one CPU core busy as long as the file is open.

    Args:
        log_dir: the folder, made if missing.

    Raises:
        OSError: `log_dir` is a file, or nothing can be written there.
        RuntimeError: when opened: there is a ``SummaryRecord`` already. When written to: MindSpore
            has not taken the values.

    Examples:
        >>> from ms_lr_callbacks.writers import SummaryRecordWriter
        >>> writer = SummaryRecordWriter("runs/digits/summary")
        >>> # LRMonitor(writers=[writer])
    """

    def __init__(self, log_dir: Union[str, os.PathLike[str]]) -> None:
        self._log_dir = str(checked_folder("log_dir", log_dir))
        self._record: Optional[Any] = None

    def open(self, after_step: int) -> None:
        from mindspore.train.summary import SummaryRecord

        self.close()
        self._record = SummaryRecord(self._log_dir, num_process=1, raise_exception=True)

    def write(self, points: Sequence[Scalars]) -> None:
        from mindspore import Tensor

        if self._record is None:
            raise ValueError("SummaryRecordWriter was written to before open() or after close(); open it first.")
        for point in points:
            for tag, value in point.values.items():
                self._record.add_value("scalar", tag, Tensor(np.float32(value)))
            if not self._record.record(point.step):
                raise RuntimeError(f"SummaryRecord has not taken the values of step {point.step}; MindSpore's log "
                                   f"tells why.")

    def flush(self) -> None:
        if self._record is not None:
            self._record.flush()

    def close(self) -> None:
        record, self._record = self._record, None
        if record is not None:
            record.close()
