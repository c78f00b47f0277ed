"""Tensor files, held against the safetensors library in both directions."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import deserialize, safe_open
from safetensors.numpy import save as library_save

from ms_lr_callbacks.checkpoint.tensorfile import PREFIX_BYTES, Header, build, header_bytes
from ms_lr_callbacks.checkpoint.tensors import DTYPES, TensorRecord, as_record
from sample import sections


def file_of(tensors: dict[str, Any], metadata: dict[str, str]) -> bytes:
    return b"".join(bytes(chunk) for chunk in build({k: as_record(v, k) for k, v in tensors.items()}, metadata))


def read(data: bytes) -> dict[str, TensorRecord]:
    start = PREFIX_BYTES + header_bytes(data[:PREFIX_BYTES], len(data))
    return Header(data[PREFIX_BYTES:start], len(data)).tensors(np.frombuffer(data, np.uint8).copy())


def test_the_library_reads_every_dtype(tmp_path: Path) -> None:
    tensors = sections(3)["optimizer"]
    data = file_of(tensors, {"a": "b"})
    found = {name: view for name, view in deserialize(data)}
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        record = as_record(value, name)
        assert found[name]["dtype"] == DTYPES[record.dtype][0]
        assert tuple(found[name]["shape"]) == record.shape
        assert bytes(found[name]["data"]) == record.array.tobytes()
    (tmp_path / "x.safetensors").write_bytes(data)
    with safe_open(tmp_path / "x.safetensors", framework="np") as file:
        assert file.metadata() == {"a": "b"}
        np.testing.assert_array_equal(file.get_tensor("moment1.w"), tensors["moment1.w"])


def test_what_the_library_writes_is_read() -> None:
    tensors = {name: value for name, value in sections(4)["optimizer"].items() if isinstance(value, np.ndarray)}
    found = read(library_save(tensors, {"k": "v"}))
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name].array, value, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (3, 2), (0,), (2, 0, 3)])
def test_every_dtype_and_shape_comes_back(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(DTYPES[dtype][1])
    record = TensorRecord(dtype, array)
    found = read(file_of({"odd": np.zeros(3, np.uint8), "x": record}, {}))["x"]
    assert (found.dtype, found.shape, found.array.tobytes()) == (dtype, shape, array.tobytes())
    assert found.array.flags.writeable and found.array.flags.aligned


def test_strided_and_big_endian_arrays_are_stored_by_value() -> None:
    array = np.arange(12.0).reshape(3, 4)
    found = read(file_of({"t": array.T, "s": array[:, ::2], "b": array.astype(">f8")}, {}))
    np.testing.assert_array_equal(found["t"].array, array.T)
    np.testing.assert_array_equal(found["s"].array, array[:, ::2])
    np.testing.assert_array_equal(found["b"].array, array)


def test_no_tensors_at_all() -> None:
    assert read(file_of({}, {})) == {}


@pytest.mark.parametrize("value", [1.0, [1], None, np.array(["a"]), np.array([1j]), np.array([object()])])
def test_what_is_no_tensor_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match="tensor 'moment.w'"):
        as_record(value, "moment.w")


def test_records_of_the_wrong_array_are_refused() -> None:
    with pytest.raises(TypeError, match="does not hold bfloat16"):
        TensorRecord("bfloat16", np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="uint16 bits"):
        TensorRecord.bfloat16(np.zeros(2, np.int16))


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize("header", [
    [], 1, {"x": 1}, {"x": []}, {"x": {**GOOD, "more": 1}}, {"x": {"dtype": "F32", "shape": [2]}},
    {"x": {**GOOD, "dtype": "F31"}}, {"x": {**GOOD, "dtype": ["F32"]}}, {"x": {**GOOD, "dtype": None}},
    {"x": {**GOOD, "shape": 2}}, {"x": {**GOOD, "shape": [2.0]}}, {"x": {**GOOD, "shape": [-2]}},
    {"x": {**GOOD, "shape": [True, 2]}}, {"x": {**GOOD, "shape": [3]}}, {"x": {**GOOD, "shape": [1] * 40 + [2]}},
    {"x": {**GOOD, "shape": [2 ** 40, 2 ** 40]}}, {"x": {**GOOD, "shape": [0, 2 ** 62], "data_offsets": [0, 0]}},
    {"x": {**GOOD, "shape": [10 ** 900]}}, {"x": {**GOOD, "data_offsets": [0]}},
    {"x": {**GOOD, "data_offsets": [8, 0]}}, {"x": {**GOOD, "data_offsets": [0, 2 ** 63]}},
    {"x": {**GOOD, "data_offsets": [4, 12]}}, {"x": GOOD, "y": GOOD}, {}, {"__metadata__": {"a": 1}, "x": GOOD},
    {"__metadata__": [], "x": GOOD}, {"x": GOOD, "y": {**GOOD, "data_offsets": [8, 16]}},
])
def test_headers_that_do_not_describe_the_file_are_refused(header: Any) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(ValueError):
        Header(text, PREFIX_BYTES + len(text) + 8)


@pytest.mark.parametrize("prefix, size", [(b"", 0), (b"\1" * 7, 7), ((100).to_bytes(8, "little"), 50),
                                          (b"\xff" * 8, 10 ** 9), ((2 ** 30).to_bytes(8, "little"), 2 ** 40)])
def test_impossible_header_lengths_are_refused(prefix: bytes, size: int) -> None:
    with pytest.raises(ValueError):
        header_bytes(prefix, size)
