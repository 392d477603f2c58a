#!/bin/bash
# Judges a class on a Slurm cluster: builds once, judges the parts side by side, and
# merges them into one report.
#
#   bash slurm.sh SUBMISSIONS OUT [--account=… and whatever else sbatch is to know]
#
# Say this on a login node, in your clone of Rubber Crab; the clone, SUBMISSIONS and OUT
# have to be on a disk that all nodes share. The report is in OUT/all then.
#
# When a part was cut short (time limit, a node that died), say the same once more: what
# was judged is kept in OUT. Always the whole array: `--array=3` would be part 3 of 1.

#SBATCH --job-name=rubber-crab
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash slurm.sh SUBMISSIONS OUT [options of sbatch]" >&2
    exit 2
fi
SUBMISSIONS=$(realpath "$1")
OUT=$(realpath -m "$2")
export SUBMISSIONS OUT
options=(--parsable --kill-on-invalid-dep=yes --export=ALL "${@:3}")

# On the login node: three jobs, of which each waits for the one before it.
if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    mkdir -p "$OUT"
    cargo fetch # nodes often have no network
    build=$(sbatch --job-name=rubber-crab-build --cpus-per-task=4 --output="$OUT/build.log" \
        "${options[@]}" --wrap 'cargo build --package checker --package grading &&
            cargo checker grader prepare >/dev/null')
    parts=$(sbatch --dependency="afterok:${build%;*}" --output="$OUT/part-%a.log" \
        "${options[@]}" "$0" "$SUBMISSIONS" "$OUT")
    merge=$(sbatch --job-name=rubber-crab-merge --dependency="afterok:${parts%;*}" \
        --output="$OUT/merge.log" "${options[@]}" --wrap \
        'cargo checker grade --merge "$OUT"/part-*/ --out "$OUT/all" --exit-zero')
    echo "build ${build%;*}, parts ${parts%;*}, merge ${merge%;*}: the report will be in $OUT/all"
    exit
fi

# On a node: one part. 3 means that the checker was at fault for some level: the report
# says for which, and that is no reason to go without one.
echo "part $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT, on $SLURMD_NODENAME"
cargo checker grade "$SUBMISSIONS" --exit-zero \
    --partition "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --out "$OUT/part-$SLURM_ARRAY_TASK_ID" \
    --jobs "$SLURM_CPUS_PER_TASK" ||
    exit $(($? == 3 ? 0 : $?))
