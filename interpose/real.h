// The functions behind ours: what the program would have called without us.
//
// Resolved with dlsym(RTLD_NEXT), so that another interposer behind us (a sanitizer's, a
// profiler's) still gets its turn. Every pointer starts out at a function that resolves
// them all and then calls the real one, so no hook has to ask whether that has been done,
// not even one that another library's constructor calls before ours runs.
//
// Written by: ResolveReal, idempotent and racing harmlessly (every writer stores the same
// values). Read by: every hook.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/types.h>
#include <threads.h>
#include <time.h>

namespace lockwarden::interpose {

// One line a function: member, return type, symbol, parameters. Most condition functions
// come in two symbol versions and are resolved apart; so are syscall (futex.cc) and the
// functions of static initialisers (guard.cc).
#define LOCKWARDEN_REAL_FUNCTIONS(X)                                                           \
  X(mutex_init, int, "pthread_mutex_init", (pthread_mutex_t*, const pthread_mutexattr_t*))     \
  X(mutex_destroy, int, "pthread_mutex_destroy", (pthread_mutex_t*))                           \
  X(mutex_lock, int, "pthread_mutex_lock", (pthread_mutex_t*))                                 \
  X(mutex_trylock, int, "pthread_mutex_trylock", (pthread_mutex_t*))                           \
  X(mutex_timedlock, int, "pthread_mutex_timedlock", (pthread_mutex_t*, const timespec*))      \
  X(mutex_clocklock, int, "pthread_mutex_clocklock",                                           \
    (pthread_mutex_t*, clockid_t, const timespec*))                                            \
  X(mutex_unlock, int, "pthread_mutex_unlock", (pthread_mutex_t*))                             \
  X(mutex_consistent, int, "pthread_mutex_consistent", (pthread_mutex_t*))                     \
  X(rwlock_init, int, "pthread_rwlock_init", (pthread_rwlock_t*, const pthread_rwlockattr_t*)) \
  X(rwlock_destroy, int, "pthread_rwlock_destroy", (pthread_rwlock_t*))                        \
  X(rwlock_rdlock, int, "pthread_rwlock_rdlock", (pthread_rwlock_t*))                          \
  X(rwlock_tryrdlock, int, "pthread_rwlock_tryrdlock", (pthread_rwlock_t*))                    \
  X(rwlock_timedrdlock, int, "pthread_rwlock_timedrdlock",                                     \
    (pthread_rwlock_t*, const timespec*))                                                      \
  X(rwlock_clockrdlock, int, "pthread_rwlock_clockrdlock",                                     \
    (pthread_rwlock_t*, clockid_t, const timespec*))                                           \
  X(rwlock_wrlock, int, "pthread_rwlock_wrlock", (pthread_rwlock_t*))                          \
  X(rwlock_trywrlock, int, "pthread_rwlock_trywrlock", (pthread_rwlock_t*))                    \
  X(rwlock_timedwrlock, int, "pthread_rwlock_timedwrlock",                                     \
    (pthread_rwlock_t*, const timespec*))                                                      \
  X(rwlock_clockwrlock, int, "pthread_rwlock_clockwrlock",                                     \
    (pthread_rwlock_t*, clockid_t, const timespec*))                                           \
  X(rwlock_unlock, int, "pthread_rwlock_unlock", (pthread_rwlock_t*))                          \
  X(sem_init, int, "sem_init", (sem_t*, int, unsigned))                                        \
  X(sem_destroy, int, "sem_destroy", (sem_t*))                                                 \
  X(sem_wait, int, "sem_wait", (sem_t*))                                                       \
  X(sem_trywait, int, "sem_trywait", (sem_t*))                                                 \
  X(sem_timedwait, int, "sem_timedwait", (sem_t*, const timespec*))                            \
  X(sem_clockwait, int, "sem_clockwait", (sem_t*, clockid_t, const timespec*))                 \
  X(sem_post, int, "sem_post", (sem_t*))                                                       \
  X(spin_init, int, "pthread_spin_init", (pthread_spinlock_t*, int))                           \
  X(spin_destroy, int, "pthread_spin_destroy", (pthread_spinlock_t*))                          \
  X(spin_lock, int, "pthread_spin_lock", (pthread_spinlock_t*))                                \
  X(spin_trylock, int, "pthread_spin_trylock", (pthread_spinlock_t*))                          \
  X(spin_unlock, int, "pthread_spin_unlock", (pthread_spinlock_t*))                            \
  X(barrier_init, int, "pthread_barrier_init",                                                 \
    (pthread_barrier_t*, const pthread_barrierattr_t*, unsigned))                              \
  X(barrier_destroy, int, "pthread_barrier_destroy", (pthread_barrier_t*))                     \
  X(barrier_wait, int, "pthread_barrier_wait", (pthread_barrier_t*))                           \
  X(once, int, "pthread_once", (pthread_once_t*, void (*)()))                                  \
  X(call_once, void, "call_once", (once_flag*, void (*)()))                                    \
  X(mtx_init, int, "mtx_init", (mtx_t*, int))                                                  \
  X(mtx_destroy, void, "mtx_destroy", (mtx_t*))                                                \
  X(mtx_lock, int, "mtx_lock", (mtx_t*))                                                       \
  X(mtx_trylock, int, "mtx_trylock", (mtx_t*))                                                 \
  X(mtx_timedlock, int, "mtx_timedlock", (mtx_t*, const timespec*))                            \
  X(mtx_unlock, int, "mtx_unlock", (mtx_t*))                                                   \
  X(cnd_init, int, "cnd_init", (cnd_t*))                                                       \
  X(cnd_destroy, void, "cnd_destroy", (cnd_t*))                                                \
  X(cnd_wait, int, "cnd_wait", (cnd_t*, mtx_t*))                                               \
  X(cnd_timedwait, int, "cnd_timedwait", (cnd_t*, mtx_t*, const timespec*))                    \
  X(cnd_signal, int, "cnd_signal", (cnd_t*))                                                   \
  X(cnd_broadcast, int, "cnd_broadcast", (cnd_t*))                                             \
  X(thrd_create, int, "thrd_create", (thrd_t*, thrd_start_t, void*))                           \
  X(thrd_join, int, "thrd_join", (thrd_t, int*))                                               \
  X(create, int, "pthread_create",                                                             \
    (pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))                              \
  X(join, int, "pthread_join", (pthread_t, void**))                                            \
  X(tryjoin, int, "pthread_tryjoin_np", (pthread_t, void**))                                   \
  X(timedjoin, int, "pthread_timedjoin_np", (pthread_t, void**, const timespec*))              \
  X(clockjoin, int, "pthread_clockjoin_np", (pthread_t, void**, clockid_t, const timespec*))   \
  X(thread_exit, void, "pthread_exit", (void*))                                                \
  X(setname, int, "pthread_setname_np", (pthread_t, const char*))                              \
  X(fork, pid_t, "fork", ())                                                                   \
  X(flock, int, "flock", (int, int))                                                           \
  X(fcntl, int, "fcntl", (int, int, ...))                                                      \
  X(fcntl64, int, "fcntl64", (int, int, ...))                                                  \
  X(lockf, int, "lockf", (int, int, off_t))                                                    \
  X(lockf64, int, "lockf64", (int, int, off64_t))                                              \
  X(prctl, int, "prctl", (int, ...))                                                           \
  X(mlockall, int, "mlockall", (int))                                                          \
  X(execve, int, "execve", (const char*, char* const*, char* const*))                          \
  X(execv, int, "execv", (const char*, char* const*))                                          \
  X(execvp, int, "execvp", (const char*, char* const*))                                        \
  X(execvpe, int, "execvpe", (const char*, char* const*, char* const*))                        \
  X(fexecve, int, "fexecve", (int, char* const*, char* const*))                                \
  X(execveat, int, "execveat", (int, const char*, char* const*, char* const*, int))            \
  X(posix_spawn, int, "posix_spawn",                                                           \
    (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,         \
     char* const*, char* const*))                                                              \
  X(posix_spawnp, int, "posix_spawnp",                                                         \
    (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,         \
     char* const*, char* const*))                                                              \
  X(system, int, "system", (const char*))                                                      \
  X(popen, FILE*, "popen", (const char*, const char*))                                         \
  X(dlclose, int, "dlclose", (void*))                                                          \
  X(cond_clockwait, int, "pthread_cond_clockwait",                                             \
    (pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*))

#define LOCKWARDEN_REAL_CONDITIONS(X)                                          \
  X(cond_init, int, "pthread_cond_init", (pthread_cond_t*, const pthread_condattr_t*)) \
  X(cond_destroy, int, "pthread_cond_destroy", (pthread_cond_t*))              \
  X(cond_wait, int, "pthread_cond_wait", (pthread_cond_t*, pthread_mutex_t*))  \
  X(cond_timedwait, int, "pthread_cond_timedwait",                             \
    (pthread_cond_t*, pthread_mutex_t*, const timespec*))                      \
  X(cond_signal, int, "pthread_cond_signal", (pthread_cond_t*))                \
  X(cond_broadcast, int, "pthread_cond_broadcast", (pthread_cond_t*))

// What programs linked before glibc 2.3.2 call; the object is a pointer to a condition.
#define LOCKWARDEN_REAL_OLD_CONDITIONS(X)                                         \
  X(old_cond_wait, int, "pthread_cond_wait", (pthread_cond_t*, pthread_mutex_t*)) \
  X(old_cond_timedwait, int, "pthread_cond_timedwait",                            \
    (pthread_cond_t*, pthread_mutex_t*, const timespec*))

struct RealFunctions {
#define LOCKWARDEN_MEMBER(member, result, symbol, parameters) result(*member) parameters;
  LOCKWARDEN_REAL_FUNCTIONS(LOCKWARDEN_MEMBER)
  LOCKWARDEN_REAL_CONDITIONS(LOCKWARDEN_MEMBER)
  LOCKWARDEN_REAL_OLD_CONDITIONS(LOCKWARDEN_MEMBER)
#undef LOCKWARDEN_MEMBER
};

extern RealFunctions real_functions;
void ResolveReal();
void ResolveSyscall();       // futex.cc
void ResolveGuardsAtLoad();  // guard.cc

inline const RealFunctions& Real() { return real_functions; }

#define LOCKWARDEN_HOOK extern "C" __attribute__((visibility("default")))

}  // namespace lockwarden::interpose
