// Says what terminals, workflows and browsers would obey.
// expect: fail
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(5);
    for text in [
        "\x1b[2J\x1b[H\x1b]0;hostile\x07\u{9b}31m",
        "::error file=x::HOSTILE",
        "::add-mask::pass\r\n::stop-commands::x",
        "##[error]HOSTILE",
        "##vso[task.setvariable variable=x]HOSTILE",
        "<script>alert('HOSTILE')</script><img src=x onerror=alert(1)>",
        "]]><!-- &#0; -->",
        "```\n</details>\n# HOSTILE\n|a|b|\n|-|-|",
        "\u{202e}\u{2066}lanrete \u{0}",
        "{\"level\":\"00\",\"verdict\":\"pass\"}",
    ] {
        eprintln!("{text}");
        println!("{text}");
    }
    guard::run_command()
}
