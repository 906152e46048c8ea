/* Dies by the signal whose number it is given while main holds a mutex that a thread waits for.
 * With "hold" it tells its pid and waits for somebody else's signal instead. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int waiter;

static void* Wait(void* unused) {
  atomic_store(&waiter, (int)syscall(SYS_gettid));
  pthread_mutex_lock(&mutex);
  return unused;
}

/* The kernel says that it sleeps, and there is nothing else that it could sleep in. */
static int Sleeps(int tid) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  const int fd = open(path, O_RDONLY);
  const ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  const char* name_end = size > 0 ? strrchr(text, ')') : NULL;
  return name_end != NULL && name_end[2] == 'S';
}

int main(int argc, char** argv) {
  const struct rlimit none = {0, 0};
  pthread_t thread;
  if (argc != 2) return 2;
  setrlimit(RLIMIT_CORE, &none);
  pthread_mutex_lock(&mutex);
  if (pthread_create(&thread, NULL, Wait, NULL) != 0) return 2;
  while (atomic_load(&waiter) == 0 || !Sleeps(atomic_load(&waiter))) usleep(1000);
  if (strcmp(argv[1], "hold") == 0) {
    printf("%d\n", getpid());
    fflush(stdout);
    for (;;) pause();
  }
  kill(getpid(), atoi(argv[1]));
  return 3;
}
