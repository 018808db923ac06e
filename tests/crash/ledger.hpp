// What the world outside saw of a run's steps: a file to which each step's own program adds a line.
#pragma once

#include <fstream>
#include <map>
#include <set>
#include <string>

namespace pawl {

struct Ledger {
  /// Lines of the form `KEY`, one per effect.
  explicit Ledger(const std::string& path) {
    std::ifstream lines(path);
    for (std::string key; std::getline(lines, key);) ++effects[key];
  }

  int count(const std::string& key) const {
    const auto found = effects.find(key);
    return found == effects.end() ? 0 : found->second;
  }

  std::set<std::string> keys() const {
    std::set<std::string> all;
    for (const auto& [key, count] : effects) all.insert(key);
    return all;
  }

  std::map<std::string, int> effects;  ///< how often each key's effect happened
};

}  // namespace pawl
