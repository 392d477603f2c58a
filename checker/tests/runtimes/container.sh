#!/bin/bash
# container.sh run [OPTIONS] -- CMD [ARG...]
#
# Levels 00 to 02 and 04 to 06 with the programs of util-linux, coreutils, hostname,
# iproute2 and GNU tar. A container is a directory DIR/UUID; in its mount namespace that
# is bound on /mnt, and chroot(8) goes there, which is why there is no level 03.

fail() {
    echo "container.sh: $1" >&2
    exit "${2:-125}"
}

run() {
    local image=base images=/workshop/images containers=/workshop/containers id name
    id=$(</proc/sys/kernel/random/uuid)
    name=$id
    while (($#)) && [[ $1 != -- ]]; do
        case $1 in
        -i | --image) image=$2 ;;
        --image-dir) images=$2 ;;
        --container-dir) containers=$2 ;;
        --hostname) name=$2 ;;
        *) fail "no such option: $1" ;;
        esac
        shift 2 || fail "an option without a value"
    done
    (($# > 1)) || fail "usage: run [OPTIONS] -- CMD [ARG...]"
    shift
    local archive=$images/$image.tar length
    [[ -r $archive ]] || fail "$archive: no such image"
    length=$(LC_ALL=C && echo "${#name}")
    ((length > 0 && length <= 64)) || fail "--hostname: 1 to 64 bytes"
    root=$containers/$id
    mkdir -p -m 755 "$root" || exit 125
    trap 'rm -rf "$root"' EXIT # it isn't local: the trap comes after this function
    (unpack "$archive" "$root") || exit
    # Slaves still follow the caller's mounts, but give nothing back. With --fork,
    # unshare would give 1 for a command that was killed (util-linux 2.38); without it,
    # the first process that `between` starts is PID 1.
    unshare --mount --propagation slave --pid --uts --ipc --net -- \
        "$0" between "$root" "$name" "$@"
}

between() {
    exec {errors}>&2 2>/dev/null # or bash would say "Killed"
    (exec 2>&"$errors" && inside "$@")
    exit $?
}

unpack() {
    local errors
    umask 0
    errors=$(tar -C "$2" -xpf "$1" --no-same-owner 2>&1) && return
    # What tar can't make are devices: mknod is refused.
    errors=$(grep -v -e 'Cannot mknod' -e 'Exiting with failure' <<<"$errors")
    [[ -z $errors ]] || fail "${errors%%$'\n'*}"
}

inside() {
    hostname "$2" && ip link set lo up || exit 125
    mount --bind "$1" /mnt && cd /mnt || exit 125
    shift 2
    mount -t proc proc proc && mount -t sysfs sysfs sys || exit 125
    mount -t tmpfs -o mode=755 tmpfs dev || exit 125
    local name
    for name in null zero full random urandom tty; do
        : >"dev/$name" && mount --bind "/dev/$name" "dev/$name" || exit 125
    done
    ln -s ../proc/self/fd dev/fd
    ln -s fd/0 dev/stdin && ln -s fd/1 dev/stdout && ln -s fd/2 dev/stderr
    mkdir dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    # Only 0, 1 and 2 are the command's business (255 is bash's own).
    for name in "/proc/self/fd"/*; do
        name=${name##*/}
        ((name > 2 && name != 255)) && eval "exec $name>&-"
    done
    unset OLDPWD
    exec /usr/sbin/chroot . "$@" # 127: not found, 126: not executable
}

case $1 in
run | between) "$@" ;;
*) fail "usage: run [OPTIONS] -- CMD [ARG...]" ;;
esac
