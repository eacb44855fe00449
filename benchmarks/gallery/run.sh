#!/bin/sh
# The runs of benchmarks/gallery: sh benchmarks/gallery/run.sh FOLDER, with SOFTBRIDGE_DATA naming the data's folder.
# 11 and 43 rows of each of three classes, 6 and 26 of each of five, are about 32 and 128 labelled rows. Each seed draws
# rows of its own and is a run of its own; the small cells come first. The second pass carries every way that was tried to
# its end: the hindsight that `bridge` does not have. What was stopped goes on.
set -e
here=$(dirname "$0")
test -f "$1/medicine.csv" || python "$here/data.py" "$1"
export SOFTBRIDGE_DATA="$1"
for cells in "finance-11 medicine-6" "finance-43 medicine-26"; do
    for seed in 0 1 2; do
        for cell in $cells; do
            name=${cell%-*} place="$1/$cell-seed$seed" words=""
            test ! -d "$place/prompt" || continue
            if test "$name" = finance; then words="neutral=neutral sentiment"; fi
            softbridge bridge "$name.csv" --shots "${cell#*-}" --seeds "$seed" --out "$place" ${words:+--words "$words"}
        done
    done
done
for place in "$1"/finance-11-* "$1"/medicine-6-* "$1"/finance-43-* "$1"/medicine-26-*; do
    test ! -f "$place/hindsight" || continue
    softbridge resume "$place" > /dev/null
    touch "$place/hindsight"
done
