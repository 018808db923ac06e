#include "runtime/rare.hpp"

#include "support/catch.hpp"

#include <string>
#include <utility>

using pawl::Rare;

TEST_CASE("rare: a copy has a value of its own", "[runtime]") {
  Rare<std::string> one;
  CHECK_FALSE(one);
  CHECK_FALSE(Rare<std::string>(one));
  one = std::string("a");
  Rare<std::string> other(one);
  REQUIRE(other);
  CHECK(&*other != &*one);
  other = std::string("b");
  CHECK(*one == "a");
  one = other;
  CHECK(*one == "b");
  const Rare<std::string>& itself = one;
  one = itself;
  CHECK(*one == "b");
  other.reset();
  CHECK_FALSE(other.has_value());
  CHECK(one->size() == 1);
  const Rare<std::string> moved(std::move(one));
  CHECK(*moved == "b");
}
