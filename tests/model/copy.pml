/*
 * The publication protocol of runtime/thread_record.h, store by store: a thread (P1 to P7)
 * that takes two mutexes in every way, and a reader that copies its record at any time (Q1 to
 * Q6). Who else uses the mutexes is left open: a wait may last as long as one likes. Checked
 * exhaustively by model_test.py; each step can be broken by -DBREAK_..., and then an assertion
 * must fail.
 *
 * Asserted, of a copy that is not torn:
 *   held     what it names is held, when the count is read or when it is read again;
 *   moment   of a thread that waits, all that it names is held all the while: nothing is taken
 *            or released in a wait, so the copy is that of one moment (verdict.pml relies on
 *            this);
 *   details  a wait has its own details, or says that it has none;
 *   beside   a wait stands beside a hold of the same lock only if the thread asks for a lock
 *            that it has already;
 *   same     while the record stays the same, the thread is in one and the same wait (which
 *            may be just over).
 *
 * Stores take effect at once and in order: that the memory orders in the code make it so is
 * not shown here.
 */
#ifndef BUDGET
#define BUDGET 2 /* acquisitions */
#endif
#define NOBODY 0
#define ME 1
#define PLAIN 0
#define TIMED 1
#define TRY 2

/* The thread's record. Locks are 1 and 2; 0 is none. */
byte wait, timed, object, since, count, held[3], acquisitions, waits;

byte owner[3];     /* the locks' words */
byte left = BUDGET; /* begun acquisitions: says which wait it is */
byte asks_for;     /* what is really being acquired */
bool over;         /* the reader has seen enough */

inline Push() {
#ifndef BREAK_P4_AFTER_P6
  if :: how == TRY -> held[count] = lock :: else fi;                         /* P4 */
#endif
#ifndef BREAK_P5_MISSING
  acquisitions++;                                                            /* P5 */
#endif
#ifndef BREAK_PUSH_BEFORE_ACQUIRE
  count++;                                                                   /* P6 */
#endif
#ifdef BREAK_P4_AFTER_P6
  held[count - 1] = lock;
#endif
  skip
}

/* The end of the wait, with or without the lock. */
inline ClearWait() {
  wait = 0;                                                                  /* P3 */
#ifndef BREAK_DETAILS_LEFT_BEHIND
  since = 0;
  object = 0;
#endif
#ifndef BREAK_WAITS_DO_NOT_MOVE
  if :: asks_for != 0 -> waits++ :: else fi
#else
  skip
#endif
}

inline Publish() {
#ifndef BREAK_P4_AFTER_P6
  held[count] = lock;                                                        /* P4 */
#endif
  /* A lock that looks free is waited for without details; it may look as it likes. */
  if
  :: skip
  :: true ->
#ifndef BREAK_P1_AFTER_P2
     object = lock;                                                          /* P1 */
     since = 1;                                                              /* P1 */
#endif
     waits++
  fi;
  d_step { wait = lock; timed = (how == TIMED) };                            /* P2 */
#ifdef BREAK_P1_AFTER_P2
  if :: skip :: object = lock; since = 1 fi
#endif
}

active proctype Thread() {
  byte lock, how;
  d_step { owner[1] = ME; held[0] = 1; count = 1 }; /* it may release it at once */
  do
  :: over -> break
  :: atomic {
       left > 0 && !over -> left--;
       if :: lock = 1 :: lock = 2 fi;
       if :: how = PLAIN :: how = TIMED :: how = TRY fi;
       asks_for = lock
     };
     if :: how != TRY -> Publish() :: else fi;
#ifdef BREAK_PUSH_BEFORE_ACQUIRE
     held[count] = lock;
     count++;
#endif
     if
     :: d_step { owner[lock] == NOBODY -> owner[lock] = ME; asks_for = 0 }
     :: how != PLAIN /* given up */
     :: over -> break
     fi;
#ifdef BREAK_P3_AFTER_P6
     if :: asks_for == 0 -> Push() :: else fi;
     if :: how != TRY -> ClearWait() :: else fi;
#else
     if :: how != TRY -> ClearWait() :: else fi;
     if :: asks_for == 0 -> Push() :: else fi;
#endif
#ifdef BREAK_PUSH_BEFORE_ACQUIRE
     if :: asks_for != 0 -> count-- :: else fi;
#endif
     d_step { lock = 0; asks_for = 0; how = PLAIN }
  :: count > 0 && !over ->
#ifdef BREAK_P7_AFTER_RELEASE
     owner[held[count - 1]] = NOBODY;
     count--
#else
     if
     :: d_step { lock = held[count - 1]; count-- }                           /* P7 */
     :: count == 2 -> /* not the newest */
        lock = held[0];
        held[0] = 0;
        held[0] = held[1];
        count--                                                              /* P7 */
     fi;
     d_step { owner[lock] = NOBODY; lock = 0 }
#endif
  :: break
  od
}

#define HELD_NOW ((owner[1] == ME) | ((owner[2] == ME) << 1))
#define NAMES(lock) \
  ((seen_count > 0 && seen_held[0] == lock) || (seen_count > 1 && seen_held[1] == lock))
#define NAMED (NAMES(1) | (NAMES(2) << 1))
#ifdef BREAK_COUNTERS_NOT_COMPARED
#define SAME_COUNTERS true
#else
#define SAME_COUNTERS (acquisitions == seen_acquisitions && waits == seen_waits)
#endif
#define SAME                                                               \
  (wait == seen_wait && timed == seen_timed && count == seen_count &&      \
   (count < 1 || held[0] == seen_held[0]) && (count < 2 || held[1] == seen_held[1]) && \
   SAME_COUNTERS)

active proctype Reader() {
  byte seen_acquisitions, seen_waits, seen_wait, seen_timed, seen_object, seen_count,
      seen_held[2], in_wait, at_count, at_end;
  bool torn, no_details;
  seen_acquisitions = acquisitions;                                          /* Q1 */
  seen_waits = waits;                                                        /* Q1 */
  d_step { seen_wait = wait; seen_timed = timed; in_wait = left };           /* Q2 */
  if
  :: seen_wait != 0 ->
     seen_object = object;                                                   /* Q3 */
     if :: since == 0 -> seen_object = 0; no_details = true :: else fi       /* Q3 */
  :: else
  fi;
  d_step { seen_count = count; at_count = HELD_NOW };                        /* Q4 */
  if :: seen_count > 0 -> seen_held[0] = held[0] :: else fi;                 /* Q5 */
  if :: seen_count > 1 -> seen_held[1] = held[1] :: else fi;                 /* Q5 */
  d_step {
    at_end = HELD_NOW;
#ifndef BREAK_COUNT_NOT_READ_AGAIN
    torn = count != seen_count
#endif
  };
  if :: torn -> goto done :: else -> torn = wait != seen_wait fi;
#ifndef BREAK_Q6_MISSING
  if :: torn -> goto done :: else -> torn = acquisitions != seen_acquisitions fi; /* Q6 */
  if :: torn -> goto done :: else -> torn = waits != seen_waits fi;               /* Q6 */
#endif
  if :: torn -> goto done :: else fi;
  assert((NAMED & ~(at_count | at_end)) == 0);                                     /* held */
  if :: seen_wait == 0 -> goto done :: else fi;
  assert((NAMED & ~(at_count & at_end)) == 0);                                     /* moment */
  assert(no_details || seen_object == seen_wait);                                  /* details */
  /* The second collect, at any later time. */
  if
  :: d_step { SAME -> assert(left == in_wait);                                     /* same */
              assert(!NAMES(wait) || (owner[wait] == ME && asks_for == wait)) }    /* beside */
  :: true
  fi;
done:
  skip;
  d_step {
    over = true;
    seen_acquisitions = 0; seen_waits = 0; seen_wait = 0; seen_timed = 0; seen_object = 0;
    seen_count = 0; seen_held[0] = 0; seen_held[1] = 0; in_wait = 0; at_count = 0; at_end = 0;
    torn = false; no_details = false
  }
}
