// New images, and what a program tells the kernel of itself.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "row.h"

extern char** environ;
static char* const kSay[] = {(char*)"sh", (char*)"-c", (char*)"echo $0 $1 $WORD; exit 5",
                             (char*)"one", (char*)"two", NULL};

// One word, and what brings the preload along: without it a line would be due.
static char* const* Word(void) {
  static char* environment[] = {(char*)"WORD=three", NULL, NULL};
  for (char** entry = environ; *entry != NULL; ++entry) {
    if (strncmp(*entry, "LD_PRELOAD=", 11) == 0) environment[1] = *entry;
  }
  return environment;
}

enum { kShell, kMissing };
static const char* Path(int which) { return which == kShell ? "/bin/sh" : "/nonexistent/sh"; }
static const char* File(int which) { return which == kShell ? "sh" : "nonexistent-sh"; }

// What has been printed must not wait for the end of a child that ends by _exit.
#define TRY(call)     \
  do {                \
    SHOW_VALUE(call); \
    fflush(stdout);   \
  } while (0)

// Each becomes another image, or says why not.
static void Execve(void* which) { TRY(execve(Path(*(int*)which), kSay, Word())); }
static void Execv(void* which) { TRY(execv(Path(*(int*)which), kSay)); }
static void Execvp(void* which) { TRY(execvp(File(*(int*)which), kSay)); }
static void Execvpe(void* which) { TRY(execvpe(File(*(int*)which), kSay, Word())); }
static void Execl(void* which) {
  TRY(execl(Path(*(int*)which), "sh", "-c", "echo $0 $1; exit 6", "a", "b", NULL));
}
static void Execlp(void* which) {
  TRY(execlp(File(*(int*)which), "sh", "-c", "echo $0 $1; exit 7", "a", "b", NULL));
}
static void Execle(void* which) {
  TRY(execle(Path(*(int*)which), "sh", "-c", "echo $0 $WORD; exit 8", "a", NULL, Word()));
}
static void Fexecve(void* which) {
  TRY(fexecve(*(int*)which == kShell ? open("/bin/sh", O_RDONLY) : -1, kSay, Word()));
}
static void Execveat(void* which) {
  TRY(execveat(AT_FDCWD, Path(*(int*)which), kSay, Word(), 0));
}

static void EveryExec(void) {
  static void (*const ways[])(void*) = {Execve, Execv,  Execvp,  Execvpe, Execl,
                                        Execlp, Execle, Fexecve, Execveat};
  for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); ++i) {
    for (int which = kShell; which <= kMissing; ++which) SHOW_VALUE(InChild(ways[i], &which));
  }
}

static int Status(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void Spawn(void) {
  pid_t child = -1;
  fflush(stdout);
  SHOW(posix_spawn(&child, "/bin/sh", NULL, NULL, kSay, Word()));
  SHOW_VALUE(Status(child));
  SHOW(posix_spawn(&child, "/nonexistent/sh", NULL, NULL, kSay, Word()));
  fflush(stdout);
  SHOW(posix_spawnp(&child, "sh", NULL, NULL, kSay, environ));
  SHOW_VALUE(Status(child));
  SHOW(posix_spawnp(&child, "nonexistent-sh", NULL, NULL, kSay, environ));
}

static void Shell(void) {
  char line[64] = "";
  fflush(stdout);
  SHOW_VALUE(WEXITSTATUS(system("echo from the shell; exit 4")));
  SHOW_VALUE(system(NULL) != 0);
  FILE* stream = popen("echo through a pipe; exit 3", "r");
  Print("%d %s", fgets(line, sizeof line, stream) != NULL, line);
  SHOW_VALUE(WEXITSTATUS(pclose(stream)));
  errno = kUntouched;
  stream = popen("true", "neither");
  Print("stream %d, errno %s\n", stream != NULL, ErrorName(errno));
}

static void Prctl(void) {
  char name[16] = "";
  SHOW_VALUE(prctl(PR_SET_NAME, "renamed"));
  SHOW_VALUE(prctl(PR_GET_NAME, name));
  Print("%s\n", name);
  SHOW_VALUE(prctl(PR_GET_SECCOMP) >= 0);
  SHOW_VALUE(prctl(PR_SET_SECCOMP, 99, NULL));
  SHOW_VALUE(prctl(-1, 0, 0, 0, 0));
}

static void MemoryLock(void) {
  SHOW(mlockall(0));
  SHOW(mlockall(1 << 20));
  SHOW(mlockall(MCL_ONFAULT));
  SHOW(mlockall(MCL_CURRENT | MCL_ONFAULT));
  SHOW(munlockall());
}

const struct Row kImageRows[] = {
    {"execve execv execvp execvpe execl execlp execle fexecve execveat",
     "a shell, and what is not there", EveryExec},
    {"posix_spawn posix_spawnp", "a shell, and what is not there", Spawn},
    {"system popen", "a shell, and a mode that is none", Shell},
    {"prctl", "a name, a bad option", Prctl},
    {"mlockall", "what exists, flags that do not", MemoryLock},
    {0}};
