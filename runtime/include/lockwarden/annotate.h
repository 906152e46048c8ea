/* Annotations for locks of a program's own making, in C and C++.
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
#undef LOCKWARDEN_INLINE_ANNOTATION

#ifdef __cplusplus
}
#endif

#endif
