#!/usr/bin/env bash
# A waterz threshold sweep that is kept in a list holds the last segmentation only.
#
# Packages: waterz 0.10.1, witty 0.3.4, Cython 3.3.1, numpy 2.4.6 (Python 3.11 or later).
#
# Expected: the documentation of waterz.agglomerate says that one segmentation comes back for each threshold, and that
#   an optional volume of fragments is used in place of the built-in watershed. It does not say that an array that was
#   handed out, or one that was passed in, changes later. It only says that one segmentation is in memory at a time.
# Seen: every step hands out the same array and writes the next result into it. list(agglomerate(...)) therefore holds
#   as many copies of the coarsest result as there are thresholds. With scores against a truth, each score belongs to
#   its own threshold, but the labels beside it belong to the last one. Fragments of type uint64 are that same array:
#   after the sweep they are overwritten, and a second sweep over them starts from segments that are merged already.
# Why it matters: whoever sweeps thresholds to choose the best one keeps the right number with the wrong labels.
#   Whoever compares two scoring functions on the same fragments measures the second on the result of the first.
#   Nothing warns.
# Do instead: copy at each step, [labels.copy() for labels in agglomerate(...)], and pass fragments.copy().
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    waterz==0.10.1 witty==0.3.4 Cython==3.3.1 numpy==2.4.6

# waterz reports its progress on standard output from compiled code, so the finding itself is printed through file 3.
"$folder/venv/bin/python" -I - 3>&1 >/dev/null <<'PY'
import sys

import numpy as np
import waterz

out = open(3, "w")


def count(labels):
    return len(np.unique(labels))


# Four fragments in a row. Across their borders the affinity is 0.9, 0.6 and 0.3, so the merge scores are 0.1, 0.4, 0.7.
fragments = np.empty((1, 6, 16), np.uint64)
fragments[:] = np.repeat([1, 2, 3, 4], 4)
affinities = np.ones((3, 1, 6, 16), np.float32)
affinities[2, :, :, [4, 8, 12]] = np.array([0.9, 0.6, 0.3], np.float32)[:, None, None]
truth = np.empty((1, 6, 16), np.uint32)
truth[:] = np.repeat([1, 1, 2, 2], 4)
thresholds = [0.2, 0.5, 0.8]

during = [count(labels) for labels in waterz.agglomerate(affinities, thresholds, fragments=fragments.copy())]
kept = list(waterz.agglomerate(affinities, thresholds, fragments=fragments.copy()))
after = [count(labels) for labels in kept]
print("thresholds                                  ", thresholds, file=out)
print("segments, counted while the sweep runs      ", during, file=out)
print("segments, counted in list(agglomerate(...)) ", after, file=out)

scored = list(waterz.agglomerate(affinities, thresholds, gt=truth, fragments=fragments.copy()))
losses = [score["V_Info_split"] + score["V_Info_merge"] for _, score in scored]
best = int(np.argmin(losses))
print("variation of information at each threshold  ", [round(loss, 2) for loss in losses], file=out)
print(
    f"best is threshold {thresholds[best]}: {during[best]} segments when it was scored, "
    f"{count(scored[best][0])} in the array kept beside that score",
    file=out,
)

mine = fragments.copy()
first = [count(labels) for labels in waterz.agglomerate(affinities, thresholds, fragments=mine)]
left = count(mine)
second = [count(labels) for labels in waterz.agglomerate(affinities, thresholds, fragments=mine)]
print(f"fragments passed in: {count(fragments)} before the sweep, {left} after it", file=out)
print(f"the same call twice on the same fragments: {first}, then {second}", file=out)

copied = [labels.copy() for labels in waterz.agglomerate(affinities, thresholds, fragments=fragments.copy())]
print("segments, each step copied                  ", [count(labels) for labels in copied], file=out)

if during != [3, 2, 1] or [count(labels) for labels in copied] != during:
    sys.exit("changed: the sweep itself gives other segmentations than described")
if after != [1, 1, 1] or count(scored[best][0]) != 1:
    sys.exit("changed: a list of the sweep no longer holds the last segmentation only")
if left != 1 or second != [1, 1, 1]:
    sys.exit("changed: the fragments passed in are no longer overwritten")
PY
