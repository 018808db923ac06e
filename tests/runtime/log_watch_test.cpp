#include "runtime/log_watch.hpp"

#include "support/catch.hpp"

using namespace pawl;
using News = LogWatch::News;

TEST_CASE(
    "log watch: a log that is held is told of at the bound, at each doubling, and when it is "
    "over",
    "[runtime]") {
  LogWatch watch(100);
  CHECK(watch.on_commit(99, true) == News::none);
  CHECK(watch.on_commit(100, true) == News::grows);
  CHECK(watch.on_commit(199, true) == News::none);
  CHECK(watch.on_commit(200, true) == News::grows);
  CHECK(watch.on_commit(900, true) == News::grows);  // two doublings at once are one news
  CHECK(watch.on_commit(1599, true) == News::none);
  CHECK(watch.on_commit(1600, true) == News::grows);
  CHECK(watch.on_commit(10, false) == News::over);
  CHECK(watch.on_commit(20, false) == News::none);
  CHECK(watch.on_commit(100, true) == News::grows);
  // Begun anew by a large commit: that is over as well.
  CHECK(watch.on_commit(99, false) == News::over);
}

TEST_CASE("log watch: one large commit is no news, nor is anything without a bound", "[runtime]") {
  LogWatch watch(100);
  CHECK(watch.on_commit(5000, false) == News::none);
  CHECK(watch.on_commit(10, false) == News::none);
  LogWatch silent(0);
  CHECK(silent.on_commit(5000, true) == News::none);
  CHECK(silent.on_commit(10, true) == News::none);
}
