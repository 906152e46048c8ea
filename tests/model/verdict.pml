/*
 * The double collect and the witnesses of watchdog/deadlock_detector.h: two threads that take
 * two mutexes in every way, and a reader that looks at them at any time. Checked exhaustively
 * by model_test.py; each step can be broken by -DBREAK_..., and then an assertion must fail.
 *
 * A record is copied in one step, and changes in few: copy.pml shows that a whole copy of a
 * thread that waits is that of one moment, and no other thread's copy counts here.
 *
 * Without -DCHEATS the program is honest, and neither lock words nor the kernel are asked:
 *   never false   a deadlock is said only if there is one now;
 *   found         once nothing moves any more, one is said exactly if there is one.
 * With it thread 0 may leave a wait by longjmp, out of a signal handler, and a thread that is not
 * recorded may take a mutex from the one that holds it, before the reader looks. All
 * witnesses are asked:
 *   never false   a deadlock is said only if, at a moment of the look, there was one. (Another
 *                 signal may have ended it since.)
 */
#ifdef CHEATS
#define BUDGET(me) (2 - (me)) /* further acquisitions, each with one lock to begin with */
#else
#define BUDGET(me) 2 /* acquisitions of each thread */
#endif
#define NOBODY 0
#define STRANGER 3 /* a thread that is not recorded */
#define OWNED_BY(thread) ((thread) + 1)

/* The ledger. Locks are 1 and 2; 0 is none. `moves` stands for both counters. */
typedef Record {
  byte wait, timed, moves;
  bool holds[3]
};
Record record[2];

/* The program's memory and the kernel. */
byte owner[3];              /* the lock's word */
byte asleep[2], limited[2]; /* on which word; with a time limit */

/* What is really so. */
byte waits_for[2];   /* in an acquire without a time limit */
bool looking, over;
byte was_so;         /* deadlocks that stood at some moment of this look */
#define SELF(t) (waits_for[t] != 0 && owner[waits_for[t]] == OWNED_BY(t))
#define CROSSWISE                                                                  \
  (waits_for[0] != 0 && waits_for[1] != 0 && owner[waits_for[0]] == OWNED_BY(1) && \
   owner[waits_for[1]] == OWNED_BY(0))
#define DEADLOCKS (SELF(0) | (SELF(1) << 1) | (CROSSWISE << 2))

proctype Thread(byte me) {
  byte lock, left = BUDGET(me);
  bool with_limit, acquired, stale, left_one;
  do
  :: over -> break
  :: !over && left > 0 ->
     d_step {
       left--;
       if :: stale -> record[me].moves++; stale = false :: else fi /* dropped by the next hook */
     };
     atomic {
       if :: lock = 1 :: lock = 2 fi;
       if :: with_limit = false :: with_limit = true fi;
       d_step {
#ifndef BREAK_WAIT_NOT_PUBLISHED
         record[me].wait = lock;                                             /* P2 */
#endif
#ifndef BREAK_TIME_LIMIT_NOT_PUBLISHED
         record[me].timed = with_limit;
#endif
         if :: !with_limit -> waits_for[me] = lock :: else fi;
         if :: looking -> was_so = was_so | DEADLOCKS :: else fi
       }
     };
     do
     :: d_step {
          owner[lock] == NOBODY ->
          owner[lock] = OWNED_BY(me); acquired = true; waits_for[me] = 0
        };
        break
     :: d_step { owner[lock] != NOBODY -> asleep[me] = lock; limited[me] = with_limit };
        if
        :: asleep[me] == 0 -> limited[me] = false
        :: with_limit -> d_step { asleep[me] = 0; limited[me] = false }; break
#ifdef CHEATS
        :: !with_limit && me == 0 && !left_one ->
           d_step { asleep[me] = 0; waits_for[me] = 0; left_one = true; stale = true };
           break
#endif
        fi
     od;
     if
     :: stale -> skip
     :: else ->
        d_step { record[me].wait = 0; record[me].timed = 0 };                /* P3 */
        d_step {                                                             /* P5, P6 */
          if :: acquired -> record[me].holds[lock] = true :: else fi;
          record[me].moves++
        }
     fi;
     d_step { lock = 0; acquired = false; with_limit = false }
  :: !over && (record[me].holds[1] || record[me].holds[2]) ->
     atomic {
       if
       :: record[me].holds[1] -> lock = 1
       :: record[me].holds[2] -> lock = 2
       fi;
       d_step {
         if
         :: stale -> record[me].wait = 0; record[me].timed = 0; record[me].moves++; stale = false
         :: else
         fi;
         record[me].holds[lock] = false                                      /* P7 */
       }
     };
     if
     :: d_step { owner[lock] == OWNED_BY(me) -> owner[lock] = NOBODY };
        d_step { /* the wake-up */
          if :: asleep[1 - me] == lock -> asleep[1 - me] = 0 :: else fi;
          lock = 0
        }
     :: else -> lock = 0
     fi
  :: !over -> break /* it goes on without locks, or for ever with those that it has */
  od
}

#ifdef CHEATS
proctype Stranger() {
  if
  :: d_step { !looking && owner[1] != NOBODY -> owner[1] = STRANGER }
  :: true
  fi
}
#endif

/* First sight. */
Record sight[2];
inline Collect(t) {
  d_step {
    sight[t].wait = record[t].wait;
    sight[t].timed = record[t].timed;
    sight[t].moves = record[t].moves;
    sight[t].holds[1] = record[t].holds[1];
    sight[t].holds[2] = record[t].holds[2]
  }
}
#define BLOCKED(t) (sight[t].wait != 0 && !sight[t].timed)

#define MOVED(t)                                                                     \
  (sight[t].wait != record[t].wait || sight[t].timed != record[t].timed ||           \
   sight[t].holds[1] != record[t].holds[1] || sight[t].holds[2] != record[t].holds[2] || \
   sight[t].moves != record[t].moves)
inline CollectAgain(t) {
  if :: MOVED(t) -> goto nothing :: else fi
}

/* Whom does the lock's word name? Does the thread sleep on that word, without a limit? */
inline AskWitnesses(t, holder) {
#ifdef CHEATS
#ifndef BREAK_LOCK_WORD_NOT_ASKED
  if :: owner[sight[t].wait] != OWNED_BY(holder) -> goto nothing :: else fi;
#endif
#ifndef BREAK_KERNEL_NOT_ASKED
  if :: asleep[t] != sight[t].wait || limited[t] -> goto nothing :: else fi;
#endif
#endif
  skip
}

inline Say(which) {
  d_step {
    said = true;
    assert(was_so & which);
#ifndef CHEATS
    assert(DEADLOCKS & which);
#endif
  }
}

inline LookAtItself(t) {
#ifndef BREAK_COLLECTED_ONCE
  CollectAgain(t);
#endif
  AskWitnesses(t, t);
#if !defined(BREAK_COLLECTED_ONCE) && !defined(BREAK_NOT_READ_ONCE_MORE)
  CollectAgain(t);
#endif
  Say(1 << t)
}

inline LookAtBoth() {
#ifndef BREAK_COLLECTED_ONCE
  CollectAgain(0);
  CollectAgain(1);
#endif
  if
  :: true -> AskWitnesses(0, 1); AskWitnesses(1, 0)
  :: true -> AskWitnesses(1, 0); AskWitnesses(0, 1)
  fi;
#if !defined(BREAK_COLLECTED_ONCE) && !defined(BREAK_NOT_READ_ONCE_MORE)
  CollectAgain(0);
  CollectAgain(1);
#endif
  Say(4)
}

active proctype Reader() {
  bool said, quiet;
  atomic {
#ifdef CHEATS
    d_step {
      owner[1] = OWNED_BY(0); record[0].holds[1] = true;
      owner[2] = OWNED_BY(1); record[1].holds[2] = true
    };
#endif
    run Thread(0);
    run Thread(1);
#ifdef CHEATS
    run Stranger();
#endif
  };
#ifndef CHEATS
  if
  :: true                            /* at any time */
  :: true -> timeout -> quiet = true /* once nothing moves any more */
  fi;
#endif
  d_step { looking = true; was_so = DEADLOCKS };
  Collect(0);
  if
  :: BLOCKED(0) && sight[0].holds[sight[0].wait] -> LookAtItself(0); goto nothing
  /* Thread 1 by itself is as thread 0, who also cheats. */
  :: !BLOCKED(0) && !quiet -> goto nothing
  :: else
  fi;
  Collect(1);
  if
  :: BLOCKED(0) && BLOCKED(1) && sight[1].holds[sight[0].wait] && sight[0].holds[sight[1].wait] ->
     LookAtBoth()
  :: BLOCKED(1) && sight[1].holds[sight[1].wait] && quiet -> LookAtItself(1)
  :: else
  fi;
nothing:
  skip;
  d_step {
#ifndef CHEATS
    assert(!quiet || said == (DEADLOCKS != 0));
#endif
    over = true
  }
}
