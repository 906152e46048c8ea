// Changed surroundings: namespaces, roots, users, descriptors, limits.
#include "situation.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kNobody = 65534 };

// Needs a process with one thread.
static int new_user_namespace(void) {
  printf("unshare: %d\n", unshare(CLONE_NEWUSER | CLONE_NEWNS));
  return workout("in the namespace");
}
static int new_pid_namespace(void) {
  need(unshare(CLONE_NEWPID) == 0, "a pid namespace");
  const pid_t child = fork();
  if (child == 0) {
    printf("pid %d\n", getpid());
    exit(workout("in the namespace"));
  }
  return print_end("init", child);
}
static int entered_namespace(void) {
  const int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
  need(fd >= 0 && unshare(CLONE_NEWUTS) == 0, "a namespace");
  printf("setns: %d\n", setns(fd, CLONE_NEWUTS));
  return workout("back");
}

static int forked_workout(const char* name) {
  workout("before the fork");
  const pid_t child = fork();
  if (child == 0) exit(workout(name));
  return print_end(name, child);
}
static int other_root(void) {
  char root[] = "/tmp/lockwarden-root-XXXXXX";
  need(mkdtemp(root) != NULL && chroot(root) == 0, "a root");
  need(chdir("/") == 0, "a root");
  const int code = forked_workout("in another root");
  need(chroot("/proc/1/root") != 0, "a root without /proc");
  return code;
}
// A mount namespace whose mounts are nobody else's. Inside a chroot "/" may be no mount point,
// and then nothing can be said about it: a copy of the whole tree becomes the root.
static void private_mounts(void) {
  need(unshare(CLONE_NEWNS) == 0, "a mount namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) return;
  need(mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) == 0, "a private /proc");
  need(mount("none", "/proc", "tmpfs", 0, NULL) == 0, "a place for the root");
  need(mkdir("/proc/root", 0755) == 0, "a place for the root");
  need(mount("/", "/proc/root", NULL, MS_BIND | MS_REC, NULL) == 0, "a copy of the root");
  need(mount(NULL, "/proc/root", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "a private mount");
  need(chroot("/proc/root") == 0 && chdir("/") == 0, "a root");
  need(umount("/proc") == 0, "/proc as before");
}
static int no_proc(void) {
  private_mounts();
  need(mount("none", "/proc", "tmpfs", MS_RDONLY, NULL) == 0, "an empty /proc");
  forked_workout("without /proc");
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
static int full_shared_memory(void) {
  private_mounts();
  need(mount("none", "/dev/shm", "tmpfs", MS_RDONLY, "size=4k") == 0, "a small /dev/shm");
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
// Neither /dev/shm nor anything else there.
static int no_devices(void) {
  private_mounts();
  need(mount("none", "/dev", "tmpfs", MS_RDONLY, "size=4k") == 0, "an empty /dev");
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
static int read_only_root(void) {
  private_mounts();
  need(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0, "a read-only root");
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}

static int other_user(void) {
  workout("as root");
  need(seteuid(kNobody) == 0, "another effective user");
  workout("effectively nobody");
  need(seteuid(0) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0, "another user");
  return forked_workout("nobody");
}
static int other_user_while_threads_run(void) {
  start_busy_threads(3);
  need(setuid(kNobody) == 0, "another user");
  printf("%d %d\n", getuid(), geteuid());
  return forked_workout("nobody");
}

// Which descriptors are open: none of ours, neither now nor in a new image.
static void print_descriptors(void) {
  for (int fd = 0; fd < 64; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) printf("%d ", fd);
  }
  printf("\n");
  fflush(stdout);
}
static int descriptors(void) {
  for (int fd = 3; fd < 64; ++fd) close(fd);
  print_descriptors();
  printf("next: %d\n", open("/dev/null", O_RDONLY | O_CLOEXEC));
  workout("threads");
  print_descriptors();
  return 0;
}
static int descriptors_again(void) {
  for (int fd = 3; fd < 64; ++fd) close(fd);
  execl(own_path, own_path, "descriptors", (char*)NULL);
  return 1;
}

// With the standard descriptors closed, a file that the program opens gets their numbers,
// and nothing but what the program writes may end up in it.
static int report_fd(void) {
  char path[] = "/tmp/lockwarden-out-XXXXXX";
  const int fd = mkostemp(path, 0);
  unlink(path);
  if (fd != 0 || dup(fd) != 1 || dup(fd) != 2) return 50;
  const pid_t child = fork();
  if (child == 0) _exit(workout("child"));
  if (print_end("child", child) != 0) return 51;
  workout("standard descriptors are files");
  char text[256] = "";
  if (pread(fd, text, sizeof text - 1, 0) < 0) return 52;
  return strcmp(text, "child: works\nchild: code 0\nstandard descriptors are files: works\n");
}
static int closed_descriptors(void) {
  close(0);
  close(1);
  close(2);
  return report_fd();
}
static int closed_in_a_new_image(void) {
  close(0);
  close(1);
  close(2);
  execl(own_path, own_path, "report-fd", (char*)NULL);
  return 1;
}
static void limit(int resource, rlim_t value) {
  const struct rlimit to = {value, value};
  need(setrlimit((__rlimit_resource_t)resource, &to) == 0, "a limit");
}
// Cannot be recorded, so a line is due; it must not go into the program's file.
static int closed_and_limited(void) {
  limit(RLIMIT_FSIZE, 4096);
  return closed_in_a_new_image();
}

static int no_descriptors_left(void) {
  limit(RLIMIT_NOFILE, 8);
  while (dup(1) >= 0) continue;
  forked_workout("no descriptor left");
  return workout("no descriptor left");
}
static int image_with_few_descriptors(void) {
  limit(RLIMIT_NOFILE, 4);
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
static int image_with_small_files(void) {
  limit(RLIMIT_FSIZE, 0);
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
static int small_files(void) {
  limit(RLIMIT_FSIZE, 0);
  return forked_workout("small files");
}
static int image_with_memory(rlim_t bytes, const char* situation) {
  limit(RLIMIT_AS, bytes);
  execl(own_path, own_path, situation, (char*)NULL);
  return 1;
}
static int image_with_64m(void) { return image_with_memory(64u << 20, "workout"); }
static int image_with_256m(void) { return image_with_memory(256u << 20, "workout"); }
static int image_with_1g(void) { return image_with_memory(1u << 30, "workout"); }
static int image_with_4g(void) { return image_with_memory((rlim_t)4 << 30, "workout"); }
// In an image that began with 1 GB. Still less is left later.
static int memory_taken_later(void) { return image_with_memory(1u << 30, "memory-taken"); }
static int memory_taken(void) {
  const size_t most = (size_t)896 << 20;
  void* big = mmap(NULL, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(big != MAP_FAILED, "address space");
  limit(RLIMIT_AS, most);
  munmap(big, most);
  return forked_workout("little memory");
}
// As real-time programs do: what is there becomes memory now, what comes does when it comes.
static int is_resident(const void* page) {
  unsigned char in_memory = 0;
  const uintptr_t begin = (uintptr_t)page & ~(uintptr_t)4095;
  return mincore((void*)begin, 1, &in_memory) == 0 && (in_memory & 1) != 0;
}
static int memory_locked(void) {
  static char untouched[1 << 20];
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  errno = 77;
  const int rc = mlockall(MCL_CURRENT | MCL_FUTURE);
  if (rc != 0 && errno != 77) printf("%s\n", strerror(errno));
  void* later = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("%d: resident %d %d\n", rc, is_resident(untouched + (1 << 19)), is_resident(later));
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf("less than 256 MB: %d\n", used.ru_maxrss < 256 << 10);
  pthread_mutex_unlock(&mutex);
  forked_workout("locked");
  return workout("locked");
}
// All that an image with 1 GB can have: but for a sixteenth, and what any program takes.
static int memory_to_the_full(void) { return image_with_memory(1u << 30, "all-of-1g"); }
static int all_of_1g(void) {
  const size_t block = 1u << 20;
  size_t blocks = 0;
  while (mmap(NULL, block, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) ++blocks;
  printf("enough: %d\n", blocks >= 1024 / 16 * 15 - 16);
  return 0;
}

const struct situation confined_situations[] = {
    {"unshare-user", new_user_namespace},
    {"unshare-pid", new_pid_namespace},
    {"setns", entered_namespace},
    {"chroot", other_root},
    {"no-proc", no_proc},
    {"full-shared-memory", full_shared_memory},
    {"no-devices", no_devices},
    {"read-only-root", read_only_root},
    {"setuid", other_user},
    {"setuid-threads", other_user_while_threads_run},
    {"descriptors", descriptors},
    {"descriptors-again", descriptors_again},
    {"report-fd", report_fd},
    {"closed-descriptors", closed_descriptors},
    {"closed-in-a-new-image", closed_in_a_new_image},
    {"closed-and-limited", closed_and_limited},
    {"no-descriptors-left", no_descriptors_left},
    {"image-with-few-descriptors", image_with_few_descriptors},
    {"image-with-small-files", image_with_small_files},
    {"small-files", small_files},
    {"image-with-64m", image_with_64m},
    {"image-with-256m", image_with_256m},
    {"image-with-1g", image_with_1g},
    {"image-with-4g", image_with_4g},
    {"memory-locked", memory_locked},
    {"memory-taken-later", memory_taken_later},
    {"memory-taken", memory_taken},
    {"memory-to-the-full", memory_to_the_full},
    {"all-of-1g", all_of_1g},
    {NULL, NULL}};
