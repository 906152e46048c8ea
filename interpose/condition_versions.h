// Which symbol versions a condition function of ours answers to.
//
// Where glibc has two (x86-64), the old functions work on a pointer to a condition that
// they allocate. A reference to one version must never reach the other's hook, so both
// are exported by version (preload.map names them). Elsewhere there is one, and no version.
#pragma once

#ifdef __x86_64__
#define LOCKWARDEN_OLD_CONDITIONS 1
// `function` is exported as name@@GLIBC_2.3.2, and not by its own name.
#define LOCKWARDEN_NEW_VERSION(function, name) \
  __asm__(".symver " #function ", " #name "@@@GLIBC_2.3.2")
#define LOCKWARDEN_OLD_VERSION(function, name) \
  __asm__(".symver " #function ", " #name "@GLIBC_2.2.5, remove")
#define LOCKWARDEN_CONDITION(name) LockwardenNew_##name
#else
#define LOCKWARDEN_NEW_VERSION(function, name) static_assert(true)
#define LOCKWARDEN_CONDITION(name) name
#endif
