/*
 * Addresses that children shall not reach: loopback but for the API, link-local (where clouds
 * answer with credentials) and private ranges. One table of ours for the packet filter, by user id,
 * where we are root, children have ids of their own and nft is installed. Whether it works is tried
 * like everything else; what stays open is said in the report.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum { SCRIPT_BYTES = 16 * 1024, RESOLVERS_MAX = 8, RESOLVER_FILE = 64 * 1024 };
enum { LISTING_BYTES = 256 * 1024 }; /* of all tables of the host, or of a chain of ours */

static const char *const programs[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
                                        "/usr/local/sbin/nft" };

static const char private_v4[] =
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, "
    "192.168.0.0/16";
static const char private_v6[] = "::1, ::ffff:0:0/96, fc00::/7, fe80::/10";

static const char *find_program(void)
{
    for (size_t i = 0; i < COUNT(programs); i++) {
        if (access(programs[i], X_OK) == 0) {
            return programs[i];
        }
    }
    return NULL;
}

static void execute(const char *program, int input, int output)
{
    char *argv[] = { (char *)(uintptr_t) "nft", (char *)(uintptr_t) "-f", (char *)(uintptr_t) "-",
                     NULL };
    char *envp[] = { (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
    int null = open("/dev/null", O_WRONLY);
    dup2(input, 0);
    dup2(output, 1);
    dup2(null, 2);
    execve(program, argv, envp);
    _exit(127);
}

/* ret_listing: what it prints, for the caller to free; NULL: that is not asked for. */
static int run_program(const char *program, const struct buffer *script, char **ret_listing)
{
    auto_free char *listing = xmalloc(LISTING_BYTES + 1);
    auto_fd int read_end = -1;
    auto_fd int write_end = -1;
    auto_fd int output_read = -1;
    auto_fd int output_write = -1;
    struct error ignored;
    if (fd_pipe(&read_end, &write_end, &ignored) != 0 ||
        fd_pipe(&output_read, &output_write, &ignored) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        execute(program, read_end, output_write);
    }
    fd_close(&read_end);
    fd_close(&output_write);
    int status = 1;
    if (pid > 0) {
        fd_write_all(write_end, script->data, script->size); /* fits into the pipe */
        fd_close(&write_end);
        ssize_t got = fd_read_all(output_read, listing, LISTING_BYTES);
        listing[got > 0 ? got : 0] = '\0';
        fd_close(&output_read); /* who has more to say ends */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return -1;
    }
    if (ret_listing != NULL) {
        *ret_listing = steal(listing);
    }
    return 0;
}

/* Names must resolve, and a resolver often is on loopback or in the private network. */
static void allow_resolvers(struct buffer *script)
{
    struct error ignored;
    auto_free char *text = NULL;
    if (fd_read_file(AT_FDCWD, "/etc/resolv.conf", RESOLVER_FILE, &text, NULL, &ignored) != 0) {
        return;
    }
    int count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < RESOLVERS_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        char address[64];
        unsigned char parsed[sizeof(struct in6_addr)];
        if (sscanf(line, "nameserver %63s", address) != 1) {
            continue;
        }
        bool v4 = inet_pton(AF_INET, address, parsed) == 1;
        if (v4 || inet_pton(AF_INET6, address, parsed) == 1) {
            buffer_addf(script, "%s daddr %s meta l4proto { tcp, udp } th dport 53 accept\n",
                        v4 ? "ip" : "ip6", address);
            count++;
        }
    }
}

/* The first line makes sure that there is something to delete. */
static void write_removal(const struct sandbox_host *host, struct buffer *script)
{
    buffer_addf(script, "table inet functiond_%u\ndelete table inet functiond_%u\n",
                host->uid_first, host->uid_first);
}

static void write_table(const struct sandbox_host *host, struct buffer *script)
{
    const struct sandbox_private *inner = host->inner;
    buffer_addf(script, "table inet functiond_%u {\n", host->uid_first);
    /* a reset: an answer by ICMP can meet the socket locked and then is forgotten for a second */
    buffer_add_text(script, "chain shut {\nmeta l4proto tcp reject with tcp reset\n"
                            "reject with icmpx type admin-prohibited\n}\nchain children {\n");
    if (inner->api_port != 0) {
        buffer_addf(script, "oifname \"lo\" tcp dport %u accept\n", inner->api_port);
    }
    allow_resolvers(script);
    buffer_addf(script, "oifname \"lo\" jump shut\n");
    buffer_addf(script, "ip daddr { %s } jump shut\n", private_v4);
    buffer_addf(script, "ip6 daddr { %s } jump shut\n", private_v6);
    buffer_add_text(script,
                    "}\nchain output {\ntype filter hook output priority 0; policy accept;\n");
    /* asked this way round, since what the kernel itself answers with has no user */
    buffer_addf(script, "meta skuid %u-%u jump children\n}\n}\n", host->uid_first,
                host->uid_first + host->uid_count - 1);
}

static int connect_loopback(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct sockaddr_in *address = context;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
        strncpy(ret_detail, "loopback is open all the same", detail_bytes - 1);
        errno = 0;
        return -1;
    }
    return 0;
}

/* A listener of ours on loopback that a child must not reach. */
static int try_loopback(struct sandbox_host *host, struct error *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(address);
    auto_fd int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, bytes) != 0 ||
        listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &bytes) != 0) {
        return fail_errno(err, "a listener to try it with");
    }
    return probe_trial(host, NETWORK_OUTBOUND, connect_loopback, &address, err);
}

static int set_table(struct sandbox_host *host, const char *program, struct error *err)
{
    auto_buffer struct buffer script = { 0 };
    buffer_init(&script, SCRIPT_BYTES);
    write_removal(host, &script);
    write_table(host, &script);
    if (run_program(program, &script, NULL) != 0) {
        return fail(err, ERROR_INTERNAL, "nft refused the table (is CAP_NET_ADMIN missing?)");
    }
    host->inner->egress_table = true;
    return try_loopback(host, err);
}

static void remove_table(struct sandbox_host *host, const char *program)
{
    auto_buffer struct buffer script = { 0 };
    buffer_init(&script, SCRIPT_BYTES);
    write_removal(host, &script);
    run_program(program, &script, NULL);
    host->inner->egress_table = false;
}

/* The user id behind the word that the text begins with, and what comes behind it. */
static bool uid_behind(const char *text, const char *word, uint32_t *ret_uid, const char **ret_end)
{
    size_t length = strlen(word);
    char *end;
    if (strncmp(text, word, length) != 0 || text[length] < '0' || text[length] > '9') {
        return false;
    }
    unsigned long value = strtoul(text + length, &end, 10);
    *ret_uid = (uint32_t)value;
    *ret_end = end;
    return value <= UINT32_MAX;
}

/* Of the table that is named by the first one; that one where it does not say. */
static uint32_t last_uid_of(const char *program, uint32_t first)
{
    auto_buffer struct buffer script = { 0 };
    auto_free char *listing = NULL;
    uint32_t last;
    buffer_init(&script, SCRIPT_BYTES);
    buffer_addf(&script, "list chain inet functiond_%u output\n", first);
    if (run_program(program, &script, &listing) != 0) {
        return first;
    }
    const char *rule = strstr(listing, "skuid ");
    bool is_known = rule != NULL && uid_behind(rule, "skuid ", &last, &rule) &&
                    uid_behind(rule, "-", &last, &rule);
    return is_known ? last : first;
}

static void remove_leftover(const struct sandbox_host *host, const char *program, uint32_t first)
{
    auto_buffer struct buffer script = { 0 };
    auto_fd int lock = -1;
    if (first >= host->uid_first + host->uid_count ||
        last_uid_of(program, first) < host->uid_first || !identity_hold(host, first, &lock)) {
        return;
    }
    buffer_init(&script, SCRIPT_BYTES);
    buffer_addf(&script, "delete table inet functiond_%u\n", first);
    run_program(program, &script, NULL);
}

/* A daemon that was killed leaves its table, which shuts whoever has one of its ids next; maybe the
 * block of ids was another one. A living daemon holds the lock of its block. */
static void remove_leftovers(const struct sandbox_host *host, const char *program)
{
    auto_buffer struct buffer script = { 0 };
    auto_free char *listing = NULL;
    char *rest = NULL;
    buffer_init(&script, SCRIPT_BYTES);
    buffer_add_text(&script, "list tables inet\n");
    if (run_program(program, &script, &listing) != 0) {
        return;
    }
    for (const char *line = strtok_r(listing, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        uint32_t first;
        const char *end;
        if (uid_behind(line, "table inet functiond_", &first, &end)) {
            remove_leftover(host, program, first);
        }
    }
}

void egress_open(struct sandbox_host *host)
{
    static const char open_word[] = "loopback, private and metadata addresses are open";
    const char *program = find_program();
    struct error err;
    if (host->is_root && host->inner->use_slots && program != NULL) {
        remove_leftovers(host, program);
    }
    if (host->inner->egress_private) {
        report_layer(host, "egress filter", false, "setting egress_private");
    } else if (!host->is_root || !host->inner->use_slots) {
        report_layer(host, "egress filter", false, "%s: it needs root and uid slots", open_word);
    } else if (program == NULL) {
        report_layer(host, "egress filter", false, "%s: nft is not installed", open_word);
    } else if (set_table(host, program, &err) != 0) {
        egress_close(host);
        report_layer(host, "egress filter", false, "%s: %s", open_word, err.message);
    } else {
        report_layer(host, "egress filter", true, "by user id");
    }
}

void egress_close(struct sandbox_host *host)
{
    const char *program = find_program();
    if (host->inner->egress_table && program != NULL) {
        remove_table(host, program);
    }
}
