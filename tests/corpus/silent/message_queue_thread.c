// expect: nothing
// mq_notify with SIGEV_THREAD: libc's helper waits for another process's message.
#include <fcntl.h>
#include <mqueue.h>

#include "../corpus.h"

static sem_t arrived;

static void on_message(union sigval unused) {
  (void)unused;
  sem_post(&arrived);
}

int main(void) {
  char name[64];
  sem_init(&arrived, 0, 0);
  snprintf(name, sizeof name, "/lockwarden-corpus-%d", (int)getpid());
  const mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
  if (queue == (mqd_t)-1) return 0;  // no message queues in this container
  mq_unlink(name);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = on_message;
  if (mq_notify(queue, &event) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    stand();
    _exit(mq_send(queue, "x", 1, 0) != 0);
  }
  sem_wait(&arrived);
  CHECK(waitpid(child, NULL, 0) == child);
  return 0;
}
