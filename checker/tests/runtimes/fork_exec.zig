//! fork_exec run -- CMD [ARG...]
//!
//! Level 00 in Zig, with the C library's calls: they stay as they are, while Zig's own
//! standard library changes with every release. So this compiles with 0.13 and with 0.17.

extern "c" fn fork() c_int;
extern "c" fn syscall(number: c_long, ...) c_long;
extern "c" fn execvp(file: [*:0]const u8, argv: [*:null]const ?[*:0]const u8) c_int;
extern "c" fn waitpid(pid: c_int, status: *c_int, options: c_int) c_int;
extern "c" fn signal(number: c_int, handler: usize) usize;
extern "c" fn strcmp(one: [*:0]const u8, other: [*:0]const u8) c_int;
extern "c" fn strerror(errno: c_int) [*:0]const u8;
extern "c" fn dprintf(fd: c_int, format: [*:0]const u8, ...) c_int;
extern "c" fn _exit(status: c_int) noreturn;
extern "c" fn __errno_location() *c_int;

const ENOENT = 2;
const EINTR = 4;
const ENOTDIR = 20;
const SIGCHLD = 17;
const SIG_DFL = 0;
const SYS_close_range = 436; // on every processor

// An exported main instead of `pub fn main`: nothing of Zig's runs before it, such as
// what ignores SIGPIPE, which the command would inherit.
pub export fn main(argc: c_int, argv: [*:null]?[*:0]u8) c_int {
    if (argc < 4 or strcmp(argv[1].?, "run") != 0 or strcmp(argv[2].?, "--") != 0) {
        _ = dprintf(2, "fork_exec: usage: fork_exec run -- CMD [ARG...]\n");
        return 125;
    }

    // A caller that ignores SIGCHLD would leave us nothing to wait for.
    _ = signal(SIGCHLD, SIG_DFL);
    const child = fork();
    if (child == -1) return fail("fork");
    if (child == 0) become(@ptrCast(argv + 3));

    var status: c_int = 0;
    while (waitpid(child, &status, 0) == -1) {
        if (__errno_location().* != EINTR) return fail("waitpid");
    }
    // man 2 waitpid: WTERMSIG and WEXITSTATUS are macros, which Zig can't call.
    const killed_by = status & 0x7f;
    return if (killed_by != 0) 128 + killed_by else (status >> 8) & 0xff;
}

fn become(command: [*:null]const ?[*:0]const u8) noreturn {
    // Only 0, 1 and 2 are the command's business: man 2 close_range.
    _ = syscall(SYS_close_range, @as(c_uint, 3), ~@as(c_uint, 0), @as(c_uint, 0));
    _ = execvp(command[0].?, command);
    const errno = __errno_location().*;
    _ = dprintf(2, "fork_exec: exec %s: %s\n", command[0].?, strerror(errno));
    _exit(if (errno == ENOENT or errno == ENOTDIR) 127 else 126);
}

fn fail(call: [*:0]const u8) c_int {
    _ = dprintf(2, "fork_exec: %s: %s\n", call, strerror(__errno_location().*));
    return 125;
}
