#!/bin/sh
# fork_exec.sh run -- CMD [ARG...]
#
# Level 00 in shell: `( exec … )` is the fork and the exec, `$?` the wait. The shell
# makes 128+n of a signal n, says in one line why an exec failed, and gives 126 or
# 127 for it. "$@" keeps every argument byte for byte. Like any shell, it may add
# PWD to the environment.

if [ "$#" -lt 3 ] || [ "$1" != run ] || [ "$2" != -- ]; then
    echo "fork_exec.sh: usage: fork_exec.sh run -- CMD [ARG...]" >&2
    exit 125
fi

# Only 0, 1 and 2 are the command's business. A POSIX shell closes 3 to 9, and has no
# words for higher ones: where some were inherited, bash closes them and starts us
# again. The shell's own, such as the one it reads this from, are close-on-exec.
for fd in "/proc/$$/fd/"??*; do
    fdinfo=/proc/$$/fdinfo/${fd##*/}
    [ -e "$fdinfo" ] || continue
    { read -r _ && read -r _ flags; } <"$fdinfo"
    [ $((flags & 02000000)) -eq 0 ] || continue
    # shellcheck disable=SC2016 # these are bash's to expand
    exec bash -c '
        for fd in /proc/$$/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec "$0" "$@"' "$0" "$@"
done

shift 2
if [ -z "$1" ]; then
    echo "fork_exec.sh: exec '': not found" >&2
    exit 127
fi

# The shell would say "Killed" on its stderr; the status says it already.
exec 3>&2 2>/dev/null
(
    exec 2>&3 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    exec "$@"
)
exit $?
