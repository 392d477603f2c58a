# Complete `cargo checker …` as `checker …`, and anything else as before.
function __fish_cargo_checker_words
    set -l words (commandline -opc)
    set -e words[1]
    while string match -qr '^[-+]' -- "$words[1]"
        set -e words[1]
    end
    test "$words[1]" = checker; and string escape -- $words
end

function __fish_cargo_checker_complete
    complete -C (string join ' ' -- (__fish_cargo_checker_words) (commandline -ct))
end

complete -c cargo -n '__fish_cargo_checker_words >/dev/null' -f -a '(__fish_cargo_checker_complete)'
