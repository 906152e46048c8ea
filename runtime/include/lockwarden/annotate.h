/* Annotations for locks of a program's own making, and heartbeats, in C and C++.
 *
 *   void my_lock(struct my_lock* lock) {
 *     lockwarden_about_to_wait(lock);
 *     take(lock);
 *     lockwarden_acquired(lock);
 *   }
 *   void my_unlock(struct my_lock* lock) {
 *     lockwarden_released(lock);          // before others can take it
 *     give_back(lock);
 *   }
 *
 * Such a lock takes part in deadlock detection, prediction and reports as a "user_lock". The
 * functions behind these are weak: a program links and runs without Lockwarden, and finds them in
 * the preload or in the linked library where there is one. An executable that is to find the
 * preload's must be position-independent, as compilers make them.
 *
 * Between about_to_wait and acquired the thread must go on only with the lock: before a try, or a
 * wait that may give up, about_to_wait is left out. It may spin, yield, or sleep on a futex within
 * the first 64 bytes of the lock. A lock that is taken very often may call it only if it is not
 * free: then only those acquisitions have an order to predict from.
 *
 * Thread safety: any thread, of its own doings. None of them changes errno. */
#ifndef LOCKWARDEN_ANNOTATE_H_
#define LOCKWARDEN_ANNOTATE_H_

#ifdef __cplusplus
extern "C" {
#endif

#define LOCKWARDEN_ANNOTATION __attribute__((weak, visibility("default")))
LOCKWARDEN_ANNOTATION void lockwarden_user_about_to_wait(const void* lock);
LOCKWARDEN_ANNOTATION void lockwarden_user_acquired(const void* lock);
LOCKWARDEN_ANNOTATION void lockwarden_user_released(const void* lock);
LOCKWARDEN_ANNOTATION void lockwarden_user_named(const void* lock, const char* name);
LOCKWARDEN_ANNOTATION void lockwarden_user_destroyed(const void* lock);
struct lockwarden_heartbeat;
LOCKWARDEN_ANNOTATION void lockwarden_user_beat(struct lockwarden_heartbeat* heartbeat);
LOCKWARDEN_ANNOTATION void lockwarden_user_pause(struct lockwarden_heartbeat* heartbeat,
                                                 int until_beat);
LOCKWARDEN_ANNOTATION void lockwarden_user_resume(struct lockwarden_heartbeat* heartbeat);
LOCKWARDEN_ANNOTATION unsigned long long lockwarden_user_deadline(
    struct lockwarden_heartbeat* heartbeat, unsigned long long deadline_ns);
LOCKWARDEN_ANNOTATION void lockwarden_user_stop(struct lockwarden_heartbeat* heartbeat);
#undef LOCKWARDEN_ANNOTATION

#define LOCKWARDEN_INLINE_ANNOTATION static inline __attribute__((always_inline, unused))
/* The thread asks for the lock, and waits for it without a time limit. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_about_to_wait(const void* lock) {
  if (lockwarden_user_about_to_wait) lockwarden_user_about_to_wait(lock);
}
/* The calling thread holds the lock, exclusively; whether or not it waited. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_acquired(const void* lock) {
  if (lockwarden_user_acquired) lockwarden_user_acquired(lock);
}
/* It is about to give it back. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_released(const void* lock) {
  if (lockwarden_user_released) lockwarden_user_released(lock);
}
/* A name for reports; copied. Once a lock's life. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_named(const void* lock, const char* name) {
  if (lockwarden_user_named) lockwarden_user_named(lock, name);
}
/* Its memory may become another lock's. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_destroyed(const void* lock) {
  if (lockwarden_user_destroyed) lockwarden_user_destroyed(lock);
}

/* A heartbeat: a thread that should get round every so often says so, and the watchdog tells of
 * the one that does not (STALL), with what it does instead.
 *
 *   static struct lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("io", 2000000000);
 *   for (;;) {
 *     lockwarden_heartbeat_idle(&heartbeat);   // the wait for work may take for ever
 *     wait_for_work();
 *     lockwarden_beat(&heartbeat);             // the work may not: 2 s
 *     work();
 *   }
 *   lockwarden_heartbeat_stop(&heartbeat);     // before its memory goes
 *
 * A beat costs a few nanoseconds. Thread safety: one thread at a time uses a heartbeat; whoever
 * beat last is taken for the thread to look at. */
struct lockwarden_heartbeat {
  const char* name; /* outlives the heartbeat */
  unsigned long long deadline_ns; /* longest time between two beats; below 100 ms it is noticed
                                     late, when the watchdog next looks */
  unsigned long long essential; /* 1: alone enough for on_stall to act */
  unsigned long long image, slot; /* Lockwarden's: 0 */
};
#define LOCKWARDEN_HEARTBEAT(name, deadline_ns) {name, deadline_ns, 0, 0, 0}

/* Alive. The first one makes the heartbeat known; in a forked child the first one there does. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_beat(struct lockwarden_heartbeat* heartbeat) {
  if (lockwarden_user_beat) lockwarden_user_beat(heartbeat);
}
/* No beat is expected until the next one comes. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_heartbeat_idle(
    struct lockwarden_heartbeat* heartbeat) {
  if (lockwarden_user_pause) lockwarden_user_pause(heartbeat, 1);
}
/* No beat is expected until resume, whoever beats meanwhile. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_heartbeat_pause(
    struct lockwarden_heartbeat* heartbeat) {
  if (lockwarden_user_pause) lockwarden_user_pause(heartbeat, 0);
}
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_heartbeat_resume(
    struct lockwarden_heartbeat* heartbeat) {
  if (lockwarden_user_resume) lockwarden_user_resume(heartbeat);
}
/* A beat, with another deadline from now on. Returns the one before, to be put back. */
LOCKWARDEN_INLINE_ANNOTATION unsigned long long lockwarden_heartbeat_deadline(
    struct lockwarden_heartbeat* heartbeat, unsigned long long deadline_ns) {
  if (lockwarden_user_deadline) return lockwarden_user_deadline(heartbeat, deadline_ns);
  return heartbeat->deadline_ns;
}
/* It beats no more, and may be destroyed. */
LOCKWARDEN_INLINE_ANNOTATION void lockwarden_heartbeat_stop(
    struct lockwarden_heartbeat* heartbeat) {
  if (lockwarden_user_stop) lockwarden_user_stop(heartbeat);
}
#undef LOCKWARDEN_INLINE_ANNOTATION

#ifdef __cplusplus
}
#endif

#endif
