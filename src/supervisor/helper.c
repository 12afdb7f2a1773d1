/*
 * Work on the disk that may take long, in forks of the supervisor, which is small and has one
 * thread, so that a fork is cheap and may run ordinary code. A helper ends with the supervisor.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "inner.h"
#include "mem.h"

__attribute__((noreturn)) static void helper_run(const struct supervisor *supervisor,
                                                 helper_work *work, void *context, int error_fd)
{
    struct error err = { 0 };
    sigset_t none;
    int api_socket = supervisor->api.socket;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    fd_close(&api_socket); /* else our end of it outlives the supervisor */
    if (work(context, &err) < 0) {
        fd_write_all(error_fd, err.message, strlen(err.message));
        _exit(1);
    }
    _exit(0);
}

int helper_start(struct supervisor *supervisor, helper_work *work, helper_done *done, void *context,
                 struct error *err)
{
    struct helper *helper;
    int ends[2] = { -1, -1 };
    pid_t pid;

    if (fd_pipe(&ends[0], &ends[1], err) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        helper_run(supervisor, work, context, ends[1]);
    fd_close(&ends[1]);
    if (pid < 0) {
        fd_close(&ends[0]);
        return fail_errno(err, "cannot start a process");
    }
    helper = xcalloc(1, sizeof(*helper));
    *helper = (struct helper){ .pid = pid,
                               .error_fd = ends[0],
                               .done = done,
                               .context = context,
                               .next = supervisor->helpers };
    supervisor->helpers = helper;
    return 0;
}

bool helper_reaped(struct supervisor *supervisor, pid_t pid, int status)
{
    for (struct helper **link = &supervisor->helpers; *link != NULL; link = &(*link)->next) {
        struct helper *helper = *link;
        char text[MESSAGE_TEXT] = "";
        ssize_t got;

        if (helper->pid != pid)
            continue;
        *link = helper->next;
        got = fd_read_all(helper->error_fd, text, sizeof(text) - 1);
        text[got > 0 ? got : 0] = '\0';
        if (text[0] == '\0' && status != 0)
            strcpy(text, "a helper process was ended");
        fd_close(&helper->error_fd);
        helper->done(supervisor, helper->context, text);
        free(helper);
        return true;
    }
    return false;
}

void helpers_release(struct supervisor *supervisor)
{
    while (supervisor->helpers != NULL) {
        struct helper *helper = supervisor->helpers;

        kill(helper->pid, SIGKILL);
        while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        helper_reaped(supervisor, helper->pid, SIGKILL);
    }
}
