/* Giving up privilege. */
#include "privilege.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int privilege_take_identity(uid_t user, gid_t group)
{
    if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
        setresuid(user, user, user) < 0)
        return -1;
    return 0;
}

int privilege_drop(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    /* The bounding set needs a right that most starts do not have; no_new_privs makes it moot. */
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void privilege_hide(bool hide)
{
#ifdef __SANITIZE_ADDRESS__
    (void)hide; /* the leak checker traces its own process */
#else
    prctl(PR_SET_DUMPABLE, hide ? 0 : 1, 0, 0, 0);
#endif
}
