// Whole outputs kept beside the tests, so that a change of them is seen in a review.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace lockwarden {

// The content of golden/NAME. With LOCKWARDEN_UPDATE_GOLDEN set in the environment,
// `actual` is written there first.
inline std::string Golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(LOCKWARDEN_GOLDEN_DIRECTORY) + "/" + name;
  if (std::getenv("LOCKWARDEN_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace lockwarden
