// Cuts by counting brackets from the end of the name; see function_name.h.
#include "watchdog/function_name.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace lockwarden {
namespace {

constexpr absl::string_view kOperator = "operator";

bool IsWordCharacter(char c) { return c == '_' || (c >= '0' && c <= '9') || (c | 32) >= 'a'; }

// Where the word "operator" begins, outside any brackets; npos if it does not occur.
// What follows it may hold brackets and spaces that belong to the name.
size_t FindOperator(absl::string_view name) {
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && absl::StartsWith(name.substr(i), kOperator) &&
        (i == 0 || !IsWordCharacter(name[i - 1])) &&
        (i + kOperator.size() == name.size() || !IsWordCharacter(name[i + kOperator.size()]))) {
      return i;
    }
    if (name[i] == '(' || name[i] == '<' || name[i] == '{') ++depth;
    if (name[i] == ')' || name[i] == '>' || name[i] == '}') --depth;
  }
  return absl::string_view::npos;
}

// Drops what follows the parameters: " const", " &", " [clone .cold]", "[abi:cxx11]".
absl::string_view WithoutQualifiers(absl::string_view name) {
  if (const size_t clone = name.find(" [clone"); clone != name.npos) name = name.substr(0, clone);
  bool again = true;
  while (again) {
    again = absl::ConsumeSuffix(&name, " const") || absl::ConsumeSuffix(&name, " volatile") ||
            absl::ConsumeSuffix(&name, " &") || absl::ConsumeSuffix(&name, " &&") ||
            absl::ConsumeSuffix(&name, " noexcept");
  }
  return name;
}

absl::string_view WithoutParameters(absl::string_view name) {
  if (name.empty() || name.back() != ')') return name;
  int depth = 0;
  for (size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] != '(' || --depth != 0) continue;
    // "operator()" with its parameters cut already, or "(anonymous namespace)" alone.
    const absl::string_view rest = name.substr(0, i);
    return rest.empty() || absl::EndsWith(rest, kOperator) ? name : rest;
  }
  return name;
}

absl::string_view WithoutReturnType(absl::string_view name) {
  const size_t end = FindOperator(name);  // "operator bool": that space is the name's own
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < name.size() && i < end; ++i) {
    if (name[i] == '(' || name[i] == '<' || name[i] == '{') ++depth;
    if (name[i] == ')' || name[i] == '>' || name[i] == '}') --depth;
    // "main() const::{lambda()#1}": that space is within the name.
    const absl::string_view rest = name.substr(i + 1);
    if (name[i] == ' ' && depth == 0 && !absl::StartsWith(rest, "const") &&
        !absl::StartsWith(rest, "&")) {
      begin = i + 1;
    }
  }
  return name.substr(begin);
}

}  // namespace

std::string WithoutSignature(absl::string_view demangled) {
  const absl::string_view unqualified = WithoutQualifiers(demangled);
  const absl::string_view name = WithoutReturnType(WithoutParameters(unqualified));
  return std::string(name.empty() ? demangled : name);
}

std::string WithoutCloneSuffix(const std::string& symbol) {
  size_t end = symbol.size();
  for (const char* mark : {".constprop.", ".isra.", ".part.", ".lto_priv.", ".llvm.", ".cold"}) {
    end = std::min(end, symbol.find(mark));
  }
  return symbol.substr(0, end);
}

std::string ReadableFunctionName(const char* symbol) {
  if (symbol == nullptr) return "";
  if (!absl::StartsWith(symbol, "_Z")) return WithoutCloneSuffix(symbol);
  int status = 0;
  char* demangled = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
  if (demangled == nullptr) return symbol;
  std::string name = status == 0 ? WithoutSignature(demangled) : symbol;
  std::free(demangled);
  return name;
}

}  // namespace lockwarden
