"""Writers of one SQLite file take turns, over threads and processes."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from moderation.storage.turns import Turns, turn

HOLDER = """
import sys
from moderation.storage.turns import Turns, turn
with turn(sys.argv[1], 10):
    print("mine", flush=True)
    sys.stdin.readline()
print("over", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process, whose turn it is until a line is sent to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "a.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


def test_wait_for_another_process_ends_with_its_turn(other, tmp_path):
    got = threading.Event()

    def write() -> None:
        with turn(str(tmp_path / "a.db"), 30):
            got.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert not got.wait(0.1)
    other.stdin.write("\n")
    other.stdin.flush()
    thread.join()
    assert got.is_set()


def test_wait_for_another_process_too_long_gives_up_and_leaves_nothing_taken(other, tmp_path):
    path = str(tmp_path / "a.db")
    with pytest.raises(TimeoutError), turn(path, 0.05):
        raise AssertionError
    other.kill()
    other.wait()
    with turn(path, 10):  # what a process held that died is free
        pass


def test_take_turns_lets_one_thread_write_at_a_time(tmp_path):
    inside, most = 0, 0

    def write() -> None:
        nonlocal inside, most
        for _ in range(20):
            with turn(str(tmp_path / "a.db"), 30):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_take_turns_without_a_file_still_keeps_threads_apart(tmp_path):
    path = str(tmp_path / "no such folder" / "a.db")
    with turn(path, 1), pytest.raises(TimeoutError), turn(path, 0.05):
        raise AssertionError


def test_count_is_odd_in_a_turn_and_another_one_after_it(tmp_path):
    path = str(tmp_path / "a.db")
    turns = Turns(path)
    before = turns.even()
    assert before is not None
    with turn(path, 10):
        assert turns.even() is None
    after = turns.even()
    assert after is not None
    assert after != before
    with pytest.raises(RuntimeError), turn(path, 10):
        raise RuntimeError
    assert turns.even() not in {None, before, after}


def test_count_of_another_process_is_seen_also_when_it_dies_in_its_turn(other, tmp_path):
    path = str(tmp_path / "a.db")
    turns = Turns(path)
    assert turns.even() is None
    other.kill()
    other.wait()
    assert turns.even() is None  # what it wrote is not known until the next turn
    with turn(path, 10):
        pass
    assert turns.even() is not None


def test_count_of_a_database_without_a_file_is_none():
    assert Turns("").even() is None
