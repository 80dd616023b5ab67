"""Data of your own: the features of any encoder, with labels where they are known."""

import numpy as np

from hpo import Answer, Dataset, Study, StudyConfig, add_data, arrays_dataset


def shapes(config: StudyConfig) -> Dataset:
    """Three clouds of points in eight dimensions; "" would be a label that is not known."""
    rng = np.random.default_rng(config.seed)
    kind = rng.integers(3, size=900)
    x = rng.normal(size=(900, 8)) + 2.0 * np.eye(8)[kind]
    return arrays_dataset(x, [("circle", "square", "star")[k] for k in kind], config)


add_data("shapes", shapes)


def main(runs: str = "runs") -> Answer:
    """A study of it."""
    study = Study(budget="0.6", data="shapes", goal="plan", few_labels_ok=True, runs=runs)
    answer = study.run()
    study.close()
    return answer


if __name__ == "__main__":
    print(main().summary)
