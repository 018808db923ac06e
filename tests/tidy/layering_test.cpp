// The project's own rules about its files, checked as any other promise.
#include "support/catch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path root = PAWL_SOURCES;

/// Who may include whom: a layer's own files and those of the layers before it.
const std::vector<std::string> layers{"runtime", "store", "actors", "lab"};

std::vector<fs::path> sources_of(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder))
    if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The files that `file` includes: `<pawl/x.hpp>` and `"layer/x.hpp"` as they are written, others
/// too.
std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"].*");
  std::vector<std::string> included;
  std::smatch match;
  for (const std::string& line : lines_of(file))
    if (std::regex_match(line, match, include)) included.push_back(match[1]);
  return included;
}

/// The layer whose public header `<pawl/NAME>` is.
std::map<std::string, std::string> layer_by_public_header() {
  std::map<std::string, std::string> layer_of;
  for (const std::string& layer : layers)
    for (const fs::path& file : sources_of(layer))
      if (file.parent_path() == root / layer / "include/pawl")
        layer_of["pawl/" + file.filename().string()] = layer;
  return layer_of;
}

std::size_t rank(const std::string& layer) {
  return static_cast<std::size_t>(std::find(layers.begin(), layers.end(), layer) - layers.begin());
}

bool begins_with(const std::string& text, const std::string& beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

}  // namespace

TEST_CASE("tidy: arrows between layers point one way", "[tidy]") {
  const auto public_headers = layer_by_public_header();
  REQUIRE(public_headers.size() > 20);
  for (const std::string& layer : layers)
    for (const fs::path& file : sources_of(layer))
      for (const std::string& included : includes_of(file)) {
        const auto header = public_headers.find(included);
        const std::string of = header != public_headers.end()
                                   ? header->second
                                   : included.substr(0, included.find('/'));
        INFO(file.lexically_relative(root).string() << " includes " << included);
        if (rank(of) < layers.size()) CHECK(rank(of) <= rank(layer));
        CHECK_FALSE((begins_with(included, "tools/") || begins_with(included, "tests/") ||
                     begins_with(included, "support/")));
        if (begins_with(included, "pawl/")) CHECK(header != public_headers.end());
      }
}

TEST_CASE("tidy: public headers show nothing private", "[tidy]") {
  const auto public_headers = layer_by_public_header();
  for (const std::string& layer : layers)
    for (const fs::path& file : sources_of(layer)) {
      if (file.parent_path() != root / layer / "include/pawl") continue;
      for (const std::string& included : includes_of(file)) {
        INFO(file.filename().string() << " includes " << included);
        const bool standard = included.find('/') == std::string::npos;
        const bool json = included == "nlohmann/json.hpp";
        const bool caf = begins_with(included, "caf/") && file.filename() == "step_actor.hpp";
        const bool catch2 = begins_with(included, "catch2/") && file.filename() == "lab_catch.hpp";
        CHECK((standard || json || caf || catch2 || public_headers.count(included) > 0));
      }
    }
}

TEST_CASE("tidy: each layer knows only what it may know", "[tidy]") {
  const std::map<std::string, std::vector<std::string>> forbidden{
      {"runtime",
       {"caf/", "SQLiteCpp/", "sqlite3.h", "thread", "mutex", "condition_variable", "chrono",
        "random", "future"}},
      {"store", {"caf/", "condition_variable", "future", "random"}},
      {"actors", {"SQLiteCpp/", "sqlite3.h"}},
      {"lab", {"SQLiteCpp/"}}};
  for (const auto& [layer, words] : forbidden)
    for (const fs::path& file : sources_of(layer))
      for (const std::string& included : includes_of(file))
        for (const std::string& word : words) {
          INFO(file.lexically_relative(root).string() << " includes " << included);
          CHECK_FALSE((word.back() == '/' ? begins_with(included, word) : included == word));
        }
}

TEST_CASE("tidy: nothing in the library prints, takes the real time, or includes all of CAF",
          "[tidy]") {
  const std::regex print("std::(cout|cerr|clog)|\\b(printf|puts|putchar)\\s*\\(");
  const std::regex time("(system_clock|steady_clock|high_resolution_clock)::now");
  for (const std::string& layer : layers)
    for (const fs::path& file : sources_of(layer)) {
      const std::string name = file.lexically_relative(root).string();
      for (const std::string& line : lines_of(file)) {
        INFO(name << ": " << line);
        CHECK_FALSE(std::regex_search(line, print));
        if (name != "actors/real_seams.cpp") CHECK_FALSE(std::regex_search(line, time));
        CHECK(line.find("caf/all.hpp") == std::string::npos);
        CHECK(line.find("using namespace caf") == std::string::npos);
      }
    }
}

TEST_CASE("tidy: files are rooms: none has more than 400 lines", "[tidy]") {
  for (const char* folder : {"runtime", "store", "actors", "lab", "tools", "examples", "bench"})
    for (const fs::path& file : sources_of(folder)) {
      INFO(file.lexically_relative(root).string());
      CHECK(lines_of(file).size() <= 400);
    }
}

TEST_CASE("tidy: examples are short and use public headers only", "[tidy]") {
  for (const fs::path& file : sources_of("examples")) {
    INFO(file.filename().string());
    CHECK(lines_of(file).size() <= 70);
    for (const std::string& included : includes_of(file))
      CHECK((included.find('/') == std::string::npos || begins_with(included, "pawl/") ||
             begins_with(included, "caf/")));
  }
}

TEST_CASE("tidy: test names can be named to Catch2 by CTest, and none stands twice", "[tidy]") {
  static const std::regex name("(?:TEST_CASE|STORE_TEST)\\(\\s*\"([^\"]*)\"");
  std::set<std::string> names;
  for (const fs::path& file : sources_of("tests")) {
    std::string text;
    for (const std::string& line : lines_of(file)) text += line + "\n";
    for (std::sregex_iterator match(text.begin(), text.end(), name), end; match != end; ++match) {
      const std::string test = (*match)[1];
      INFO(file.filename().string() << ": " << test);
      CHECK(test.find(';') == std::string::npos);
      CHECK(names.insert(test).second);
    }
  }
  CHECK(names.size() > 200);
}
