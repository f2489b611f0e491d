#!/bin/sh
# A batch of images as a Slurm array:
#
#   sbatch --array=0-31 slurm-array.sh images.csv recipe.json /shared/results
#
# Every task takes its share; run it again after a time limit and it goes on. Tasks may
# also share the work freely: leave --shard out, and each image is claimed by one task.
#SBATCH --job-name=limpid
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -eu
[ $# = 3 ] || { echo "usage: sbatch --array=0-N $0 MANIFEST|FOLDER RECIPE.json OUTDIR" >&2; exit 2; }
export GOMAXPROCS="${SLURM_CPUS_PER_TASK:-1}"
exec limpid-cli batch "$1" "$2" -o "$3" --shard auto --quiet
