#!/usr/bin/env bash
# scikit-image's adapted_rand_error returns precision and recall in each other's place.
#
# Packages: scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6, and the six packages that scikit-image needs, pinned below
#   (Python 3.11 or later).
#
# Expected: the documentation of skimage.metrics.adapted_rand_error says that it returns error, precision, recall.
#   Precision is the number of pixel pairs that share a label in both images over the number that share one in the test
#   image; recall is the same over the number in the true image. So a segmentation that only splits objects has
#   precision 1, and one that only merges objects has recall 1. With alpha = 0 the error should leave only recall.
# Seen: the second value is divided by the pairs of the true image and the third by those of the test image. A pure
#   split comes back with recall 1, a pure merge with precision 1. Counting the pairs by hand gives the documented
#   definition and shows that the two values are swapped. alpha is mirrored in the same way. The error itself, at the
#   default alpha = 0.5, does not depend on the order and is right. Reported in 2022 as issue 6485 of scikit-image.
# Why it matters: these two numbers tell whether a model cuts cells apart or glues them together. Read as documented,
#   they send you to change the threshold in the wrong direction. variation_of_information, in the same module, has
#   its two parts as documented, so a table with both contradicts itself.
# Do instead: unpack as error, recall, precision = adapted_rand_error(truth, test), and pass 1 - alpha for alpha; or
#   report the two parts of variation_of_information. Check with a split image of which you know the answer.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6 \
    networkx==3.6.1 pillow==13.0.0 imageio==2.38.1 tifffile==2026.3.3 packaging==26.4 lazy-loader==0.6

"$folder/venv/bin/python" -I - <<'PY'
import sys

import numpy as np
from skimage.metrics import adapted_rand_error, variation_of_information


def by_hand(truth, test):
    """Count pairs of pixels as the documentation words it, without a contingency table."""
    inside = truth != 0
    first, second = np.triu_indices(int(inside.sum()), 1)
    in_truth = truth[inside][first] == truth[inside][second]
    in_test = test[inside][first] == test[inside][second]
    both = np.count_nonzero(in_truth & in_test)
    return both / np.count_nonzero(in_test), both / np.count_nonzero(in_truth)


whole = np.zeros((24, 40), int)
whole[2:22, 2:18] = 1
whole[2:22, 22:38] = 2
halves = whole.copy()
halves[12:, :][whole[12:, :] > 0] += 2

seen = {}
for name, truth, test in (("every cell split in two", whole, halves), ("cells merged in pairs", halves, whole)):
    error, precision, recall = adapted_rand_error(truth, test)
    hand = by_hand(truth, test)
    only_recall = adapted_rand_error(truth, test, alpha=0)[0]
    splits, merges = variation_of_information(truth, test)
    seen[name] = (precision, recall, *hand, only_recall)
    print(name)
    print(f"  pairs counted by hand:     precision {hand[0]:.3f}, recall {hand[1]:.3f}")
    print(f"  adapted_rand_error:        precision {precision:.3f}, recall {recall:.3f}, error {error:.3f}")
    print(f"  alpha=0, documented to leave recall: error {only_recall:.3f}, 1 - recall by hand {1 - hand[1]:.3f}")
    print(f"  variation_of_information:  splits {splits:.3f}, merges {merges:.3f}")

for name, (precision, recall, true_precision, true_recall, only_recall) in seen.items():
    if np.isclose(true_precision, true_recall):
        sys.exit("changed: the example no longer tells precision from recall")
    if not np.allclose((precision, recall), (true_recall, true_precision)):
        sys.exit(f"changed: precision and recall are no longer swapped ({name})")
    if not np.isclose(only_recall, 1 - true_precision):
        sys.exit(f"changed: alpha is no longer mirrored ({name})")
PY
