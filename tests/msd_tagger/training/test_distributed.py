"""Two processes do what one does, and end together."""

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from msd_tagger.common.errors import LostProcessError
from msd_tagger.training import distributed, rendezvous
from msd_tagger.training import loop as train
from msd_tagger.training import setup as build
from msd_tagger.training.checkpoints import Checkpoints
from tests import fakes, warm
from tests.msd_tagger import processes_program

pytestmark = pytest.mark.usefixtures("programs_shared")

TIMEOUT_S = 600  # Twenty times what any of these takes on two cores.
LOST = "another process of this job died or cannot be reached"
TIMES = ("seconds", "train_seconds", "clips_per_s", "peak_memory_bytes")


def start(task, directory, count, devices=1):
    """Starts all processes of a job and waits until they have ended."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "tests.msd_tagger.processes_program", task]
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        # As on many clusters. Nobody listens there.
        "http_proxy": "http://127.0.0.1:9",
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {flags}",
    }
    processes = [
        warm.Popen(
            [*command, str(directory), address, str(count), str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for index in range(count)
    ]
    try:
        errors = [process.communicate(timeout=TIMEOUT_S)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], errors


def cache(workdir):
    return json.loads((workdir / "config.json").read_text())["input"]["cache"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with what two processes did, and in "alone" what one did."""
    directory = tmp_path_factory.mktemp("job")
    codes, errors = start("compare", directory / "alone", 1, devices=2)
    assert codes == [0], errors
    # The two evaluate what the one has trained, too.
    shutil.copytree(directory / "alone" / "data", directory / "evaluated")
    codes, errors = start("compare", directory, 2)
    assert codes == [143, 143], errors
    assert "SIGTERM; step 15 is saved" in errors[0]
    return directory


def lines(workdir):
    text = (workdir / "metrics.jsonl").read_text().splitlines()
    return [without_times(json.loads(line)) for line in text]


def summary(workdir):
    return without_times(json.loads((workdir / "summary.json").read_text()))


def without_times(values):
    return {key: value for key, value in values.items() if key not in TIMES}


@functools.cache
def template():
    setup = build.set_up(processes_program.config(), fakes.FakeData())
    return build.first_state(setup)


def saved(workdir):
    """The arrays of the newest checkpoint."""
    checkpoints = Checkpoints(workdir / "checkpoints")
    restored = checkpoints.restore(template())
    checkpoints.close()
    return restored.state


@pytest.mark.slow
def test_two_processes_equal_one_bit_for_bit(finished):
    one, two = finished / "alone" / "data", finished / "data"
    jax.tree.map(np.testing.assert_array_equal, saved(two), saved(one))
    assert lines(two) == lines(one)
    assert len(lines(two)) == 6
    assert summary(two) == summary(finished / "evaluated") == summary(one)
    assert summary(two)["complete"]
    for split in ("valid", "test"):
        found, expected = (
            np.load(workdir / f"predictions_{split}.npz")["scores"]
            for workdir in (two, one)
        )
        np.testing.assert_array_equal(found, expected)
    assert {path.name for path in two.iterdir()} == {p.name for p in one.iterdir()}
    devices = json.loads((two / "environment.json").read_text())["devices"]
    assert len(devices) == 2


@pytest.mark.slow
def test_a_network_of_ones_own_equals_one_process_too(finished):
    one, two = finished / "alone" / "own", finished / "own"
    assert lines(two) == lines(one)
    found, expected = (
        np.load(x / "predictions_test.npz")["scores"] for x in (two, one)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_clips_on_the_devices_of_two_processes_change_nothing(finished):
    kept, read = finished / "cached", finished / "data"
    assert (cache(kept), cache(read)) == ("device", "none")
    jax.tree.map(np.testing.assert_array_equal, saved(kept), saved(read))
    assert lines(kept) == lines(read)
    assert (kept / "matter.json").read_text() == (read / "matter.json").read_text()


@pytest.mark.slow
def test_one_process_goes_on_from_what_two_have_saved(finished, tmp_path):
    """In the other layout too, and on another number of devices."""
    config = processes_program.config()
    whole = train.train(config, fakes.FakeData(), tmp_path).state
    assert int(saved(finished / "seeds").step[0]) == 15
    resumed = train.train(config, fakes.FakeData(), finished / "seeds").state
    assert int(resumed.step[0]) == 20
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        resumed,
        whole,
    )


@pytest.mark.parametrize(
    ("task", "codes", "said"),
    [
        ("kill_last", [75, -9], LOST),
        pytest.param("kill_first", [-9, 75], LOST, marks=pytest.mark.slow),
        pytest.param("kill_waiting", [75, -9], LOST, marks=pytest.mark.slow),
        ("refuse", [2, 2], "tags.csv: no such tag"),
        pytest.param("leave_early", [75, 1], LOST, marks=pytest.mark.slow),
        pytest.param("come_late", [0, 0], "", marks=pytest.mark.slow),
    ],
)
def test_processes_end_together(tmp_path, task, codes, said):
    found, errors = start(task, tmp_path, 2)
    assert found == codes, errors
    for index, code in enumerate(codes):
        if code in (2, 75):
            assert said in errors[index]
        if code == 75:
            assert f"process {index} of 2" in errors[index]
        if code == 2:
            assert "Traceback" not in errors[index]


def free_address():
    """Returns "host:port", host and port, where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    return f"{host}:{port}", host, port


def test_one_process_is_alone():
    assert distributed.rank() == distributed.Rank(0, 1)
    assert distributed.is_first()
    assert distributed.shared(lambda: [1, "a"]) == [1, "a"]
    assert distributed.agree([0, 15]) == [0, 15]
    gathered = distributed.all_gather({"a": np.arange(3)})
    np.testing.assert_array_equal(gathered["a"], [[0, 1, 2]])
    distributed.leave(2)  # Or this would be the last line.


def test_the_processes_of_a_host_are_counted(monkeypatch):
    assert distributed.most_on_a_host() == 1

    def gather(own):  # Of three processes, the second on another host.
        return np.stack([own, own + np.uint8(1), own])

    monkeypatch.setattr(distributed, "all_gather", gather)
    assert distributed.most_on_a_host() == 2


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_that_another_program_has(monkeypatch, index):
    monkeypatch.setattr(rendezvous, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = "Address already in use" if index == 0 else "another program"
        with pytest.raises(ValueError, match=rf"^port {port} of .*{said}"):
            distributed.start(f"localhost:{port}", 2, index)


@pytest.mark.parametrize(
    ("index", "why"),
    [(0, "missing here: process 1, 2"), (1, "process 0: Connection refused")],
)
def test_processes_that_do_not_come(monkeypatch, index, why):
    monkeypatch.setattr(distributed, "CONNECT_S", 0.5)
    where, *_ = free_address()
    with pytest.raises(LostProcessError, match=rf"within 0.5 s at {where}.* \({why}\)"):
        distributed.start(where, 3, index)


def test_who_connects_and_says_nothing_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(rendezvous, "ANSWER_S", 5)
    where, host, port = free_address()
    ends = time.monotonic() + 60
    with ThreadPoolExecutor(3) as threads, contextlib.ExitStack() as scan:
        first = threads.submit(rendezvous.meet, where, 0, 3, ends)
        for _ in range(2):
            while time.monotonic() < ends:
                with contextlib.suppress(ConnectionRefusedError):
                    scan.enter_context(socket.create_connection((host, port)))
                    break
                time.sleep(0.01)
        others = [threads.submit(rendezvous.meet, where, n, 3, ends) for n in (1, 2)]
        assert [one.result() for one in (first, *others)] == ["", "", ""]


def test_a_process_that_reaches_itself_has_reached_nobody(monkeypatch):
    where, host, port = free_address()
    connect, asked = socket.create_connection, []

    def reach_itself_first(address, timeout_s):
        asked.append(address)
        if len(asked) > 1:
            return connect(address, timeout_s)
        peer = socket.socket()
        peer.bind(address)
        peer.connect(address)
        return peer

    monkeypatch.setattr(socket, "create_connection", reach_itself_first)
    why = rendezvous.meet(where, 1, 2, time.monotonic() + 0.5)
    assert why == "process 0: Connection refused"
    assert asked[:2] == [(host, port)] * 2


def test_auto_needs_a_launcher():
    with pytest.raises(ValueError, match=r"neither SLURM \(srun\), Open MPI"):
        distributed.start("auto", 0, 0)


# As srun sets them for the second of four tasks.
SLURM = {
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_NODELIST": "node[01-02]",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
}


@pytest.mark.parametrize(
    ("visible", "own"),
    [
        ({}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, [1]),
        # With --gpus-per-task=1 every task sees a GPU that is called 0.
        ({"CUDA_VISIBLE_DEVICES": "0"}, None),
        ({"JAX_LOCAL_DEVICE_IDS": "0,1"}, None),
    ],
)
def test_a_process_takes_a_gpu_that_it_sees(monkeypatch, visible, own):
    for name, value in (SLURM | visible).items():
        monkeypatch.setenv(name, value)
    found = distributed.detect()
    assert (found["num_processes"], found["process_id"]) == (4, 1)
    assert found["coordinator_address"].startswith("node01:")
    assert found.get("local_device_ids") == own


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"JAX_COORDINATOR_PORT": "abc"}, "node01:abc is no address"),
        ({"JAX_COORDINATOR_PORT": "99999"}, "node01:99999 is no address"),
        ({"JAX_COORDINATOR_ADDRESS": "node17"}, "node17 is no address"),
        ({"SLURM_NTASKS": "many"}, "too little .*'many'"),
        ({"JAX_LOCAL_DEVICE_IDS": "0,all"}, "JAX_LOCAL_DEVICE_IDS=0,all: must be num"),
        ({"OMPI_MCA_orte_hnp_uri": "8192.0;nowhere"}, "too little .*Open MPI"),
    ],
)
def test_a_launcher_that_makes_no_sense_is_told(monkeypatch, variables, said):
    for name, value in (SLURM | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said):
        distributed.start("auto", 0, 0)
