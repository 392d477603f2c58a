# Complete `cargo checker …` as `checker …`, and anything else as before.
_cargo_or_checker() {
    local first=1
    while [[ $first -lt $COMP_CWORD && ${COMP_WORDS[first]} == [-+]* ]]; do
        ((first++))
    done
    if [[ $first -lt $COMP_CWORD && ${COMP_WORDS[first]} == checker ]]; then
        COMP_WORDS=("${COMP_WORDS[@]:first}")
        ((COMP_CWORD -= first))
        _checker checker "$2" "$3"
        return
    fi
    if [[ -z $_before_checker ]]; then
        # bash-completion reads cargo's own script when it is first needed.
        if declare -F _comp_load >/dev/null; then
            _comp_load cargo
        elif declare -F _completion_loader >/dev/null; then
            _completion_loader cargo
        fi
        _before_checker=$(_completes_cargo)
        [[ $_before_checker ]] || _before_checker=:
        complete -F _cargo_or_checker -o bashdefault -o default cargo
    fi
    "$_before_checker" "$@"
}

# The function that completes cargo now.
_completes_cargo() {
    local now=$(complete -p cargo 2>/dev/null)
    [[ $now =~ -F\ ([^ ]+) && ${BASH_REMATCH[1]} != _cargo_or_checker ]] &&
        echo "${BASH_REMATCH[1]}"
}

_before_checker=$(_completes_cargo)
complete -F _cargo_or_checker -o bashdefault -o default cargo
