// Communicating sequential processes: the sieve of primes, after C. A. R. Hoare (1978).
//
// Shows: Queue as a channel of one place between threads that share nothing else. Each prime that
// is found gets a thread, which lets through what it does not divide. When the first channel is
// closed the end of the stream runs down the pipeline, and each stage closes the next. Try
//   lockwarden run -- build/bin/pipeline [PRIMES_BELOW]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using Channel = lockwarden::Queue<int>;

std::shared_ptr<Channel> NewChannel() { return std::make_shared<Channel>(1, "channel"); }

void Generate(int below, Channel& out) {
  for (int number = 2; number < below; ++number) out.push(number);
  out.close();
}

void Filter(int prime, Channel& in, Channel& out) {
  while (const std::optional<int> number = in.pop()) {
    if (*number % prime != 0) out.push(*number);
  }
  out.close();
}

}  // namespace

int main(int argc, char** argv) {
  const int below = argc > 1 ? std::atoi(argv[1]) : 60;
  std::vector<std::jthread> stages;
  std::shared_ptr<Channel> in = NewChannel();
  stages.emplace_back([below, in] { Generate(below, *in); });
  // What comes out of the last stage is a prime, and becomes the next stage.
  while (const std::optional<int> prime = in->pop()) {
    std::printf("%d ", *prime);
    auto out = NewChannel();
    stages.emplace_back([prime = *prime, in, out] { Filter(prime, *in, *out); });
    in = out;
  }
  std::putchar('\n');
}
