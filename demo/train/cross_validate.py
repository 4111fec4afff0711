"""Compare candidate epoch counts for the network on the TRAINING part only.

Five-fold stratified cross-validation. The held-out scans are never looked at here;
`EPOCHS` in classifiers.py was fixed from this table before they were.

    python demo/train/cross_validate.py
"""

import numpy as np
from sklearn.model_selection import StratifiedKFold

from classifiers import (
    digit_net_logits,
    fit_digit_net,
    fit_logistic_regression,
    logistic_regression_logits,
)
from digits_data import SEED, load_split, to_images

FOLDS = 5
CANDIDATE_EPOCHS = (15, 30, 60, 120)


def main() -> None:
    training, _ = load_split()
    images, labels = to_images(training.pixels), training.labels
    folds = list(
        StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(images, labels)
    )

    def report(name: str, logits_after_fitting) -> None:
        """Print how many training scans are right when each is predicted by its fold's model."""
        correct = 0
        for fit_rows, check_rows in folds:
            logits = logits_after_fitting(images[fit_rows], labels[fit_rows], images[check_rows])
            correct += int(np.sum(logits.argmax(axis=1) == labels[check_rows]))
        print(f"{name}: {correct}/{len(labels)} = {correct / len(labels):.4f}", flush=True)

    report(
        "logistic regression",
        lambda x, y, check: logistic_regression_logits(fit_logistic_regression(x, y), check),
    )
    for epochs in CANDIDATE_EPOCHS:
        report(
            f"network, {epochs} epochs",
            lambda x, y, check: digit_net_logits(fit_digit_net(x, y, epochs), check),
        )


if __name__ == "__main__":
    main()
