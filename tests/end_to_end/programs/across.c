// Two processes that take two locks crosswise, for certain, or that only look like it.
//
//   across KIND FILE              parent and forked child: KIND is one of
//      mutex rwlock semaphore     in shared anonymous memory; semaphores by name
//      flock ofd posix            on FILE.1 and FILE.2; the kernel breaks the cycle of posix
//      mixed                      a mutex and a flock
//      self                       one thread, two descriptors of FILE.1
//      healthy                    both orders, but never at once; and both alive
//      robust                     the holder dies, the mutex is robust
//      orphan                     the holder dies, the mutex is not
//      outside                    a process that Lockwarden does not know holds the mutex
//      fileoutside                the same for flock, through an inherited descriptor
//      alarm                      flock crosswise, but one waits with an alarm
//   across meet FILE first|second   two programs; FILE is mapped, at different addresses
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct Shared {
  atomic_int ready, here, gone, waiter;
  pthread_mutex_t mutex[2];
  pthread_rwlock_t rwlock[2];
};

static struct Shared* shared;
static sem_t* semaphore[2];
static const char* kind;
static const char* file_name;
static int file[2];

static void check(int good, const char* what) {
  if (good) return;
  perror(what);
  exit(3);
}

static void prepare(int robust) {
  pthread_mutexattr_t mutexes;
  pthread_rwlockattr_t rwlocks;
  pthread_mutexattr_init(&mutexes);
  pthread_mutexattr_setpshared(&mutexes, PTHREAD_PROCESS_SHARED);
  if (robust) pthread_mutexattr_setrobust(&mutexes, PTHREAD_MUTEX_ROBUST);
  pthread_rwlockattr_init(&rwlocks);
  pthread_rwlockattr_setpshared(&rwlocks, PTHREAD_PROCESS_SHARED);
  for (int i = 0; i < 2; ++i) {
    pthread_mutex_init(&shared->mutex[i], &mutexes);
    pthread_rwlock_init(&shared->rwlock[i], &rwlocks);
  }
}

static void open_semaphores(void) {
  for (int i = 0; i < 2; ++i) {
    char name[64];
    snprintf(name, sizeof(name), "/lockwarden-across-%d-%d", (int)getpid(), i);
    semaphore[i] = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    check(semaphore[i] != SEM_FAILED, name);
    sem_unlink(name);
  }
}

static void open_files(void) {
  for (int i = 0; i < 2; ++i) {
    char name[4096];
    snprintf(name, sizeof(name), "%s.%d", file_name, i + 1);
    file[i] = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(file[i] >= 0, name);
  }
}

static int range_lock(int fd, int command, short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  return fcntl(fd, command, &range);
}

// -1 only where the kernel would not wait (EDEADLK), or an alarm came.
static int take(int i) {
  if (strcmp(kind, "rwlock") == 0) {
    return i == 0 ? pthread_rwlock_wrlock(&shared->rwlock[0])
                  : pthread_rwlock_rdlock(&shared->rwlock[1]);
  }
  if (strcmp(kind, "semaphore") == 0) return sem_wait(semaphore[i]);
  if (strcmp(kind, "flock") == 0 || strcmp(kind, "alarm") == 0) return flock(file[i], LOCK_EX);
  if (strcmp(kind, "mixed") == 0 && i == 1) return flock(file[1], LOCK_EX);
  if (strcmp(kind, "ofd") == 0) return range_lock(file[i], F_OFD_SETLKW, F_WRLCK);
  if (strcmp(kind, "posix") == 0) return range_lock(file[i], F_SETLKW, F_WRLCK);
  return pthread_mutex_lock(&shared->mutex[i]);
}

static void drop(int i) {
  if (strcmp(kind, "rwlock") == 0) {
    pthread_rwlock_unlock(&shared->rwlock[i]);
  } else if (strcmp(kind, "semaphore") == 0) {
    sem_post(semaphore[i]);
  } else if (strcmp(kind, "flock") == 0 || strcmp(kind, "alarm") == 0) {
    flock(file[i], LOCK_UN);
  } else if (strcmp(kind, "mixed") == 0 && i == 1) {
    flock(file[1], LOCK_UN);
  } else if (strcmp(kind, "ofd") == 0) {
    range_lock(file[i], F_OFD_SETLK, F_UNLCK);
  } else if (strcmp(kind, "posix") == 0) {
    range_lock(file[i], F_SETLK, F_UNLCK);
  } else {
    pthread_mutex_unlock(&shared->mutex[i]);
  }
}

static void meet(atomic_int* place, int parties) {
  atomic_fetch_add(place, 1);
  while (atomic_load(place) < parties) sched_yield();
}

static void wake(int signal) { (void)signal; }

static int cross(int first) {
  // Once without company: a semaphore is known to be used as a lock is.
  if (strcmp(kind, "rwlock") == 0 && first == 1) {
    pthread_rwlock_wrlock(&shared->rwlock[1]);
  } else {
    take(first);
    if (strcmp(kind, "semaphore") == 0) {
      drop(first);
      take(first);
    }
  }
  meet(&shared->here, 2);
  if (strcmp(kind, "alarm") == 0 && first == 1) {
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGALRM, &action, NULL);
    alarm(2);
  }
  const int rc = take(1 - first);
  if (rc == 0) drop(1 - first);
  drop(first);
  return 0;
}

static int healthy(int first) {
  for (int i = 0; i < 300; ++i) {
    // Whoever is not first takes both in the same order.
    pthread_mutex_lock(&shared->mutex[0]);
    pthread_mutex_lock(&shared->mutex[1]);
    usleep(first ? 1000 : 1500);
    pthread_mutex_unlock(&shared->mutex[1]);
    pthread_mutex_unlock(&shared->mutex[0]);
    flock(file[first], LOCK_EX);
    usleep(200);
    flock(file[first], LOCK_UN);
  }
  return 0;
}

static pid_t child(void) {
  fflush(stdout);
  const pid_t pid = fork();
  check(pid >= 0, "fork");
  if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that gives up leaves nothing behind
  return pid;
}

static int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Until the process, of one thread, that writes its pid there sleeps.
static void until_asleep(atomic_int* process) {
  for (char state = '?'; state != 'S'; usleep(1000)) {
    char path[64];
    const int pid = atomic_load(process);
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE* const stat = pid == 0 ? NULL : fopen(path, "r");
    if (stat == NULL) continue;
    if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) state = '?';
    fclose(stat);
  }
}

// The holder dies while it holds; what happens then depends on the mutex.
static int bereaved(void) {
  const pid_t holder = child();
  if (holder == 0) {
    pthread_mutex_lock(&shared->mutex[0]);
    meet(&shared->here, 2);
    until_asleep(&shared->waiter);
    _exit(0);
  }
  meet(&shared->here, 2);
  const pid_t waiter = child();
  if (waiter == 0) {
    atomic_store(&shared->waiter, getpid());
    const int rc = pthread_mutex_lock(&shared->mutex[0]);
    printf("%s\n", rc == EOWNERDEAD ? "the owner is dead" : "locked");
    fflush(stdout);
    _exit(0);
  }
  wait_for(holder);
  return wait_for(waiter);
}

// Holds a lock for a while; started without Lockwarden.
static int hold(const char* what) {
  if (strcmp(what, "mutex") == 0) pthread_mutex_lock(&shared->mutex[0]);
  meet(&shared->ready, 2);
  while (atomic_load(&shared->gone) == 0) usleep(1000);
  if (strcmp(what, "mutex") == 0) {
    pthread_mutex_unlock(&shared->mutex[0]);
  } else {
    flock(atoi(what), LOCK_UN);
  }
  return 0;
}

static void map_file(int second) {
  const int fd = open(file_name, O_RDWR | O_CREAT, 0600);
  check(fd >= 0 && ftruncate(fd, 16384) == 0, file_name);
  void* before = NULL;  // so that what follows lies elsewhere
  if (second) before = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(before != MAP_FAILED, "mmap");
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  check(shared != MAP_FAILED, "mmap");
  close(fd);
}

// Runs `across hold FILE WHAT` without Lockwarden.
static pid_t stranger(const char* what) {
  const pid_t pid = child();
  if (pid == 0) {
    unsetenv("LD_PRELOAD");
    execl("/proc/self/exe", "across", "hold", file_name, what, (char*)NULL);
    _exit(4);
  }
  return pid;
}

static int outside(int files) {
  char descriptor[16];
  map_file(0);
  prepare(0);
  open_files();
  if (files) {
    const int inherited = dup(file[0]);  // stays open in the stranger
    check(flock(inherited, LOCK_EX) == 0, "flock");
    snprintf(descriptor, sizeof(descriptor), "%d", inherited);
  }
  const pid_t other = stranger(files ? descriptor : "mutex");
  meet(&shared->ready, 2);
  const pid_t waiter = child();
  if (waiter == 0) {
    open_files();
    if (files) {
      flock(file[0], LOCK_EX);
    } else {
      pthread_mutex_lock(&shared->mutex[0]);
    }
    printf("got it\n");
    fflush(stdout);
    _exit(0);
  }
  // A parent that waits for what the waiter has is what a cycle would need.
  const pid_t opener = child();
  if (opener == 0) {
    sleep(2);
    atomic_store(&shared->gone, 1);
    _exit(0);
  }
  if (files) {
    // This process shares the description, and waits for the waiter's end.
    wait_for(waiter);
  }
  wait_for(opener);
  wait_for(other);
  return files ? 0 : wait_for(waiter);
}

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  kind = argv[1];
  file_name = argv[2];
  if (strcmp(kind, "hold") == 0) {
    map_file(1);
    return hold(argv[3]);
  }
  if (strcmp(kind, "outside") == 0) return outside(0);
  if (strcmp(kind, "fileoutside") == 0) return outside(1);
  if (strcmp(kind, "meet") == 0) {
    const int second = strcmp(argv[3], "second") == 0;
    map_file(second);
    if (!second) {
      prepare(0);
      atomic_store(&shared->gone, 1);  // prepared
    }
    while (atomic_load(&shared->gone) == 0) usleep(1000);
    return cross(second);
  }
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(shared != MAP_FAILED, "mmap");
  prepare(strcmp(kind, "robust") == 0);
  if (strcmp(kind, "robust") == 0 || strcmp(kind, "orphan") == 0) return bereaved();
  if (strcmp(kind, "semaphore") == 0) open_semaphores();
  if (strcmp(kind, "self") == 0) {
    open_files();
    check(flock(file[0], LOCK_EX) == 0, "flock");
    open_files();
    return flock(file[0], LOCK_EX);
  }
  const pid_t other = child();
  open_files();  // each its own open file descriptions
  const int second = other == 0;
  const int rc = strcmp(kind, "healthy") == 0 ? healthy(second) : cross(second);
  if (second) _exit(rc);
  return wait_for(other) != 0 || rc != 0;
}
