"""An example of each command, for its help.

Nothing is imported here: --help does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "run": "labelworth --budget 20 --data photos",
    "plan": "labelworth plan --data photos --price 0.002 --overlap 3",
    "status": "labelworth status runs/digits3",
    "report": "labelworth report runs/digits3 --open",
    "ask": "labelworth ask runs/plan --accuracy 0.88",
    "view": "labelworth view runs/digits3 changed --out changed.csv",
    "data": "labelworth data list runs/digits3",
    "data get": "labelworth data get 1eb494f5 --to labels",
    "data list": "labelworth data list runs/digits3",
    "buy": "labelworth buy runs/plan --budget 7",
    "doctor": "labelworth doctor",
    "reconcile": "labelworth reconcile runs/mine",
    "publish": "labelworth publish runs/digits3",
    "train": "labelworth train labels.csv --images photos --out model.safetensors",
    "predict": "labelworth predict runs/digits3/model.safetensors new-photos",
    "export": "labelworth export runs/digits3/model.safetensors --onnx model.onnx",
    "explain": "labelworth explain overlap",
    "crowd": "labelworth crowd list",
    "crowd fit": "labelworth crowd fit answers.csv",
    "crowd list": "labelworth crowd list",
    "weights": "labelworth weights list",
    "toloka-server": "labelworth toloka-server --port 8321",
    "ledger": "labelworth ledger runs/digits3",
    "audit": "labelworth audit runs/digits3",
    "list": "labelworth list",
    "compare": "labelworth compare runs/digits3 runs/plan",
    "completion": "labelworth completion bash >> ~/.bashrc",
}
"""A command line by command, an action after its command."""
