"""Saving, loading, choosing and retiring checkpoints."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ms_lr_callbacks.checkpoint import (CheckpointError, CheckpointStore, CheckpointWriteError,
                                        DamagedCheckpointError, NoUsableCheckpointError, latest_checkpoint,
                                        list_checkpoints, load_checkpoint, load_latest, verify_checkpoint)
from ms_lr_callbacks.checkpoint import commit, reader, store as store_module
from processes import run
from sample import assert_equal, save, sections, state


def damage(checkpoint: Path, name: str = "optimizer.safetensors") -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray((checkpoint / name).read_bytes())
    data[len(data) // 2] ^= 4
    (checkpoint / name).write_bytes(data)


def names(directory: Path) -> list[str]:
    return sorted(name for name in os.listdir(directory) if name != ".lock")


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path, = save(tmp_path / "a" / "b", 200)
    assert path == tmp_path / "a" / "b" / "step-00000200"
    assert names(path) == ["SHA256SUMS", "manifest.json", "network.safetensors", "optimizer.safetensors",
                           "state.json", "state.safetensors"]
    report = verify_checkpoint(path)
    assert report and report.faults == () and report.step == 200
    assert_equal(load_checkpoint(path), 200)


def test_loaded_tensors_belong_to_the_caller(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)
    loaded = load_checkpoint(path)
    loaded.sections["network"]["w"].array[:] = 0
    loaded.state["callbacks"]["LRMonitor"]["values"][:] = 0
    assert_equal(load_checkpoint(path), 1)


def test_sha256sum_checks_a_checkpoint(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("no sha256sum here")
    subprocess.run([tool, "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=path, check=True)


def test_a_section_left_out_is_not_there(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path) as store:
        path = store.save(1, {"optimizer": sections(1)["optimizer"]}, {})
    assert "network.safetensors" not in names(path)
    assert set(load_checkpoint(path).sections) == {"optimizer"}


def test_only_the_sections_asked_for_are_returned_and_all_are_checked(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)
    assert set(load_checkpoint(path, sections=["optimizer"]).sections) == {"optimizer"}
    damage(path, "network.safetensors")
    with pytest.raises(DamagedCheckpointError, match="network.safetensors: SHA-256 differs"):
        load_checkpoint(path, sections=["optimizer"])


def test_a_section_or_a_rank_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)
    with pytest.raises(CheckpointError, match="no section 'ema'; it has network, optimizer"):
        load_checkpoint(path, sections=["ema"])
    with pytest.raises(CheckpointError, match="written by 1 ranks"):
        load_checkpoint(path, rank=1)


def test_newest_first_by_number_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 9, 10, 100000000, 2)
    for name in ("step-7", "step-00000007.old", "other", ".step-00000007.0123456789abcdef.writing"):
        (tmp_path / name).mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "step-100000000", "step-00000010", "step-00000009", "step-00000002"]
    assert latest_checkpoint(str(tmp_path)) == tmp_path / "step-100000000"


def test_no_directory_and_an_empty_one_are_a_fresh_start(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "none") is None and latest_checkpoint(tmp_path) is None
    assert load_latest(tmp_path / "none") is None and load_latest(tmp_path) is None


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="pass a readable directory"):
        latest_checkpoint(tmp_path / "file")
    with pytest.raises(CheckpointWriteError):
        CheckpointStore(tmp_path / "file")


def test_a_damaged_newest_is_reported_and_the_one_before_it_used(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "step-00000003")
    shutil.rmtree(tmp_path / "step-00000002")
    (tmp_path / "step-00000002").symlink_to("step-00000001")
    faults: list[DamagedCheckpointError] = []
    loaded = load_latest(tmp_path, on_damaged=faults.append)
    assert loaded is not None
    assert_equal(loaded, 1)
    assert [error.path.name for error in faults] == ["step-00000003", "step-00000002"]
    assert all(error.__traceback__ is None and error.__context__ is None for error in faults)
    with pytest.warns(UserWarning) as caught:
        assert latest_checkpoint(tmp_path) == tmp_path / "step-00000001"
    assert "step-00000003/optimizer.safetensors: SHA-256 differs" in str(caught[0].message)
    assert "step-00000002: a link or a file stands where" in str(caught[1].message)
    with pytest.warns(UserWarning, match="the one before it is used"):
        load_latest(tmp_path)


def test_the_quick_look_sees_missing_bytes_but_not_flipped_ones(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "step-00000002")
    (tmp_path / "step-00000003" / "state.json").write_bytes(b"{}")
    with pytest.warns(UserWarning, match="passed over"):
        assert latest_checkpoint(tmp_path, verify=False) == tmp_path / "step-00000002"


def test_all_damaged_is_an_error_and_not_a_fresh_start(tmp_path: Path) -> None:
    for path in save(tmp_path, 1, 2):
        damage(path)
    with pytest.raises(NoUsableCheckpointError, match="all 2 checkpoints .* are damaged(.|\n)*step-00000001"):
        load_latest(tmp_path, on_damaged=lambda error: None)


def test_a_checkpoint_may_be_moved_but_not_renamed_to_another_step(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)
    best = path.rename(tmp_path / "best")
    assert verify_checkpoint(best) and load_checkpoint(best).step == 1
    other = best.rename(tmp_path / "step-00000002")
    assert verify_checkpoint(other).faults == (f"{other}: the manifest is that of step 1",)


@pytest.mark.parametrize("options, message", [
    ({"keep_last": 0}, "keep_last=0"), ({"keep_last": 1.5}, "keep_last=1.5"), ({"keep_last": True}, "True"),
    ({"rank": 1}, "rank=1 of world_size=1"), ({"rank": -1}, "rank=-1"), ({"world_size": 0}, "world_size=0")])
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CheckpointStore(tmp_path / "new", **options)


@pytest.mark.parametrize("step, parts, message", [
    (-1, {}, "step=-1"), (1.0, {}, "step=1.0"), (10 ** 18, {}, "step="), (True, {}, "step=True"),
    (1, {"state": {}}, "section 'state'"), (1, {"../x": {}}, "section '../x'"), (1, {"A": {}}, "section 'A'"),
    (1, {"a": {"": np.zeros(1)}}, "a tensor is called ''"),
    (1, {"a": {"__metadata__": np.zeros(1)}}, "'__metadata__'"),
    (1, {"a": {"\ud800": np.zeros(1)}}, "a tensor is called"), (1, {"a": {3: np.zeros(1)}}, "called 3")])
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path: Path, step: Any, parts: Any,
                                                                message: str) -> None:
    with CheckpointStore(tmp_path) as store, pytest.raises(ValueError, match=message):
        store.save_async(step, parts, {})
    assert names(tmp_path) == []


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path, keep_last=1) as store:
        store.save(1, sections(1), {"attempt": 1})
        path = store.save(1, sections(1), {"attempt": 2})
    assert names(tmp_path) == ["step-00000001"] and load_checkpoint(path).state == {"attempt": 2}


def test_more_tensors_than_memory_are_refused_before_any_is_read(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, = save(tmp_path, 1)
    monkeypatch.setattr(reader, "_physical_memory", lambda: 100)
    with pytest.raises(CheckpointError, match="more than the 100 bytes of memory"):
        load_checkpoint(path)
    assert verify_checkpoint(path)


# Retention

def test_the_newest_are_kept(tmp_path: Path) -> None:
    save(tmp_path, *range(1, 8), keep_last=3)
    assert names(tmp_path) == ["step-00000005", "step-00000006", "step-00000007"]


def test_none_keeps_all(tmp_path: Path) -> None:
    save(tmp_path, *range(1, 8), keep_last=None)
    assert len(names(tmp_path)) == 7


def test_damaged_ones_do_not_count_and_the_last_good_one_stays(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    for step in (2, 3):
        damage(tmp_path / f"step-0000000{step}")
    with CheckpointStore(tmp_path, keep_last=2) as store:
        store.save(4, sections(4), state(4))
        assert [path.name[-1] for path in store.checkpoints()] == ["4", "3", "2", "1"]
        store.save(5, sections(5), state(5))
        assert [path.name[-1] for path in store.checkpoints()] == ["5", "4"]


def test_damage_after_the_write_is_seen_although_the_run_wrote_it(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path, keep_last=2) as store:
        for step in (1, 2, 3):
            store.save(step, sections(step), state(step))
        damage(tmp_path / "step-00000003")
        store.save(4, sections(4), state(4))
        assert [path.name[-1] for path in store.checkpoints()] == ["4", "3", "2"]


def test_the_one_just_written_stays_even_below_older_runs(tmp_path: Path) -> None:
    save(tmp_path, 100, 200)
    with CheckpointStore(tmp_path, keep_last=1) as store:
        store.save(5, sections(5), state(5))
        assert [path.name for path in store.checkpoints()] == ["step-00000200", "step-00000005"]


def test_a_link_is_retired_without_touching_what_it_points_to(tmp_path: Path) -> None:
    kept, = save(tmp_path / "elsewhere", 1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step-00000001").symlink_to(kept)
    save(tmp_path / "run", 2, 3, keep_last=1)
    assert names(tmp_path / "run") == ["step-00000003"] and verify_checkpoint(kept)


def test_what_cannot_be_removed_is_warned_about_and_the_save_stands(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store_module, "remove_checkpoint", refuse)
    with pytest.warns(UserWarning, match="step-00000001 could not be removed: Permission denied"):
        save(tmp_path, 1, 2, keep_last=1)
    assert len(names(tmp_path)) == 2


# In the background

def test_async_returns_before_the_write_and_the_next_one_waits(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, writing = threading.Event(), threading.Event()
    publish = commit.publish

    def slow(*arguments: Any) -> Path:
        writing.set()
        assert gate.wait(20)
        return publish(*arguments)

    monkeypatch.setattr(store_module, "publish", slow)
    with CheckpointStore(tmp_path) as store:
        content = state(1)
        path = store.save_async(1, sections(1), content)
        content["callbacks"]["LRMonitor"]["values"][:] = -1  # the state was taken at the call
        assert writing.wait(20) and store.poll() and not path.exists()
        threading.Timer(0.1, gate.set).start()
        store.save_async(2, sections(2), state(2))
        assert verify_checkpoint(path)
        store.wait()
        assert not store.poll()
    assert_equal(load_checkpoint(path), 1)


@pytest.mark.parametrize("surface", ["poll", "wait", "close", "save", "save_async"])
def test_an_error_behind_the_back_surfaces_once_at_the_next_call(tmp_path: Path, surface: str) -> None:
    store = CheckpointStore(tmp_path / "run")
    store.save(1, sections(1), state(1))
    shutil.rmtree(tmp_path / "run")
    store.save_async(2, sections(2), state(2))
    thread = store._writer._thread
    assert thread is not None
    thread.join()
    arguments = (3, sections(3), state(3)) if surface.startswith("save") else ()
    with pytest.raises(CheckpointWriteError, match="was removed or replaced while it was in use"):
        getattr(store, surface)(*arguments)
    store.close()


def test_a_closed_store_refuses_to_save(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.close()
    store.close()
    with pytest.raises(CheckpointError, match="is closed"):
        store.save(1, {}, {})


EXIT = """
    import sys, time, numpy as np
    from ms_lr_callbacks.checkpoint import CheckpointStore, files
    real = files.os.fsync
    files.os.fsync = lambda descriptor: (time.sleep(0.1), real(descriptor))
    store = CheckpointStore(sys.argv[1])
    store.save_async(1, {"network": {"w": np.zeros(10 ** 5)}}, {})
"""


@pytest.mark.parametrize("ending, code", [("", 0), ("    sys.exit(3)", 3), ("    raise RuntimeError", 1),
                                          ("    del store", 0)])
def test_a_normal_exit_waits_for_the_write(tmp_path: Path, ending: str, code: int) -> None:
    done = run(EXIT + ending, tmp_path)
    assert done.returncode == code, done.stderr
    assert verify_checkpoint(tmp_path / "step-00000001")
    assert names(tmp_path) == ["step-00000001"]


def test_an_error_that_nobody_asked_for_is_printed_at_exit(tmp_path: Path) -> None:
    done = run(EXIT + "    import os; os.rename(sys.argv[1], sys.argv[1] + '-gone')", tmp_path / "run")
    assert "a checkpoint was not written: " in done.stderr and "run" in done.stderr, done.stderr


def test_importing_the_store_is_cheap() -> None:
    done = run("""
        import sys
        import ms_lr_callbacks.checkpoint
        print([name for name in ("mindspore", "safetensors", "tensorboardX") if name in sys.modules])
    """)
    assert done.stdout == "[]\n", done.stderr


def test_the_json_files_are_plain_standard_json(tmp_path: Path) -> None:
    path, = save(tmp_path, 1)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    for name in ("manifest.json", "state.json"):
        json.loads((path / name).read_text("utf-8"), parse_constant=refuse)


def test_nothing_here_warns(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(tmp_path, 1, 2, keep_last=1)
        assert latest_checkpoint(tmp_path) == tmp_path / "step-00000002"
