/* Records what a process does to the files below $RECORD_ROOT, in its order: loaded before the C library (LD_PRELOAD).
 *
 * A record is one line to the file $RECORD_LOG, followed by the data where there is some:
 *     open INODE PATH | write INODE MTIME_NS OFFSET LENGTH LF DATA | cut INODE MTIME_NS SIZE | time INODE MTIME_NS
 *     sync INODE | syncfs
 *     rename FROM LF TO | exchange ONE LF OTHER | link INODE PATH | unlink PATH | mkdir INODE PATH | rmdir PATH
 * Each new inode gets a second name in $RECORD_KEEP, so that its number is never given to another file. What the kernel copies from file
 * to file is told as a write; that files share their blocks (FICLONE) is refused, so that whoever wants it copies. Symbolic links are not told.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *root, *keep;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void real_write(const void *data, size_t length) {
    while (length) {
        ssize_t count = REAL(write)(log_fd, data, length);
        if (count <= 0) abort();
        data = (const char *)data + count;
        length -= count;
    }
}

static void begin(void) {
    pthread_mutex_lock(&lock);
    if (log_fd < 0 && getenv("RECORD_LOG")) {
        root = getenv("RECORD_ROOT");
        keep = getenv("RECORD_KEEP");
        log_fd = REAL(open)(getenv("RECORD_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static void end(void) {
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
}

static void say(const char *format, ...) {
    char line[2 * PATH_MAX + 100];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    real_write(line, length);
}

static int within(const char *path) { return log_fd >= 0 && root && !strncmp(path, root, strlen(root)); }

/* The absolute path of a name, which may be relative to an open folder. */
static const char *place(int folder, const char *name, char *out) {
    char link[64];
    if (*name == '/') return name;
    if (folder == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length < 0) return "";
    snprintf(out + length, PATH_MAX - length, "/%s", name);
    return out;
}

/* Whether a descriptor is of a file below the root; its status if so. */
static int known(int fd, struct stat *status) {
    char link[64], path[PATH_MAX];
    if (log_fd < 0 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return within(path) && !fstat(fd, status) && (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode));
}

static long long mtime(const struct stat *status) { return status->st_mtim.tv_sec * 1000000000LL + status->st_mtim.tv_nsec; }

static void made(int fd, const char *path, int existed) {
    struct stat status;
    char second[PATH_MAX];
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) return;
    if (!existed) {
        snprintf(second, sizeof second, "%s/%lu", keep, (unsigned long)status.st_ino);
        if (REAL(linkat)(AT_FDCWD, path, AT_FDCWD, second, 0) && errno != EEXIST) abort();
        say("open %lu %s\n", (unsigned long)status.st_ino, path);
    }
}

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    struct stat status;
    if (!(flags & (O_CREAT | O_TRUNC))) return REAL(openat)(folder, name, flags, mode);
    begin();
    const char *path = place(folder, name, buffer);
    int watched = within(path), existed = watched && !stat(path, &status);
    int fd = REAL(openat)(folder, name, flags, mode);
    if (fd >= 0 && watched) {
        made(fd, path, existed);
        if (existed && flags & O_TRUNC && !fstat(fd, &status))
            say("cut %lu %lld 0\n", (unsigned long)status.st_ino, mtime(&status));
    }
    end();
    return fd;
}

#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list a; va_start(a, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, mode_t) : 0; va_end(a); \
    return opened(AT_FDCWD, path, flags, mode); }
OPEN(open) OPEN(open64)

int openat64(int folder, const char *path, int flags, ...) {
    va_list a; va_start(a, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, mode_t) : 0; va_end(a);
    return opened(folder, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    va_list a; va_start(a, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, mode_t) : 0; va_end(a);
    return opened(folder, path, flags, mode);
}

static ssize_t wrote(int fd, const void *data, ssize_t count, off_t offset) {
    struct stat status;
    if (count > 0 && known(fd, &status)) {
        say("write %lu %lld %lld %zd\n", (unsigned long)status.st_ino, mtime(&status), (long long)offset, count);
        real_write(data, count);
    }
    return count;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    begin();
    ssize_t count = wrote(fd, data, REAL(pwrite)(fd, data, length, offset), offset);
    end();
    return count;
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return pwrite(fd, data, length, offset); }

/* Each of the pieces is a record of its own: a cut may be between any of them. */
ssize_t pwritev2(int fd, const struct iovec *pieces, int number, off_t offset, int flags) {
    begin();
    ssize_t count = REAL(pwritev2)(fd, pieces, number, offset, flags), left = count;
    for (int i = 0; i < number && left > 0; i++) {
        ssize_t part = left < (ssize_t)pieces[i].iov_len ? left : (ssize_t)pieces[i].iov_len;
        wrote(fd, pieces[i].iov_base, part, offset);
        offset += part, left -= part;
    }
    end();
    return count;
}
ssize_t pwritev64v2(int fd, const struct iovec *pieces, int number, off_t offset, int flags) {
    return pwritev2(fd, pieces, number, offset, flags);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int number, off_t offset) { return pwritev2(fd, pieces, number, offset, 0); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int number, off_t offset) { return pwritev2(fd, pieces, number, offset, 0); }

ssize_t write(int fd, const void *data, size_t length) {
    begin();
    ssize_t count = REAL(write)(fd, data, length);
    /* The position is after what was written, at the end where the file is appended to. */
    if (count > 0) wrote(fd, data, count, lseek(fd, 0, SEEK_CUR) - count);
    end();
    return count;
}

/* What was copied is read again from where it came from. */
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned int flags) {
    begin();
    ssize_t count = REAL(copy_file_range)(from, from_at, to, to_at, length, flags);
    if (count > 0) {
        off_t source = (from_at ? *from_at : lseek(from, 0, SEEK_CUR)) - count, target = (to_at ? *to_at : lseek(to, 0, SEEK_CUR)) - count;
        char *data = malloc(count);
        for (ssize_t had = 0, some; had < count; had += some)
            if ((some = pread(from, data + had, count - had, source + had)) <= 0) abort();
        wrote(to, data, count, target);
        free(data);
    }
    end();
    return count;
}

#ifdef __GLIBC__
typedef unsigned long request_t;
#else
typedef int request_t;
#endif
int ioctl(int fd, request_t request, ...) {
    va_list a;
    va_start(a, request);
    void *argument = va_arg(a, void *);
    va_end(a);
    if (request == FICLONE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return REAL(ioctl)(fd, request, argument);
}

static int cut(int fd, int result) {
    struct stat status;
    if (!result && known(fd, &status)) say("cut %lu %lld %lld\n", (unsigned long)status.st_ino, mtime(&status), (long long)status.st_size);
    return result;
}
int ftruncate(int fd, off_t size) { begin(); int result = cut(fd, REAL(ftruncate)(fd, size)); end(); return result; }
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char *path, off_t size) {
    int fd = open(path, O_RDWR);
    if (fd < 0) return fd;
    int result = ftruncate(fd, size);
    close(fd);
    return result;
}
int truncate64(const char *path, off_t size) { return truncate(path, size); }

int futimens(int fd, const struct timespec times[2]) {
    struct stat status;
    begin();
    int result = REAL(futimens)(fd, times);
    if (!result && known(fd, &status)) say("time %lu %lld\n", (unsigned long)status.st_ino, mtime(&status));
    end();
    return result;
}
int utimensat(int folder, const char *name, const struct timespec times[2], int flags) {
    char buffer[PATH_MAX];
    struct stat status;
    begin();
    int result = REAL(utimensat)(folder, name, times, flags);
    const char *path = name ? place(folder, name, buffer) : "";
    if (!result && within(path) && !stat(path, &status)) say("time %lu %lld\n", (unsigned long)status.st_ino, mtime(&status));
    end();
    return result;
}

static int synced(int fd, int result) {
    struct stat status;
    if (!result && known(fd, &status)) say("sync %lu\n", (unsigned long)status.st_ino);
    return result;
}
int fsync(int fd) { begin(); int result = synced(fd, REAL(fsync)(fd)); end(); return result; }
int fdatasync(int fd) { begin(); int result = synced(fd, REAL(fdatasync)(fd)); end(); return result; }
int syncfs(int fd) {
    struct stat status;
    begin();
    int result = REAL(syncfs)(fd);
    if (!result && known(fd, &status)) say("syncfs\n");
    end();
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    begin();
    int result = REAL(renameat)(from_folder, from, to_folder, to);
    const char *source = place(from_folder, from, a), *target = place(to_folder, to, b);
    if (!result && within(source)) say("rename %s\n%s\n", source, target);
    end();
    return result;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

/* RENAME_NOREPLACE is told as a rename, RENAME_EXCHANGE as what it is. */
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags) {
    char a[PATH_MAX], b[PATH_MAX];
    begin();
    int result = syscall(SYS_renameat2, from_folder, from, to_folder, to, flags); /* musl has no name for it up to 1.2.5 */
    const char *source = place(from_folder, from, a), *target = place(to_folder, to, b);
    if (!result && within(source)) say("%s %s\n%s\n", flags & RENAME_EXCHANGE ? "exchange" : "rename", source, target);
    end();
    return result;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char buffer[PATH_MAX];
    struct stat status;
    begin();
    int result = REAL(linkat)(from_folder, from, to_folder, to, flags);
    const char *path = place(to_folder, to, buffer);
    if (!result && within(path) && !lstat(path, &status)) say("link %lu %s\n", (unsigned long)status.st_ino, path);
    end();
    return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
    char buffer[PATH_MAX];
    begin();
    const char *path = place(folder, name, buffer);
    int result = REAL(unlinkat)(folder, name, flags);
    if (!result && within(path)) say("%s %s\n", flags & AT_REMOVEDIR ? "rmdir" : "unlink", path);
    end();
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) {
    char buffer[PATH_MAX];
    struct stat status;
    begin();
    int result = REAL(mkdirat)(folder, name, mode);
    const char *path = place(folder, name, buffer);
    if (!result && within(path) && !stat(path, &status)) say("mkdir %lu %s\n", (unsigned long)status.st_ino, path);
    end();
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
