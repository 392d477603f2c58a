// Errors with what terminals, workflows and browsers would obey.
// expect: unbuilt
compile_error!("\x1b[2J\x1b]0;HOSTILE\x07 \u{9b}31m \u{202e}lanrete");
compile_error!("\n::error file=x::HOSTILE\n::add-mask::pass\n##[error]HOSTILE\n");
compile_error!(
    "</pre><script>alert('HOSTILE')</script><img src=x onerror=alert(1)>"
);
compile_error!("]]><!-- &#0; -->\n```\n</details>\n# HOSTILE\n|a|b|\n|-|-|\n");
compile_error!(
    "{\"rendered\":\"HOSTILE\",\"level\":\"error\"}\n{\"verdict\":\"pass\"}"
);

fn main() {}
