// expect: nothing
// POSIX aio with SIGEV_THREAD: libc's helper reads the pipe and its thread posts.
#include <aio.h>

#include "../corpus.h"

static sem_t done;

static void on_read(union sigval unused) {
  (void)unused;
  sem_post(&done);
}

int main(void) {
  int ends[2];
  char byte;
  sem_init(&done, 0, 0);
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    stand();
    _exit(write(ends[1], "x", 1) != 1);
  }
  struct aiocb request;
  memset(&request, 0, sizeof request);
  request.aio_fildes = ends[0];
  request.aio_buf = &byte;
  request.aio_nbytes = 1;
  request.aio_sigevent.sigev_notify = SIGEV_THREAD;
  request.aio_sigevent.sigev_notify_function = on_read;
  CHECK(aio_read(&request) == 0);
  sem_wait(&done);
  CHECK(waitpid(child, NULL, 0) == child);
  return 0;
}
