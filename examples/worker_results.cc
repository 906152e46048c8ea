// A worker that returns results: each request brings a Promise along, and the client holds its
// Future. What goes wrong in the worker is thrown where the result is asked for.
//
// Shows: Thread, Promise and Future. expect_from() tells Lockwarden whom the client waits for, so
// that a worker and a client that wait for each other are found. Try
//   lockwarden run -- build/bin/worker_results [REQUESTS]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

class Worker {
 public:
  ~Worker() {
    requests_.close();
    thread_.join();
  }

  lockwarden::Future<double> Divide(double a, double b) {
    Request request{a, b, lockwarden::Promise<double>("quotient")};
    lockwarden::Future<double> result = request.result.get_future();
    result.expect_from(thread_);
    requests_.push(std::move(request));
    return result;
  }

 private:
  struct Request {
    double a, b;
    lockwarden::Promise<double> result;
  };

  void Run() {
    while (std::optional<Request> request = requests_.pop()) {
      try {
        if (request->b == 0) throw std::domain_error("division by zero");
        request->result.set_value(request->a / request->b);
      } catch (...) {
        request->result.set_exception(std::current_exception());
      }
    }
  }

  lockwarden::Queue<Request> requests_{0, "requests"};
  lockwarden::Thread thread_{"worker", [this] { Run(); }};  // last: it uses what stands above
};

}  // namespace

int main(int argc, char** argv) {
  const int requests = argc > 1 ? std::atoi(argv[1]) : 100;
  Worker worker;
  std::vector<lockwarden::Future<double>> results;
  for (int i = 1; i <= requests; ++i) results.push_back(worker.Divide(i * i, i));
  double sum = 0;
  for (auto& result : results) sum += result.get();
  std::printf("sum of the quotients %.0f\n", sum);
  try {
    worker.Divide(1, 0).get();
  } catch (const std::domain_error& error) {
    std::printf("%s\n", error.what());
  }
}
