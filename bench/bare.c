/* The barest copy: GET, recv, pwrite. bare PORT CONNECTIONS < parts; a part is a line "path output offset length".
   Each connection is a process of its own, kept alive, and takes every CONNECTIONS-th part. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER (1 << 17)

struct part { char path[512], output[1024]; long offset, length; };

static char buffer[BUFFER];

static void fail(const char *what) { perror(what); exit(1); }

static int reach(int port) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int s = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (s < 0 || connect(s, (struct sockaddr *)&where, sizeof where)) fail("connect");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return s;
}

/* Receives the answer's head into the buffer. Returns where the body starts; *filled is how much was received. */
static size_t head(int s, size_t *filled) {
    for (*filled = 0;;) {
        ssize_t n = recv(s, buffer + *filled, BUFFER - *filled, 0);
        if (n <= 0) fail("recv of a head");
        *filled += n;
        char *end = memmem(buffer, *filled, "\r\n\r\n", 4);
        if (!end) continue;
        if (memcmp(buffer, "HTTP/1.1 206", 12)) { fprintf(stderr, "%.60s\n", buffer); exit(1); }
        return end + 4 - buffer;
    }
}

static void put(int file, const char *bytes, size_t count, long at) {
    while (count) {
        ssize_t n = pwrite(file, bytes, count, at);
        if (n < 0) fail("pwrite");
        bytes += n; count -= n; at += n;
    }
}

static void fetch(int s, const struct part *p) {
    char request[1024];
    int n = snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: localhost\r\nRange: bytes=%ld-%ld\r\n\r\n", p->path, p->offset, p->offset + p->length - 1);
    if (send(s, request, n, 0) != n) fail("send");
    int file = open(p->output, O_WRONLY | O_CREAT, 0644);
    if (file < 0) fail(p->output);
    size_t filled, body = head(s, &filled);
    put(file, buffer + body, filled - body, p->offset);
    for (long done = filled - body; done < p->length;) {
        ssize_t got = recv(s, buffer, BUFFER, 0);
        if (got <= 0) fail("recv");
        put(file, buffer, got, p->offset + done);
        done += got;
    }
    close(file);
}

int main(int count, char **words) {
    if (count != 3) { fprintf(stderr, "bare PORT CONNECTIONS < parts\n"); return 2; }
    int port = atoi(words[1]), connections = atoi(words[2]), failed = 0;
    size_t parts = 0, room = 0;
    struct part *all = NULL, p;
    while (scanf("%511s %1023s %ld %ld", p.path, p.output, &p.offset, &p.length) == 4) {
        if (parts == room && !(all = realloc(all, (room = room ? room * 2 : 64) * sizeof p))) fail("realloc");
        all[parts++] = p;
    }
    for (int k = 0; k < connections; k++) {
        if (fork()) continue;
        int s = reach(port);
        for (size_t i = k; i < parts; i += connections) fetch(s, &all[i]);
        _exit(0);
    }
    for (int status; wait(&status) > 0;) failed |= status != 0;
    return failed;
}
