#include <pawl/kill_points.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace pawl;
using lab::PointVisit;

namespace {

/// Runs `work` in a child process with its points armed by `environment`, and says how it ended.
template <class Work>
int in_child(const std::map<std::string, std::string>& environment, Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (!lab::arm_points_from_environment()) ::_exit(9);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void three_points() {
  point("one", "r1", "a", 1);
  point("two");
  point("one", "r1", "a", 1);
}

}  // namespace

TEST_CASE("points: a visit reads back from its text", "[lab]") {
  for (const PointVisit& visit :
       {PointVisit{"step.before_body", "a", 2, 1}, PointVisit{"store.before_begin", "", 0, 7}})
    CHECK(PointVisit::parse(visit.text()).value() == visit);
  for (const char* bad :
       {"", "x", "x/y", "x/y/1", "x/y/1/0", "x/y/z/1", "/y/1/1", "x/y/-1/1", "x/y/1/1x"}) {
    CAPTURE(bad);
    CHECK(PointVisit::parse(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("points: nobody listens unless somebody is armed", "[lab]") {
  CHECK_FALSE(points_armed());
  point("one");  // and nothing happens
  static int heard;
  heard = 0;
  arm_points([](const PointHit& hit) { heard += hit.attempt; });
  CHECK(points_armed());
  point("one", "r1", "a", 5);
  arm_points(nullptr);
  point("one", "r1", "a", 5);
  CHECK(heard == 5);
}

TEST_CASE("points: a trace tells every visit, in order, with its count", "[lab]") {
  TempFolder folder;
  CHECK(in_child({{"PAWL_POINT_TRACE", folder / "trace"}}, three_points) == 0);
  CHECK(file_text(folder / "trace") == "one/a/1/1\ntwo//0/1\none/a/1/2\n");
  CHECK(lab::read_point_trace(folder / "trace").value().size() == 3);
  CHECK(lab::read_point_trace(folder / "none").error().code == Errc::io);
}

TEST_CASE("points: the process dies at its visit and not before", "[lab]") {
  TempFolder folder;
  const auto dies_at = [&](const std::string& visit) {
    ::unlink((folder / "trace").c_str());
    return in_child({{"PAWL_POINT_TRACE", folder / "trace"}, {"PAWL_KILL_AT", visit}},
                    three_points);
  };
  CHECK(dies_at("two//0/1") == -SIGKILL);
  CHECK(file_text(folder / "trace") == "one/a/1/1\ntwo//0/1\n");
  CHECK(dies_at("one/a/1/2") == -SIGKILL);
  CHECK(file_text(folder / "trace") == "one/a/1/1\ntwo//0/1\none/a/1/2\n");
  CHECK(dies_at("one/a/1/3") == 0);
}

TEST_CASE("points: orders that cannot be read are refused", "[lab]") {
  CHECK(in_child({{"PAWL_KILL_AT", "nonsense"}}, [] {}) == 9);
  CHECK(in_child({{"PAWL_POINT_TRACE", "/none/trace"}}, [] {}) == 9);
}
