"""What labels of people and of a machine are worth together, in answers of people.

People's labels err at random, and a model of n of them has an error of about n to the power of
minus a slope: 1 / n stands for its noise. A machine's label tells r times as much as a person's
answer, in nats. But a machine errs alike on images that are alike, which no number of labels
averages out: a model of its labels alone is no better than the machine. So its labels have a bias,
1 / K, where people's K answers train a model as good as the machine. Both learned together:

    1 / value = 1 / (n + r m) + (r m / (n + r m))^2 / K

On 4,080 images of CIFAR-10N with two machines this followed the models' accuracies: the weaker
machine was best at 500 to 1,000 labels where a person's answer cost 3.3 times as much, at all of
them where it cost 33 times as much; the better one always at all.
"""

from __future__ import annotations

import numpy as np

from hpo.trial.versions.machine.reading import MachineReading
from labeling.machine.calibration import nats_of_coin

SLOPE, SLOPE_SD = 0.2, 0.1
"""Of ln error per ln answers: .15 on photographs, .47 on digits."""
MOST_ANSWERS = 1e9
"""That a machine's accuracy stands for."""

_TAUGHT = 1.08  # error of a model of a machine's labels for each error of the machine, on patches


def pooled(people: float, told: float, ceiling: float) -> float:
    """Answers of people whose model is as good as one of both.

    Args:
        people: people's answers n.
        told: what the machine's labels tell, in people's answers: r m.
        ceiling: people's answers whose model is as good as one of the machine's labels can be: K.
    """
    total = max(people + told, 1e-9)
    return 1 / (1 / total + (told / total) ** 2 / ceiling)


def ceiling_of(answers: int, accuracy: float, reading: MachineReading, slope: float) -> float:
    """People's answers whose model is as good as one of the machine's labels can be.

    Args:
        answers: people's answers owned.
        accuracy: of a model of these.
        reading: the machine's.
        slope: of ln error per ln answers.
    """
    people = max(1 - accuracy, 1e-3)
    machine = max(_TAUGHT * (1 - reading.quality.accuracy), 1e-3)
    log = np.log(answers) + np.log(people / machine) / slope
    return float(np.exp(np.clip(log, 0.0, np.log(MOST_ANSWERS))))


def ratio(nats: float, skill: float, classes: int) -> float:
    """What a machine's label tells, of what a person's answer tells.

    Args:
        nats: that the label tells.
        skill: share of people's answers that are right.
        classes: number of classes.
    """
    return nats / max(nats_of_coin(skill, classes), 1e-3)
