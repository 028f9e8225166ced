"""The settings that the inner folds chose, one for each of the ten outer folds, by number of samples.

Found by `python -m solutions.train --select` (569 samples) and `--select --samples 144`, six and three minutes on one core; see
`solutions/validation.py`. An outer test fold had no part in the choice of the settings that are measured on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from solutions.convnet import Settings as ConvSettings
from solutions.network import Settings

FOLDS = 10
CHOSEN: Mapping[int, tuple[Settings, ...]] = {
    569: (
        Settings(lr=0.3, weight_decay=0.03, epochs=400),
        Settings(lr=0.1, weight_decay=0.03, epochs=400),
        Settings(lr=0.3, weight_decay=0.03, epochs=400),
        Settings(lr=0.1, weight_decay=0.03, epochs=200),
        Settings(lr=0.1, weight_decay=0.02, epochs=200),
        Settings(lr=0.3, weight_decay=0.02, epochs=100),
        Settings(lr=0.3, weight_decay=0.03, epochs=100),
        Settings(lr=0.1, weight_decay=0.02, epochs=200),
        Settings(lr=0.3, weight_decay=0.02, epochs=400),
        Settings(lr=0.3, weight_decay=0.03, epochs=100),
    ),
    144: (
        Settings(lr=0.1, weight_decay=0.03, epochs=200),
        Settings(lr=0.1, weight_decay=0.05, epochs=200),
        Settings(lr=0.1, weight_decay=0.03, epochs=200),
        Settings(lr=0.1, weight_decay=0.03, epochs=400),
        Settings(lr=0.1, weight_decay=0.02, epochs=200),
        Settings(lr=0.1, weight_decay=0.03, epochs=100),
        Settings(lr=0.1, weight_decay=0.02, epochs=400),
        Settings(lr=0.1, weight_decay=0.01, epochs=200),
        Settings(lr=0.1, weight_decay=0.01, epochs=400),
        Settings(lr=0.3, weight_decay=0.003, epochs=400),
    ),
}
# for other sizes: what most folds of all 569 samples chose
USUAL = Settings(lr=0.3, weight_decay=0.03, epochs=400)

# Found by `python -m solutions.train --network cnn --select`, five minutes on one core: for each of the five outer folds the
# settings that did best on a fifth of its training part; see `solutions/convnet_validation.py`.
CNN_CHOSEN = (
    ConvSettings(lr=5e-3, shift=1, epochs=60, weight_decay=0.01),
    ConvSettings(lr=5e-3, shift=1, epochs=60, weight_decay=0.01),
    ConvSettings(lr=5e-3, shift=0, epochs=60, weight_decay=0.01),
    ConvSettings(lr=2e-3, shift=0, epochs=60, weight_decay=0.1),
    ConvSettings(lr=5e-3, shift=1, epochs=60, weight_decay=0.01),
)
