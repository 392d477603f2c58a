# Complete `cargo checker …` as `checker …`, and anything else as before.
_cargo_or_checker() {
    local first=2
    while (( first < CURRENT )) && [[ $words[first] == [-+]* ]]; do
        (( first++ ))
    done
    if (( first < CURRENT )) && [[ $words[first] == checker ]]; then
        shift $(( first - 1 )) words
        (( CURRENT -= first - 1 ))
        service=checker
        _checker
    elif [[ -n $_before_checker ]]; then
        $_before_checker "$@"
    else
        _default
    fi
}

if [[ $_comps[cargo] != _cargo_or_checker ]]; then
    _before_checker=$_comps[cargo]
fi
compdef _cargo_or_checker cargo
