/* fork_exec run -- CMD [ARG...]
 *
 * Level 00 in C: fork, exec, wait. levels/OTHER-LANGUAGES.md says how to build and
 * to check it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(char **command)
{
    /* Only 0, 1 and 2 are the command's business: man 2 close_range. */
    syscall(SYS_close_range, 3, ~0U, 0);
    execvp(command[0], command);
    int missing = errno == ENOENT || errno == ENOTDIR;
    fprintf(stderr, "fork_exec: exec %s: %m\n", command[0]);
    _exit(missing ? 127 : 126);
}

int main(int argc, char **argv)
{
    if (argc < 4 || strcmp(argv[1], "run") || strcmp(argv[2], "--")) {
        fprintf(stderr, "fork_exec: usage: fork_exec run -- CMD [ARG...]\n");
        return 125;
    }

    /* A caller that ignores SIGCHLD would leave us nothing to wait for. */
    signal(SIGCHLD, SIG_DFL);
    pid_t child = fork();
    if (child == -1) {
        fprintf(stderr, "fork_exec: fork: %m\n");
        return 125;
    }
    if (child == 0)
        become(argv + 3);

    int status;
    while (waitpid(child, &status, 0) == -1) {
        if (errno != EINTR) {
            fprintf(stderr, "fork_exec: waitpid %d: %m\n", child);
            return 125;
        }
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
