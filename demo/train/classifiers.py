"""The two classifiers and how each is fitted.

Both take images, float32 [batch, 1, 8, 8] in 0..1, and give logits, float32
[batch, 10]: one raw score per digit, the largest being the prediction.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from digits_data import CLASSES, SEED

EPOCHS = 60
BATCH_SIZE = 32
PEAK_LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
DROPOUT = 0.3
MAX_SHIFT = 1  # pixels, in each direction


def fit_logistic_regression(images: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    """Fit multinomial logistic regression on the 64 pixel values (L2 penalty, C = 1)."""
    model = LogisticRegression(C=1.0, solver="lbfgs", max_iter=1000)
    return model.fit(images.reshape(len(images), -1), labels)


def logistic_regression_logits(model: LogisticRegression, images: np.ndarray) -> np.ndarray:
    """Return the fitted model's own raw scores, [batch, 10]."""
    return model.decision_function(images.reshape(len(images), -1))


class DigitNet(nn.Module):
    """Three 3x3 convolutions and two dense layers; the comments give the output shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)  # [batch, 32, 8, 8]
        self.conv2 = nn.Conv2d(32, 32, kernel_size=3, padding=1)  # [batch, 32, 8, 8]
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding=1)  # [batch, 64, 4, 4], pooled first
        self.dense1 = nn.Linear(64 * 2 * 2, 128)  # [batch, 128], pooled first
        self.dense2 = nn.Linear(128, CLASSES)  # [batch, 10]
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(images))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.pool(torch.relu(self.conv3(x)))
        x = self.dropout(torch.flatten(x, 1))
        x = self.dropout(torch.relu(self.dense1(x)))
        return self.dense2(x)


def fit_digit_net(images: np.ndarray, labels: np.ndarray, epochs: int = EPOCHS) -> DigitNet:
    """Train a DigitNet for a fixed number of epochs, with random shifts of up to one pixel.

    Every source of randomness (initial weights, order, shifts, dropout) hangs on SEED,
    so the same machine gives the same weights again.
    """
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)

    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    model = DigitNet()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=PEAK_LEARNING_RATE,
        epochs=epochs,
        steps_per_epoch=-(-len(inputs) // BATCH_SIZE),
    )
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(model(shift_randomly(inputs[rows])), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def shift_randomly(images: torch.Tensor) -> torch.Tensor:
    """Move each image [batch, 1, 8, 8] by -1, 0 or 1 pixel per axis; blank pixels move in."""
    batch, _, height, width = images.shape
    padded = nn.functional.pad(images, [MAX_SHIFT] * 4)
    tops = torch.randint(0, 2 * MAX_SHIFT + 1, (batch, 1, 1))
    lefts = torch.randint(0, 2 * MAX_SHIFT + 1, (batch, 1, 1))
    rows = tops + torch.arange(height).view(1, -1, 1)
    columns = lefts + torch.arange(width).view(1, 1, -1)
    return padded[torch.arange(batch).view(-1, 1, 1), 0, rows, columns].unsqueeze(1)


def digit_net_logits(model: DigitNet, images: np.ndarray) -> np.ndarray:
    """Return the trained network's own raw scores, float32 [batch, 10]."""
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()
