// Seccomp filters: what the program itself does not need kills it, or fails. A recorder
// that made one call more would be noticed.
#include "situation.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define FAIL(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define KILL(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

// What workout() and the ends of a process and a thread take, and nothing else.
static struct sock_filter only_what_is_used[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ALLOW(SYS_futex),          ALLOW(SYS_clone),          ALLOW(SYS_clone3),
    ALLOW(SYS_mmap),           ALLOW(SYS_munmap),         ALLOW(SYS_mprotect),
    ALLOW(SYS_madvise),        ALLOW(SYS_brk),            ALLOW(SYS_write),
    ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_rt_sigreturn),   ALLOW(SYS_set_robust_list),
    ALLOW(SYS_rseq),           ALLOW(SYS_exit),           ALLOW(SYS_exit_group),
    ALLOW(SYS_sched_yield),    ALLOW(SYS_newfstatat),     ALLOW(SYS_fstat),
    ALLOW(SYS_wait4),          ALLOW(SYS_rt_sigaction),   ALLOW(SYS_getrandom),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static struct sock_filter no_memfd[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    FAIL(SYS_memfd_create),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter deadly_memfd[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    KILL(SYS_memfd_create),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter deadly_socket[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    KILL(SYS_socket),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
// No new processes, by any way.
static struct sock_filter deadly_clone[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    KILL(SYS_clone),
    KILL(SYS_clone3),
    KILL(SYS_fork),
    KILL(SYS_vfork),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter harmless[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

#define PROGRAM(filter) \
  { sizeof(filter) / sizeof((filter)[0]), (filter) }
static const struct sock_fprog strict_program = PROGRAM(only_what_is_used);
static const struct sock_fprog no_memfd_program = PROGRAM(no_memfd);
static const struct sock_fprog deadly_memfd_program = PROGRAM(deadly_memfd);
static const struct sock_fprog deadly_socket_program = PROGRAM(deadly_socket);
static const struct sock_fprog deadly_clone_program = PROGRAM(deadly_clone);
static const struct sock_fprog harmless_program = PROGRAM(harmless);

static void by_prctl(const struct sock_fprog* program) {
  need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) == 0, "a seccomp filter");
}
static void for_all_threads(const struct sock_fprog* program) {
  need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program) == 0,
       "a seccomp filter");
}

static int from_the_start(void) {
  by_prctl(&strict_program);
  return workout("strict");
}
static int after_threads(void) {
  workout("before");
  by_prctl(&strict_program);
  for (int i = 0; i < 5; ++i) workout("strict");
  return 0;
}
static int all_threads(void) {
  start_busy_threads(2);
  for_all_threads(&strict_program);
  return workout("strict");
}

static void* nothing(void* unused) { return unused; }
static int detached_threads(void) {
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  workout("before");
  by_prctl(&strict_program);
  for (int i = 0; i < 200; ++i) {
    pthread_t thread;
    while (pthread_create(&thread, &detached, nothing, NULL) != 0) sched_yield();
  }
  return workout("strict");
}

static int forks(void) {
  by_prctl(&strict_program);
  const pid_t child = fork();
  if (child == 0) {
    workout("child");
    _exit(6);
  }
  print_end("child", child);
  return workout("parent");
}

// prctl is used for other things, and must not be mistaken for a sandbox's beginning.
static int other_prctls(void) {
  char name[16] = "";
  printf("%d\n", prctl(PR_SET_NAME, "renamed", 0, 0, 0));
  printf("%d %s\n", prctl(PR_GET_NAME, name), name);
  printf("%d\n", prctl(PR_GET_DUMPABLE));
  errno = 0;
  const int bad = prctl(PR_SET_SECCOMP, 77, NULL);
  printf("%d %s\n", bad, strerror(errno));
  return workout("unconfined");
}

static int strict_mode(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0, "strict mode");
  for (int i = 0; i < 100; ++i) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  }
  (void)!write(1, "locked\n", 7);
  syscall(SYS_exit, 12);
  return 1;
}

static int in_a_new_image(const struct sock_fprog* program, const char* situation) {
  by_prctl(program);
  execl(own_path, own_path, situation, (char*)NULL);
  return 1;
}
// As a container's processes are under the filter that its first one was started with.
static int in_a_child(const struct sock_fprog* program) {
  by_prctl(program);
  char* const arguments[] = {(char*)own_path, "workout", NULL};
  pid_t child;
  need(posix_spawn(&child, own_path, NULL, NULL, arguments, environ) == 0, "a child");
  return print_end("child", child);
}
static int image_without_memfd(void) { return in_a_child(&no_memfd_program); }
static int image_deadly_memfd(void) { return in_a_child(&deadly_memfd_program); }
// What the kernel says of filters stands behind the list of groups.
static int image_with_many_groups(void) {
  gid_t groups[4000];
  for (size_t i = 0; i < sizeof groups / sizeof *groups; ++i) groups[i] = (gid_t)(100000 + i);
  need(setgroups(sizeof groups / sizeof *groups, groups) == 0, "groups");
  return image_deadly_memfd();
}
static int image_deadly_socket(void) { return in_a_child(&deadly_socket_program); }
static int image_harmless(void) { return in_a_child(&harmless_program); }
static int image_deadly_clone(void) { return in_a_new_image(&deadly_clone_program, "nothing"); }
static int image_own_filter(void) { return in_a_new_image(&harmless_program, "workout"); }

const struct situation sandbox_situations[] = {{"seccomp-from-the-start", from_the_start},
                                               {"seccomp-after-threads", after_threads},
                                               {"seccomp-all-threads", all_threads},
                                               {"seccomp-detached-threads", detached_threads},
                                               {"seccomp-fork", forks},
                                               {"prctl-for-other-things", other_prctls},
                                               {"seccomp-strict-mode", strict_mode},
                                               {"image-without-memfd", image_without_memfd},
                                               {"image-deadly-memfd", image_deadly_memfd},
                                               {"image-with-many-groups", image_with_many_groups},
                                               {"image-deadly-socket", image_deadly_socket},
                                               {"image-harmless-filter", image_harmless},
                                               {"image-deadly-clone", image_deadly_clone},
                                               {"image-own-filter", image_own_filter},
                                               {NULL, NULL}};
