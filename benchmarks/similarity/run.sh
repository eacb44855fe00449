#!/bin/sh
# Run both studies and measure every similarity; SOFTBRIDGE_DATA names the folder that holds fdu_mtl.parquet.
set -e
for shots in 8 32; do
  softbridge run similarity --set shots=$shots --out runs/similarity
  for target in movies products news tweets; do
    softbridge rank $target --recipe similarity --set shots=$shots --by every --out runs/similarity
  done
done
softbridge run similarity_fdu
for target in books kitchen_housewares MR software; do
  softbridge rank $target --recipe similarity_fdu --by every
done
python benchmarks/similarity/table.py runs/similarity runs/similarity_fdu
