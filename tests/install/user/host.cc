// Holds a lock of its own while a plugin takes another.
#include <dlfcn.h>

#include <cstdio>
#include <mutex>

#include <lockwarden/lockwarden.h>

int main(int, char** arguments) {
  static lockwarden::LockClass high("high", {.rank = 2});
  lockwarden::Lock lock(high);
  void* const plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return std::puts(dlerror()), 1;
  const auto run = reinterpret_cast<int (*)()>(dlsym(plugin, "PluginIsRefused"));
  const std::scoped_lock held(lock);
  std::puts(run != nullptr && run() != 0 ? "one recorder" : "two recorders");
  return 0;
}
