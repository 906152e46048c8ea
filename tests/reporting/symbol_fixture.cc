// A small library whose functions call back, so that a test finds return addresses in
// known functions, at known lines, some of them inlined. #line makes the lines known.

namespace fixture {

__attribute__((always_inline)) inline void Inner(void (*capture)()) {
#line 100 "inner.h"
  capture();
  asm volatile("");
}

class Outer {
 public:
  __attribute__((always_inline)) void Middle(void (*capture)()) {
#line 200 "middle.h"
    Inner(capture);
    asm volatile("");
  }
  __attribute__((noinline)) void Run(void (*capture)(), int depth) {
    if (depth > 0) {
#line 300 "symbol_fixture.cc"
      Run(capture, depth - 1);
      asm volatile("");
    } else {
#line 310 "symbol_fixture.cc"
      Middle(capture);
      asm volatile("");
    }
  }
};

// Not exported: without a symbol table it has no name.
namespace {
__attribute__((noinline)) void Hidden(void (*capture)()) {
  Outer outer;
#line 400 "symbol_fixture.cc"
  outer.Run(capture, 1);
  asm volatile("");
}
}  // namespace

}  // namespace fixture

extern "C" __attribute__((visibility("default"))) void fixture_run(void (*capture)()) {
#line 500 "symbol_fixture.cc"
  fixture::Hidden(capture);
  asm volatile("");
}
