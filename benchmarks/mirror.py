"""What ClearML costs a study: `python benchmarks/mirror.py [RUNS]`.

Two ratios, each against a baseline of the same run, on a local stand-in for the server: the wall
time of a study with a live mirror over that of the same study with --clearml off, alternating; and
requests and seconds of a mirrored trial over those of the same trial written with the SDK's own
Task, Dataset and OutputModel.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.clearml_server import StandIn  # noqa: E402
from tests.hpo.tracking.conftest import wait_for_mirror  # noqa: E402


def main(runs: int) -> None:
    """Print both ratios."""
    server = StandIn()
    os.environ.update(server.settings())
    with tempfile.TemporaryDirectory() as work:
        os.environ["CLEARML_CONFIG_FILE"] = f"{work}/none.conf"
        os.environ["CLEARML_CACHE_DIR"] = f"{work}/cache"
        live = live_and_off(server, Path(work), runs)
        folder = Path(work) / "off-0" / "digits3"
        ours, theirs = mirrored(server, folder), by_the_sdk(server, folder)
    for name, (requests, seconds) in (("mirror", ours), ("SDK", theirs)):
        print(
            f"{name}: {requests:.0f} requests and {seconds:.2f} s a trial, label version included"
        )
    print(f"live: {live:.0f} requests a trial, the images' data set included")
    print(
        f"requests: {ours[0] / theirs[0]:.2f} of the SDK's; time: {ours[1] / theirs[1]:.2f} of it"
    )
    server.stop()


def live_and_off(server: StandIn, work: Path, runs: int) -> float:
    """Print the wall time of the default study with a live mirror and without, alternating.

    Returns:
        Requests a trial of the last live mirror.
    """
    requests = 0.0
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    for at in range(runs):
        for choice, taken in seconds.items():
            start = time.perf_counter()
            server.reset()
            study(work / f"{choice}-{at}", choice)
            taken.append(time.perf_counter() - start)
            if choice == "on":
                wait_for_mirror(work / f"on-{at}" / "digits3")  # it finishes in the background
                requests = requests_a_trial(server)
    ratios = [on / off for on, off in zip(seconds["on"], seconds["off"], strict=True)]
    off, on = (statistics.median(taken) for taken in seconds.values())
    print(f"study: {off:.2f} s off, {on:.2f} s with a live mirror (medians of {runs})")
    print(f"wall time: {statistics.median(ratios):.2f} of --clearml off (median of pairs)")
    return requests


def requests_a_trial(server: StandIn) -> float:
    """Requests since the last reset over the trials that the server holds."""
    trials = sum(task["type"] == "training" for task in server.api.tasks)
    return server.requests.total() / trials


def study(runs: Path, choice: str) -> None:
    """The default study in a process of its own."""
    command = [sys.executable, "-m", "hpo.run", "--budget", "20", "--runs", str(runs)]
    subprocess.run(
        [*command, "--clearml", choice],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def mirrored(server: StandIn, folder: Path) -> tuple[float, float]:
    """Requests and seconds a trial of publishing a finished study."""
    from hpo.tracking.clearml.mirror.publish import publish

    server.reset()
    start = time.perf_counter()
    publish(folder, None, lambda *_: None)
    seconds = time.perf_counter() - start
    trials = sum(task["type"] == "training" for task in server.api.tasks)
    return requests_a_trial(server), seconds / trials


def by_the_sdk(server: StandIn, folder: Path) -> tuple[float, float]:
    """The same for three label versions and their trials, as the SDK's examples write them."""
    from clearml import Dataset, OutputModel, Task

    from hpo.tracking.clearml.mirror.images import Images
    from hpo.tracking.clearml.mirror.run_directory import read_run
    from hpo.trial.versions.label_versions import model_file

    run = read_run(folder)
    pictures = folder.parent / "pictures"
    pictures.mkdir()
    for file in Images(folder, run.about["data"]["content"]).files():
        (pictures / file.path).write_bytes(file.read())
    server.reset()
    root = Dataset.create("images", "sdk", dataset_version="1.0.0")
    root.add_files(str(pictures), verbose=False)
    root.upload(show_progress=False, preview=False)
    root.finalize()
    server.requests.clear()
    start = time.perf_counter()
    chosen = run.children[:3]
    for number, child in enumerate(chosen):
        dataset = Dataset.create(
            "labels", "sdk", dataset_version=f"1.0.{number}", parent_datasets=[root.id]
        )
        dataset.add_files(str(folder / "versions" / child.version), verbose=False)
        dataset.set_metadata({"usd": child.outcome.price_tag.dollars}, "cost", ui_visible=False)
        dataset.get_logger().report_single_value("cost_usd", child.outcome.price_tag.dollars)
        dataset.upload(show_progress=False, preview=False)
        dataset.finalize()
        task = Task.create("sdk", f"trial {child.key}", "training")
        task.mark_started()
        task.set_parameters({"General/overlap": child.outcome.plan.overlap})
        task.get_logger().report_scalar("accuracy", "validation", child.outcome.accuracy, 0)
        model = OutputModel(task=task, name=child.key, framework="custom")
        weights = str(model_file(folder, child.version))
        model.update_weights(weights, auto_delete_file=False, async_enable=False)
        task.flush(wait_for_uploads=True)
        task.close()
        task.mark_completed()
    return server.requests.total() / len(chosen), (time.perf_counter() - start) / len(chosen)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
