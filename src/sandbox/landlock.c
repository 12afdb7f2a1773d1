/*
 * Landlock: which paths, ports, signals and abstract sockets the child may use, built in the child
 * from prepared rows.
 *
 * The kernel answers E2BIG to a longer structure than it knows and EINVAL to unknown bits, so size
 * and bits follow the ABI it reported. The definitions are our own: the headers of the build
 * machine may be older than the kernel we run on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "sandbox_private.h"

enum {
    CALL_CREATE = 444,
    CALL_ADD = 445,
    CALL_RESTRICT = 446
}; /* the same on every architecture */
enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };
enum { CREATE_VERSION = 1 };

#define FS_EXECUTE    (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE  (UINT64_C(1) << 2)
#define FS_READ_DIR   (UINT64_C(1) << 3)
#define FS_MAKE_CHAR  (UINT64_C(1) << 6)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_REFER      (UINT64_C(1) << 13)
#define FS_TRUNCATE   (UINT64_C(1) << 14)
#define FS_IOCTL_DEV  (UINT64_C(1) << 15)

#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

#define SCOPE_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define SCOPE_SIGNALS          (UINT64_C(1) << 1)

struct ruleset {
    uint64_t files;
    uint64_t ports;  /* ABI 4 */
    uint64_t scopes; /* ABI 6 */
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

/* What each ABI knows about files; a later one knows at least this. */
static const struct {
    int abi;
    uint64_t files;
} knowledge[] = {
    { 1, FS_REFER - 1 },
    { 2, FS_REFER },
    { 3, FS_TRUNCATE },
    { 5, FS_IOCTL_DEV },
};

/* Devices are never made: the bits for it are handled and granted to nobody. */
static const uint64_t rights[RIGHTS_ROWS] = {
    [RIGHTS_READ] = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR,
    [RIGHTS_WRITE] = ((FS_REFER - 1) & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK)) | FS_REFER | FS_TRUNCATE,
    [RIGHTS_DEVICE] = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
    [RIGHTS_PROC] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE,
    [RIGHTS_PROGRAM] = FS_EXECUTE | FS_READ_FILE,
};

static const uint64_t file_rights = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE |
                                    FS_IOCTL_DEV;

int landlock_abi(void)
{
    long abi = syscall(CALL_CREATE, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

void landlock_add_rule(struct prepared *prepared, const char *path, enum rule_rights kind,
                       bool optional)
{
    if (prepared->rule_count == RULES_MAX) {
        return; /* the path stays forbidden; plan_prepare() refuses plans that long */
    }
    prepared->rules[prepared->rule_count++] = (struct rule_row){ .path = path,
                                                                 .rights = kind,
                                                                 .optional = optional };
}

static uint64_t known_files(int abi)
{
    uint64_t known = 0;
    for (size_t i = 0; i < COUNT(knowledge); i++) {
        if (abi >= knowledge[i].abi) {
            known |= knowledge[i].files;
        }
    }
    return known;
}

static int add_path(int ruleset, const struct prepared *prepared, const struct rule_row *row,
                    uint64_t known)
{
    int fd = row->path != NULL ? open(row->path, O_PATH | O_CLOEXEC) : prepared->program_fd;
    if (fd < 0) {
        return row->optional && (errno == ENOENT || errno == EACCES || errno == ENOTDIR) ? 0 : -1;
    }
    struct path_rule rule = { .allowed = rights[row->rights] & known, .parent_fd = fd };
    struct stat status;
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) {
        rule.allowed &= file_rights;
    }
    long added = syscall(CALL_ADD, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int saved = errno;
    if (row->path != NULL) {
        close(fd);
    }
    errno = saved;
    return added == 0 ? 0 : -1;
}

static int add_ports(int ruleset, const struct prepared *prepared)
{
    if (prepared->plan->network == NETWORK_NONE) {
        return 0;
    }
    struct port_rule rule = { .allowed = NET_BIND_TCP, .port = 0 }; /* 0: the kernel chooses */
    return (int)syscall(CALL_ADD, ruleset, RULE_NET_PORT, &rule, 0);
}

int landlock_apply(const struct prepared *prepared, const char **ret_detail)
{
    int abi = prepared->landlock_abi;
    uint64_t known = known_files(abi);
    struct ruleset set = { .files = known };
    size_t bytes = offsetof(struct ruleset, ports);
    if (abi >= 4) {
        bytes = offsetof(struct ruleset, scopes);
        switch (prepared->plan->network) {
        case NETWORK_NONE:
            set.ports = NET_BIND_TCP | NET_CONNECT_TCP;
            break;
        case NETWORK_OUTBOUND:
            set.ports = NET_BIND_TCP;
            break;
        case NETWORK_ANY:
        case SANDBOX_NETWORKS:
            break;
        }
    }
    if (abi >= 6) {
        bytes = sizeof(set);
        set.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    }
    int ruleset = (int)syscall(CALL_CREATE, &set, bytes, 0);
    if (ruleset < 0) {
        *ret_detail = "ruleset";
        return -1;
    }
    for (size_t i = 0; i < prepared->rule_count; i++) {
        if (add_path(ruleset, prepared, &prepared->rules[i], known) != 0) {
            *ret_detail = prepared->rules[i].path;
            return -1;
        }
    }
    if ((set.ports & NET_BIND_TCP) != 0 && add_ports(ruleset, prepared) != 0) {
        *ret_detail = "ports";
        return -1;
    }
    *ret_detail = "restrict";
    int result = (int)syscall(CALL_RESTRICT, ruleset, 0);
    close(ruleset);
    return result;
}
