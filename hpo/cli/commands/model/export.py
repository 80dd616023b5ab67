"""`labelworth export`: a saved model in a form that other programs run."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpo.cli.console import print_lines
from hpo.cli.flags import Commands, add_command
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "export", "a saved model as ONNX, checked against itself")
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model.safetensors")
    parser.add_argument("--onnx", metavar="FILE.onnx", type=Path, required=True, help="to write")
    words = "the weights of the model's backbone, where it has one that is not at hand"
    parser.add_argument("--backbone-file", metavar="FILE", type=Path, help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a model as ONNX, if it gives the same probabilities."""
    from budget.errors import InputError
    from budget.files import private_folder, write_whole
    from training.saved import load_model
    from training.saved.onnx import TOLERANCE, largest_difference, onnx_bytes

    out: Path = arguments.onnx
    if out.exists() and not arguments.overwrite:
        raise InputError(f"{out}: is there already; give another --onnx, or add --overwrite")
    saved = load_model(arguments.model)
    content = onnx_bytes(saved, arguments.backbone_file)
    difference = largest_difference(content, saved, arguments.backbone_file)
    if difference is not None and not difference <= TOLERANCE:
        raise InputError(
            f"{arguments.model}: its ONNX graph gives probabilities that differ by "
            f"{difference:.1e}, more than {TOLERANCE:.0e}: nothing was written"
        )
    private_folder(out.parent)
    write_whole(out, content)
    shape = saved.opened(arguments.backbone_file).shape
    checked = (
        "not checked: onnxruntime is not installed"
        if difference is None
        else f"checked: probabilities differ by at most {difference:.0e}"
    )
    print_lines(
        [
            f"images [n, {shape[0]}, {shape[1]}, {shape[2]}] of 8-bit pixels in, probabilities of "
            f"{', '.join(saved.classes)} out",
            checked,
            f"ONNX: {out}",
        ]
    )
    return DONE
