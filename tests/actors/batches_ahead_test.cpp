// What is written ahead, and what of it a sync makes durable.
#include "actors/batches_ahead.hpp"

#include "support/catch.hpp"

namespace pawl {

TEST_CASE("batches ahead: a sync covers what was there when it began", "[actors]") {
  BatchesAhead<int> ahead;
  CHECK(ahead.empty());
  CHECK_FALSE(ahead.is_syncing());
  ahead.add(1);
  const auto sync = ahead.sync_begins();
  CHECK(ahead.is_syncing());
  CHECK_FALSE(ahead.full());
  ahead.add(2);
  CHECK(ahead.full());
  CHECK(ahead.durable_by(sync) == 1);
  CHECK(ahead.take_oldest() == 1);
  CHECK_FALSE(ahead.is_syncing());
  CHECK(ahead.size() == 1);

  const auto next = ahead.sync_begins();
  CHECK(ahead.durable_by(next) == 1);
  CHECK(ahead.durable_by(sync) == 0);
}

TEST_CASE("batches ahead: a sync that ends when all was settled without it settles nothing",
          "[actors]") {
  BatchesAhead<int> ahead;
  ahead.add(1);
  const auto sync = ahead.sync_begins();
  ahead.add(2);
  CHECK(ahead.take_oldest() == 1);
  CHECK(ahead.take_oldest() == 2);
  CHECK(ahead.durable_by(sync) == 0);
  ahead.add(3);
  CHECK(ahead.durable_by(sync) == 0);
  CHECK_FALSE(ahead.is_syncing());
}

}  // namespace pawl
