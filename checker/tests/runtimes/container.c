/* container run [OPTIONS] -- CMD [ARG...]
 *
 * Levels 00 to 07 in C. Build with `cc container.c`. Wherever there is a choice it
 * takes the way the workshop doesn't teach first: clone() with all namespaces at once
 * instead of unshare and fork, MS_SLAVE instead of MS_PRIVATE, pivot_root with a
 * put_old directory, devices made with mknod where that is allowed, the system's tar
 * to unpack, an ioctl to switch lo on; and the parent writes the child's pid into
 * cgroup.procs, while the child waits on a pipe.
 *
 * In the order things happen: main, open_image, make_place, unpack, start, confine,
 * container, remove_tree.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

/* The contract's status for a runtime that failed. */
#define FAILED 125
#define BLOCK 512

static sigset_t callers_mask;

/* One line on stderr. Callers pass the status on: `return fail(...)`. */
__attribute__((format(printf, 1, 2)))
static int fail(const char *format, ...)
{
    char line[2 * PATH_MAX];
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    errno = error;
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "container: %s\n", line);
    return FAILED;
}

/* ---- the image ------------------------------------------------------------------ */

/* The number in a tar header's field: octal digits, or big-endian with the top bit
 * set (GNU's way to go beyond 8 GiB). */
static off_t number(const unsigned char *field, size_t width)
{
    off_t value = 0;
    if (*field & 0x80) {
        value = *field & 0x3f;
        for (size_t i = 1; i < width; i++)
            value = value << 8 | field[i];
        return value;
    }
    for (size_t i = 0; i < width && field[i]; i++)
        if (field[i] >= '0' && field[i] <= '7')
            value = value << 3 | (field[i] - '0');
    return value;
}

/* The sum of all bytes, those of the checksum field itself read as blanks. */
static int header_is_sound(const unsigned char *header)
{
    off_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return sum == number(header + 148, 8);
}

/* NULL when ARCHIVE goes on to the two zero blocks that end a tar, or what is wrong.
 * tar itself doesn't miss an end that was cut off between two members. */
static const char *flaw(int archive)
{
    static const unsigned char zero[BLOCK];
    unsigned char block[BLOCK];
    struct stat status;
    off_t at = 0;

    if (fstat(archive, &status) == -1 || !S_ISREG(status.st_mode))
        return "not a regular file";
    for (;;) {
        if (pread(archive, block, BLOCK, at) != BLOCK)
            return "cut short";
        at += BLOCK;
        if (!memcmp(block, zero, BLOCK))
            break;
        if (!header_is_sound(block))
            return "not a tar archive";
        /* A hard link may state a size, but has no data. */
        off_t size = block[156] == '1' ? 0 : number(block + 124, 12);
        /* Old GNU sparse files: more maps may follow, byte 504 of each says so. */
        if (block[156] == 'S')
            for (int more = block[482]; more; more = block[504], at += BLOCK)
                if (pread(archive, block, BLOCK, at) != BLOCK)
                    return "cut short";
        if (size < 0 || size > status.st_size - at)
            return "cut short";
        at += (size + BLOCK - 1) / BLOCK * BLOCK;
    }
    if (pread(archive, block, BLOCK, at) != BLOCK || memcmp(block, zero, BLOCK))
        return "cut short";
    return NULL;
}

/* ---- the system's tools ---------------------------------------------------------- */

/* What tar says about an entry that it made harmless, or rightly didn't make. */
static int tolerable(const char *line)
{
    return strstr(line, ": Cannot mknod: Operation not permitted") ||
           strstr(line, ": Removing leading ") ||
           strstr(line, ": Exiting with failure status due to previous errors");
}

/* Runs a tool with INPUT as its stdin. Returns 0, or FAILED after a line with the
 * first thing the tool complained about. A tool that ends with 2 but said nothing
 * that isn't tolerable did what we want. */
static int run_tool(char *const argv[], int input)
{
    char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL };
    int complaints[2];
    if (pipe2(complaints, O_CLOEXEC) == -1)
        return fail("pipe2: %m");
    pid_t tool = fork();
    if (tool == -1)
        return fail("fork: %m");
    if (tool == 0) {
        sigprocmask(SIG_SETMASK, &callers_mask, NULL);
        umask(022); /* for directories that the image takes for granted */
        /* Devices in an image are the host's devices: tar can't make them then. */
        prctl(PR_CAPBSET_DROP, CAP_MKNOD, 0, 0, 0);
        dup2(input, STDIN_FILENO);
        dup2(complaints[1], STDERR_FILENO);
        execvpe(argv[0], argv, environment);
        dprintf(STDERR_FILENO, "exec %s: %m\n", argv[0]);
        _exit(127);
    }
    close(complaints[1]);

    char *line = NULL, *first = NULL;
    size_t room = 0;
    FILE *said = fdopen(complaints[0], "r");
    while (said && getline(&line, &room, said) > 0)
        if (!first && !tolerable(line))
            first = strndup(line, strcspn(line, "\n"));
    free(line);
    if (said)
        fclose(said);

    int status, result = 0;
    while (waitpid(tool, &status, 0) == -1 && errno == EINTR)
        ;
    if (!WIFEXITED(status))
        result = fail("%s: killed by signal %d", argv[0], WTERMSIG(status));
    else if (WEXITSTATUS(status) && (first || WEXITSTATUS(status) != 2))
        result = fail("%s", first ? first : argv[0]);
    free(first);
    return result;
}

/* Unpacks ARCHIVE into the directory ROOT. */
static int unpack(int archive, char *root)
{
    /* GNU tar is safe with an archive it can't trust as long as it isn't told
     * otherwise: it strips / and .. from names, and makes links that point up or out
     * last of all, so that nothing is written through them. Hence no -P, and no
     * --keep-directory-symlink. From stdin, because -f takes host:file for a host. */
    char *tar[] = { "tar", "--extract", "--file=-", "--directory", root,
                    "--same-permissions", "--no-same-owner", "--numeric-owner", NULL };
    return run_tool(tar, archive);
}

static int remove_tree(char *place)
{
    char *rm[] = { "rm", "-rf", "--one-file-system", "--", place, NULL };
    return run_tool(rm, STDIN_FILENO);
}

/* ---- inside ----------------------------------------------------------------------- */

/* A mount point: made if it isn't there, refused if the image has a link there. */
static int mount_point(const char *path, mode_t mode)
{
    struct stat status;
    if (mkdir(path, mode) == 0)
        return chmod(path, mode);
    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    errno = ENOTDIR;
    return -1;
}

/* A device in the new /dev: made, or where we may not, the old root's one, bound. */
static int device(const char *old_root, const char *name, int major, int minor)
{
    char path[64], source[PATH_MAX];
    snprintf(path, sizeof path, "/dev/%s", name);
    if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) == 0)
        return chmod(path, 0666); /* the umask had its share of mknod's mode */
    if (errno != EPERM)
        return -1;
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file == -1)
        return -1;
    close(file);
    snprintf(source, sizeof source, "%s/dev/%s", old_root, name);
    return mount(source, path, NULL, MS_BIND, NULL);
}

static int make_dev(const char *old_root)
{
    static const struct { const char *name; int major, minor; } devices[] = {
        { "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
        { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
    };
    static const char *const links[][2] = {
        { "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
        { "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
        { "pts/ptmx", "/dev/ptmx" },
    };
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755"))
        return fail("mount tmpfs on /dev: %m");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (device(old_root, devices[i].name, devices[i].major, devices[i].minor))
            return fail("make /dev/%s: %m", devices[i].name);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i][0], links[i][1]))
            return fail("symlink %s %s: %m", links[i][0], links[i][1]);
    if (mount_point("/dev/pts", 0755) ||
        mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=0620"))
        return fail("mount devpts on /dev/pts: %m");
    if (mount_point("/dev/shm", 01777) ||
        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
        return fail("mount tmpfs on /dev/shm: %m");
    return 0;
}

/* Makes ROOT the root of this mount namespace, with nothing of the old one left. */
static int enter(const char *root)
{
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char put_old[] = "/put_old.XXXXXX";

    /* As a slave we still hear of the caller's mounts, but it doesn't of ours. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
        return fail("mount MS_SLAVE on /: %m");
    /* pivot_root wants a mount point. */
    if (mount(root, root, NULL, MS_BIND, NULL) || chdir(root))
        return fail("bind %s onto itself: %m", root);
    /* A name that the image can't know: its links must not lead in here. */
    if (!mkdtemp(put_old + 1))
        return fail("mkdtemp %s/put_old: %m", root);
    if (syscall(SYS_pivot_root, ".", put_old + 1) || chdir("/"))
        return fail("pivot_root %s %s: %m", root, put_old);

    /* From here on paths are the image's own, and so are its links. The old root must
     * still be there: in a user namespace the kernel lets us mount proc and sysfs only
     * as long as we see others, uncovered. */
    if (mount_point("/proc", 0555) || mount("proc", "/proc", "proc", safe, NULL))
        return fail("mount proc on /proc: %m");
    if (mount_point("/sys", 0555) || mount("sysfs", "/sys", "sysfs", safe, NULL))
        return fail("mount sysfs on /sys: %m");
    if (mount_point("/dev", 0755))
        return fail("mkdir /dev: %m");
    if (make_dev(put_old))
        return FAILED;

    if (umount2(put_old, MNT_DETACH) || rmdir(put_old))
        return fail("umount2 %s MNT_DETACH: %m", put_old);
    return 0;
}

/* The container's network has nothing but lo, which is down, and gets its addresses
 * when it goes up (man 7 netdevice). */
static int loopback_up(void)
{
    struct ifreq lo = { .ifr_name = "lo" };
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (any == -1 || ioctl(any, SIOCGIFFLAGS, &lo))
        return fail("ioctl SIOCGIFFLAGS lo: %m");
    lo.ifr_flags |= IFF_UP;
    if (ioctl(any, SIOCSIFFLAGS, &lo))
        return fail("ioctl SIOCSIFFLAGS lo: %m");
    return close(any);
}

struct plan {
    char *root;
    const char *name;
    char **command;
    int go[2]; /* a pipe: the parent writes a byte when the child may go on */
};

/* The container's process, PID 1 in there: what it returns is its exit status. */
static int container(void *argument)
{
    struct plan *plan = argument;
    char go;
    /* Who kills the runtime means all of it. If that has happened already, the other
     * end of the pipe is gone. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(plan->go[1]);
    if (read(plan->go[0], &go, 1) != 1)
        return FAILED;
    if (sethostname(plan->name, strlen(plan->name)))
        return fail("sethostname %s: %m", plan->name);
    if (loopback_up() || enter(plan->root))
        return FAILED;
    syscall(SYS_close_range, 3, ~0U, 0);
    sigprocmask(SIG_SETMASK, &callers_mask, NULL);
    execvp(plan->command[0], plan->command);
    int missing = errno == ENOENT || errno == ENOTDIR;
    fail("exec %s: %m", plan->command[0]);
    return missing ? 127 : 126;
}

/* ---- control groups ---------------------------------------------------------------- */

#define GROUPS "/sys/fs/cgroup"
#define PREFIX "c-"

/* In bytes and numbers; 0 where there is no limit. */
struct limits {
    long long memory, swap, pids;
    int any_swap;
};

/* One directory on version 2, one for each controller on version 1. */
struct group {
    char directory[2][PATH_MAX];
    int count;
};

static int put(const char *directory, const char *file, const char *format,
               long long value)
{
    char path[PATH_MAX + 64], text[64];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    int length = snprintf(text, sizeof text, format, value);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, text, length) != length) {
        fail("write %s to %s: %m", text, path);
        if (fd != -1)
            close(fd);
        return FAILED;
    }
    return close(fd);
}

/* Removes the groups of containers whose runtime was killed: those with nobody in
 * them. rmdir refuses the others. */
static void sweep(const char *tree)
{
    DIR *groups = opendir(tree);
    for (struct dirent *entry; groups && (entry = readdir(groups));)
        if (!strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
            unlinkat(dirfd(groups), entry->d_name, AT_REMOVEDIR);
    if (groups)
        closedir(groups);
}

/* The group of this name in the tree that has CONTROLLER; NULL after a line if it
 * can't be made. *LOCK is held when it returns: others must not sweep it away while it
 * is empty. */
static char *join_tree(struct group *group, const char *controller, const char *name,
                       int *lock)
{
    char tree[64] = GROUPS, v1[64], *directory = group->directory[group->count];
    snprintf(v1, sizeof v1, GROUPS "/%s", controller);
    if (access(v1, F_OK) == 0) {
        strcpy(tree, v1);
    } else {
        char enable[32];
        snprintf(enable, sizeof enable, "+%s", controller);
        if (put(tree, "cgroup.subtree_control", enable, 0))
            return NULL;
        if (group->count)
            return group->directory[0];
    }
    if (*lock == -1) {
        *lock = open(GROUPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        flock(*lock, LOCK_EX);
    }
    sweep(tree);
    snprintf(directory, PATH_MAX, "%s/" PREFIX "%s", tree, name);
    if (mkdir(directory, 0755)) {
        fail("mkdir %s: %m", directory);
        return NULL;
    }
    group->count++;
    return directory;
}

static int has(const char *directory, const char *file)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    return access(path, F_OK) == 0;
}

static int limit_memory(const char *directory, const struct limits *limits)
{
    int v2 = has(directory, "memory.max");
    const char *swap = v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    long long total = limits->swap ? limits->swap : 2 * limits->memory;
    if (put(directory, v2 ? "memory.max" : "memory.limit_in_bytes", "%lld",
            limits->memory))
        return FAILED;
    if (!has(directory, swap))
        return 0; /* the kernel doesn't count it */
    if (limits->any_swap)
        return put(directory, swap, v2 ? "max" : "-1", 0);
    return put(directory, swap, "%lld", v2 ? total - limits->memory : total);
}

/* Makes the group and puts CHILD in it. */
static int confine(pid_t child, const char *name, const struct limits *limits,
                   struct group *group)
{
    int lock = -1, result = FAILED;
    char *directory;
    if (limits->memory) {
        directory = join_tree(group, "memory", name, &lock);
        if (!directory || limit_memory(directory, limits))
            goto out;
    }
    if (limits->pids) {
        directory = join_tree(group, "pids", name, &lock);
        if (!directory || put(directory, "pids.max", "%lld", limits->pids))
            goto out;
    }
    result = 0;
    for (int i = 0; i < group->count && !result; i++)
        result = put(group->directory[i], "cgroup.procs", "%lld", child);
out:
    if (lock != -1)
        close(lock);
    return result;
}

/* The kernel takes a moment to let go of the last process. */
static int remove_group(const struct group *group)
{
    int result = 0;
    for (int i = 0; i < group->count; i++) {
        int busy = 1;
        for (int tries = 0; tries < 500 && busy; tries++) {
            busy = rmdir(group->directory[i]) && errno == EBUSY;
            if (busy)
                usleep(2000);
        }
        if (busy)
            result = fail("rmdir %s: %m", group->directory[i]);
    }
    return result;
}

/* ---- outside ---------------------------------------------------------------------- */

/* Waits for CHILD and passes on what we are sent: who stops the runtime means the
 * command, and we still have a directory to remove. */
static int wait_for(pid_t child, const sigset_t *ours)
{
    for (;;) {
        int status, signal = sigwaitinfo(ours, NULL);
        if (signal > 0 && signal != SIGCHLD)
            kill(child, signal);
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                       : WEXITSTATUS(status);
    }
}

static int start(struct plan *plan, const char *identifier,
                 const struct limits *limits, const sigset_t *ours)
{
    static char stack[256 * 1024] __attribute__((aligned(16)));
    const int namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                           CLONE_NEWNET;
    struct group group = { 0 };
    if (pipe2(plan->go, O_CLOEXEC))
        return fail("pipe2: %m");
    pid_t child = clone(container, stack + sizeof stack, namespaces | SIGCHLD, plan);
    if (child == -1)
        return fail("clone: %m");
    close(plan->go[0]);
    int failed = confine(child, identifier, limits, &group);
    if (!failed && write(plan->go[1], "!", 1) != 1)
        failed = fail("write to the container's process: %m");
    close(plan->go[1]); /* if nothing was written, the child ends */
    int status = wait_for(child, ours);
    if (remove_group(&group))
        failed = FAILED;
    return failed ? failed : status;
}

/* Makes DIR/XXXXXX for this container alone; the root file system will be below it,
 * out of reach of others as long as setuid programs lie in it. */
static int make_place(const char *dir, char *place, char *root)
{
    char absolute[PATH_MAX];
    if (mkdir(dir, 0755) == -1 && errno != EEXIST)
        return fail("mkdir %s: %m", dir);
    if (!realpath(dir, absolute))
        return fail("realpath %s: %m", dir);
    sprintf(place, "%s/XXXXXX", absolute);
    if (!mkdtemp(place))
        return fail("mkdtemp %s: %m", place);
    sprintf(root, "%s/rootfs", place);
    if (mkdir(root, 0755) || chmod(root, 0755)) {
        fail("mkdir %s: %m", root);
        rmdir(place);
        return FAILED;
    }
    return 0;
}

struct options {
    const char *image, *image_dir, *container_dir, *hostname;
    struct limits limits;
};

/* Bytes, with k, m or g behind them; -1 after a line if that makes no sense. */
static long long size(const char *option, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    int shift = 0;
    switch (*end) {
    case 'k': shift = 10; end++; break;
    case 'm': shift = 20; end++; break;
    case 'g': shift = 30; end++; break;
    }
    if (end == text || *end || errno || value <= 0 || value > LLONG_MAX >> shift) {
        fail("%s %s: makes no sense", option, text);
        return -1;
    }
    return value << shift;
}

static int read_limit(int option, struct limits *limits)
{
    switch (option) {
    case 'M':
        limits->memory = size("--memory", optarg);
        return limits->memory < 0;
    case 'S':
        limits->any_swap = !strcmp(optarg, "-1");
        limits->swap = limits->any_swap ? LLONG_MAX : size("--memory-swap", optarg);
        return limits->swap < 0;
    default:
        limits->pids = size("--pids-limit", optarg);
        return limits->pids < 0;
    }
}

/* 0, or FAILED after a line. */
static int check_limits(const struct limits *limits)
{
    long long machine = sysconf(_SC_PHYS_PAGES) * (long long)sysconf(_SC_PAGESIZE);
    if (limits->memory && (limits->memory < 6 << 20 || limits->memory > machine))
        return fail("--memory: not between 6m and what the machine has");
    if (limits->swap && (!limits->memory || limits->swap < limits->memory))
        return fail("--memory-swap: less than --memory");
    return 0;
}

/* Reads the options; returns the command, or NULL after a line. */
static char **parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "image", required_argument, NULL, 'i' },
        { "image-dir", required_argument, NULL, 'I' },
        { "container-dir", required_argument, NULL, 'C' },
        { "hostname", required_argument, NULL, 'H' },
        { "memory", required_argument, NULL, 'M' },
        { "memory-swap", required_argument, NULL, 'S' },
        { "pids-limit", required_argument, NULL, 'P' },
        { 0 },
    };
    if (argc < 2 || strcmp(argv[1], "run"))
        goto usage;
    opterr = 0;
    optind = 2;
    for (int option; (option = getopt_long(argc, argv, "+i:", known, NULL)) != -1;) {
        switch (option) {
        case 'i': options->image = optarg; break;
        case 'I': options->image_dir = optarg; break;
        case 'C': options->container_dir = optarg; break;
        case 'H': options->hostname = optarg; break;
        case 'M':
        case 'S':
        case 'P':
            if (read_limit(option, &options->limits))
                return NULL;
            break;
        default: goto usage;
        }
    }
    if (check_limits(&options->limits))
        return NULL;
    size_t length = options->hostname ? strlen(options->hostname) : 1;
    if (length < 1 || length > HOST_NAME_MAX) {
        fail("--hostname: %zu bytes, it takes 1 to %d", length, HOST_NAME_MAX);
        return NULL;
    }
    if (optind < argc && !strcmp(argv[optind - 1], "--"))
        return argv + optind;
usage:
    fail("usage: container run [OPTIONS] -- CMD [ARG...]");
    return NULL;
}

/* Opens the image and makes sure that it is whole; -1 after a line if not. */
static int open_image(const struct options *options)
{
    char path[PATH_MAX];
    if (!*options->image || strchr(options->image, '/')) {
        fail("%s: not the name of an image", options->image);
        return -1;
    }
    if (snprintf(path, sizeof path, "%s/%s.tar", options->image_dir, options->image) >=
        (int)sizeof path) {
        fail("%s: %s", options->image, strerror(ENAMETOOLONG));
        return -1;
    }
    int archive = open(path, O_RDONLY | O_CLOEXEC);
    if (archive == -1) {
        fail("open %s: %m", path);
        return -1;
    }
    const char *wrong = flaw(archive);
    if (wrong) {
        fail("%s: %s", path, wrong);
        close(archive);
        return -1;
    }
    return archive;
}

int main(int argc, char **argv)
{
    struct options options = {
        .image = "base",
        .image_dir = "/workshop/images",
        .container_dir = "/workshop/containers",
    };
    char place[PATH_MAX + 16], root[PATH_MAX + 32];
    sigset_t ours;

    char **command = parse(argc, argv, &options);
    if (!command)
        return FAILED;
    /* What we open must not land on a stdin, stdout or stderr that is closed. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1)
            open("/dev/null", O_RDWR);
    int archive = open_image(&options);
    if (archive == -1)
        return FAILED;

    /* From here on there is something to remove: signals wait until we take them. */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGQUIT);
    sigprocmask(SIG_BLOCK, &ours, &callers_mask);

    if (make_place(options.container_dir, place, root))
        return FAILED;
    const char *identifier = strrchr(place, '/') + 1;
    struct plan plan = {
        root, options.hostname ? options.hostname : identifier, command, { -1, -1 }
    };
    int status = unpack(archive, root);
    if (status == 0)
        status = start(&plan, identifier, &options.limits, &ours);
    if (remove_tree(place))
        status = FAILED;
    return status;
}
