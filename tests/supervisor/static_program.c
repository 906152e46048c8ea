/* Linked with -static: a preload means nothing to it. */
#include <stdio.h>

int main(void) {
  puts("static");
  return 4;
}
