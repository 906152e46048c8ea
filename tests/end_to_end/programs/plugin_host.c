// A C program that knows no C++ but for a plugin, which brings its runtime library along:
// `plugin_host PLUGIN KIND [healthy]` does in it what stuck_cxx does.
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char** arguments) {
  if (count < 3) return 64;
  void* const plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int (*run)(int, char**);
  *(void**)&run = dlsym(plugin, "RunStuck");
  const int result = run(count - 1, arguments + 1);
  dlclose(plugin);
  return result;
}
