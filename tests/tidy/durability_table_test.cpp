// The table of docs/durability.md is made of docs/promises.json, which says what happens and which
// tests show it, and docs/figures.tsv, which the tests themselves have counted.
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace fs = std::filesystem;

namespace {

const fs::path project = PAWL_SOURCES;
const std::string table_begin = "<!-- made of promises.json and figures.tsv by ./dev figures -->\n";
const std::string table_end = "<!-- end -->\n";

std::string text_of_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json promises() {
  return nlohmann::json::parse(text_of_file(project / "docs/promises.json"));
}

/// Figures by key, each with its day.
std::map<std::string, std::string> figures() {
  std::map<std::string, std::string> all;
  std::ifstream file(project / "docs/figures.tsv");
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    std::string key, figure, day;
    std::getline(cells, key, '\t');
    std::getline(cells, figure, '\t');
    std::getline(cells, day, '\t');
    all[key] = figure + " (" + day + ")";
  }
  return all;
}

std::string joined(const std::string& all, const std::string& one) {
  return all.empty() ? one : all + "<br>" + one;
}

std::string table() {
  const std::map<std::string, std::string> counted = figures();
  std::string text = "| fault | what happens | shown by | counted |\n|---|---|---|---|\n";
  for (const nlohmann::json& promise : promises()) {
    std::string tests, numbers;
    for (const std::string name : promise["shown_by"]) tests = joined(tests, "`" + name + "`");
    for (const std::string key : promise["figures"]) {
      INFO("docs/figures.tsv has no figure " << key << "; ./dev figures counts it");
      REQUIRE(counted.count(key) == 1);
      numbers = joined(numbers, counted.at(key));
    }
    text += "| " + promise["fault"].get<std::string>() + " | " +
            promise["what_happens"].get<std::string>() + " | " + tests + " | " + numbers + " |\n";
  }
  return text;
}

/// The text of the literals at `at`; those that follow each other are one.
std::string literals_at(const std::string& source, std::size_t at) {
  std::string text;
  while ((at = source.find_first_not_of(" \n", at)) != std::string::npos && source[at] == '"') {
    const auto close = source.find('"', at + 1);
    text += source.substr(at + 1, close - at - 1);
    at = close + 1;
  }
  return text;
}

/// The names of all test cases in the sources.
std::set<std::string> names_of_tests() {
  // In halves, or this would be one.
  const std::map<std::string, std::string> prefix_by_macro{
      {std::string("TEST_") + "CASE(", ""}, {std::string("STORE_") + "TEST(", "store: "}};
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(project / "tests")) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
    const std::string source = text_of_file(entry.path());
    for (const auto& [macro, prefix] : prefix_by_macro)
      for (auto at = source.find(macro); at != std::string::npos; at = source.find(macro, at + 1))
        names.insert(prefix + literals_at(source, at + macro.size()));
  }
  return names;
}

}  // namespace

TEST_CASE("tidy: every promise names tests that there are", "[tidy]") {
  const std::set<std::string> names = names_of_tests();
  CHECK(names.size() > 500);
  const nlohmann::json all = promises();
  CHECK(all.size() > 15);
  for (const nlohmann::json& promise : all) {
    INFO(promise["fault"].get<std::string>());
    CHECK(!promise["shown_by"].empty());
    for (const std::string name : promise["shown_by"]) {
      INFO("no test is called " << name);
      CHECK(names.count(name) == 1);
    }
  }
}

TEST_CASE("tidy: the table of docs/durability.md is what its sources give", "[tidy]") {
  const fs::path path = project / "docs/durability.md";
  const std::string text = text_of_file(path);
  const auto begin = text.find(table_begin);
  const auto end = text.find(table_end, begin);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const auto from = begin + table_begin.size();
  if (std::getenv("PAWL_WRITE_TABLE") != nullptr)
    std::ofstream(path) << text.substr(0, from) + table() + text.substr(end);
  INFO(
      "docs/promises.json or docs/figures.tsv has changed: ./dev figures --table writes the table "
      "anew");
  CHECK(text_of_file(path).substr(from, end - from).size() > 1000);
  CHECK((std::getenv("PAWL_WRITE_TABLE") != nullptr || text.substr(from, end - from) == table()));
}
