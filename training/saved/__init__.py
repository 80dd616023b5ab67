"""A trained model as one file, and what it does without its study.

from training.saved import load_model

model = load_model("runs/photos/model.safetensors")
labelled = model.label(["a.jpg", "b.jpg"])
labelled.labels, labelled.confidence, labelled.probabilities
"""

from training.saved.file import load_model, model_bytes
from training.saved.model import Labelled, SavedModel

__all__ = ["Labelled", "SavedModel", "load_model", "model_bytes"]
