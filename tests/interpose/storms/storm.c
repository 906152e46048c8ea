// storms NAME SEED ROUNDS [PLUGIN...]: one storm; 0 rounds are the storm's own number.
#include "storm.h"

#include <string.h>
#include <unistd.h>

const char* plugin_paths[8];
int plugin_count;

static const struct Storm kStorms[] = {
    {"churn", Churn, 4000},         {"end-holding", EndHolding, 1500},
    {"forks", Forks, 240},          {"cancellations", Cancellations, 900},
    {"signals", Signals, 20000},    {"libraries", Libraries, 400},
    {"mixed", Mixed, 300},
};

int main(int count, char** arguments) {
  if (count < 4) return 64;
  for (int i = 4; i < count && plugin_count < 8; ++i) plugin_paths[plugin_count++] = arguments[i];
  alarm(600);
  for (size_t i = 0; i < sizeof(kStorms) / sizeof(kStorms[0]); ++i) {
    if (strcmp(kStorms[i].name, arguments[1]) != 0) continue;
    const int rounds = atoi(arguments[3]);
    kStorms[i].run(strtoull(arguments[2], NULL, 10), rounds == 0 ? kStorms[i].rounds : rounds);
    return 0;
  }
  return 64;
}
