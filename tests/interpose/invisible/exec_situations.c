// New images: the exec family, posix_spawn, system and popen, with and without the
// environment that brings the preload along.
#include "situation.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char** environ;
static char* const kEmpty[] = {NULL};

enum way { EXECVE, EXECV, EXECVP, EXECVPE, EXECL, EXECLP, EXECLE, FEXECVE, EXECVEAT, EMPTY_EXECVE,
           EMPTY_EXECVPE, EMPTY_EXECLE, EMPTY_FEXECVE, CLEARED_EXECV, WAYS };

static void start(enum way way) {
  char* const arguments[] = {(char*)own_path, (char*)"workout", NULL};
  const int fd = open(own_path, O_RDONLY | O_CLOEXEC);
  switch (way) {
    case EXECVE: execve(own_path, arguments, environ); break;
    case EXECV: execv(own_path, arguments); break;
    case EXECVP: execvp(own_path, arguments); break;
    case EXECVPE: execvpe(own_path, arguments, environ); break;
    case EXECL: execl(own_path, own_path, "workout", (char*)NULL); break;
    case EXECLP: execlp(own_path, own_path, "workout", (char*)NULL); break;
    case EXECLE: execle(own_path, own_path, "workout", (char*)NULL, environ); break;
    case FEXECVE: fexecve(fd, arguments, environ); break;
    case EXECVEAT: execveat(AT_FDCWD, own_path, arguments, environ, 0); break;
    case EMPTY_EXECVE: execve(own_path, arguments, kEmpty); break;
    case EMPTY_EXECVPE: execvpe(own_path, arguments, kEmpty); break;
    case EMPTY_EXECLE: execle(own_path, own_path, "workout", (char*)NULL, kEmpty); break;
    case EMPTY_FEXECVE: fexecve(fd, arguments, kEmpty); break;
    case CLEARED_EXECV: clearenv(); execv(own_path, arguments); break;
    case WAYS: break;
  }
}

static int every_way(void) {
  start_busy_threads(2);
  for (int way = 0; way < WAYS; ++way) {
    printf("way %d\n", way);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      start((enum way)way);
      _exit(127);
    }
    print_end("new image", child);
  }
  return 0;
}

static int after_a_failure(void) {
  char* const arguments[] = {(char*)own_path, (char*)"workout", NULL};
  execve("/nonexistent", arguments, kEmpty);
  perror("execve");
  execvp("lockwarden-no-such-program", arguments);
  perror("execvp");
  return workout("after failures");
}

static int from_a_thread_inner(void) {
  start_busy_threads(3);
  execl(own_path, own_path, "workout", (char*)NULL);
  return 1;
}
static void* in_thread(void* unused) {
  execl(own_path, own_path, "workout", (char*)NULL);
  return unused;
}
static int from_another_thread(void) {
  static pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;
  pthread_t thread;
  pthread_mutex_lock(&never);
  need(pthread_create(&thread, NULL, in_thread, NULL) == 0, "a thread");
  pthread_join(thread, NULL);
  return 1;
}

static int spawned(void) {
  char* const arguments[] = {(char*)own_path, (char*)"workout", NULL};
  start_busy_threads(2);
  for (int i = 0; i < 4; ++i) {
    pid_t child = -1;
    char** with = i % 2 == 0 ? environ : (char**)kEmpty;
    const int rc = i < 2 ? posix_spawn(&child, own_path, NULL, NULL, arguments, with)
                         : posix_spawnp(&child, own_path, NULL, NULL, arguments, with);
    printf("spawn: %d\n", rc);
    if (rc == 0) print_end("spawned", child);
  }
  pid_t child = -1;
  printf("spawn of nothing: %d\n",
         posix_spawn(&child, "/nonexistent", NULL, NULL, arguments, environ));
  return workout("parent");
}

static int shell(void) {
  char command[4096], line[256];
  start_busy_threads(2);
  snprintf(command, sizeof command, "'%s' workout; exit 9", own_path);
  printf("system: %d\n", system(command));
  FILE* pipe_end = popen(command, "r");
  need(pipe_end != NULL, "a pipe");
  while (fgets(line, sizeof line, pipe_end) != NULL) fputs(line, stdout);
  printf("pclose: %d\n", pclose(pipe_end));
  return workout("parent");
}

static int to_a_static_program(void) {
  execl("/bin/sh", "sh", "-c", "exec env -i /bin/sh -c 'echo static of mind'", (char*)NULL);
  return 1;
}

const struct situation exec_situations[] = {{"exec-every-way", every_way},
                                            {"exec-fails", after_a_failure},
                                            {"exec-while-threads-run", from_a_thread_inner},
                                            {"exec-from-a-thread", from_another_thread},
                                            {"spawn", spawned},
                                            {"shell", shell},
                                            {"exec-cleared-twice", to_a_static_program},
                                            {NULL, NULL}};
