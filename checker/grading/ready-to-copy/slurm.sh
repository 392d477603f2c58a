#!/bin/bash
# Judges a class on a Slurm cluster: builds once, judges the parts side by side, and
# merges them into one report.
#
#   bash slurm.sh SUBMISSIONS OUT [--account=… and whatever else sbatch is to know]
#
# Say this on a login node, in your clone of Rubber Crab; the clone, SUBMISSIONS and OUT
# have to be on a disk that all nodes share. The report is in OUT/all then.
#
# In the environment: PARTS, 4 without it; and GRADE_OPTIONS, for judging and for the
# report, `--points /absolute/points.toml` say.
#
# When a part was cut short (time limit, a node that died), say the same once more: what
# was judged is kept in OUT. Another number of parts is another division: all is judged
# anew then, and the old OUT/part-* may be removed.
#
# The nodes must let you make user namespaces; many clusters forbid it. OUT/build.log says
# what a node can show. If it can't judge even level 00, the parts don't begin.

#SBATCH --job-name=rubber-crab
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash slurm.sh SUBMISSIONS OUT [options of sbatch]" >&2
    exit 2
fi
case " ${*:3}" in
    *' --array'* | *' -a'*)
        echo "slurm.sh: PARTS=8 makes eight parts; --array would make more of each job" >&2
        exit 2
        ;;
esac
SUBMISSIONS=$(realpath "$1")
OUT=$(realpath -m "$2")
export SUBMISSIONS OUT PARTS=${PARTS:-4} GRADE_OPTIONS=${GRADE_OPTIONS:-}
options=(--parsable --kill-on-invalid-dep=yes --export=ALL "${@:3}")

# On the login node: three jobs, of which each waits for the one before it.
if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    mkdir -p "$OUT"
    cargo fetch # nodes often have no network
    build=$(sbatch --job-name=rubber-crab-build --cpus-per-task=4 --output="$OUT/build.log" \
        "${options[@]}" --wrap 'cargo build --package checker --package grading &&
            cargo checker doctor && cargo checker check 00 --solutions --strict &&
            cargo checker grader prepare >/dev/null')
    parts=$(sbatch --array="1-$PARTS" --dependency="afterok:${build%;*}" \
        --output="$OUT/part-%a-of-$PARTS.log" "${options[@]}" "$0" "$SUBMISSIONS" "$OUT")
    merge=$(sbatch --job-name=rubber-crab-merge --dependency="afterok:${parts%;*}" \
        --output="$OUT/merge.log" "${options[@]}" --wrap \
        'cargo checker grade --merge "$OUT"/part-*-of-"$PARTS"/ --out "$OUT/all" \
            --exit-zero $GRADE_OPTIONS')
    echo "build ${build%;*}, parts ${parts%;*}, merge ${merge%;*}: the report will be in $OUT/all"
    exit
fi

# On a node: one part. 3 means that the checker was at fault for some level: the report
# says for which, and that is no reason to go without one.
part=$SLURM_ARRAY_TASK_ID
echo "part $part of $PARTS, on $SLURMD_NODENAME"
cargo checker grade "$SUBMISSIONS" --exit-zero --partition "$part/$PARTS" \
    --out "$OUT/part-$part-of-$PARTS" --jobs "$SLURM_CPUS_PER_TASK" $GRADE_OPTIONS ||
    exit $(($? == 3 ? 0 : $?))
