// While the log keeper waits for the disk the store writes on, and answers nothing that is not
// there.
#include "actors/store_actor.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <sstream>

namespace pawl::log_keeper_test {

namespace {

/// What a test and its store share.
struct Disk {
  std::string course;               ///< what was asked of the store, in its order
  std::function<void()> on_batch;   ///< called while the next batch is written
  std::vector<Result<void>> waits;  ///< what the next waits of the log keeper give
  Result<void> settles = {};        ///< what waits of the store's own give
  bool fails_second_batch = false;
};

class AheadStore final : public ForwardingStore {
 public:
  AheadStore(const std::shared_ptr<MemoryFile>& file, std::shared_ptr<Disk> disk)
      : ForwardingStore(open_memory_store(file)), disk_(std::move(disk)) {}

  Result<std::vector<WriteReply>> write_ahead(const std::vector<const Write*>& batch,
                                              std::int64_t now_ms) override {
    disk_->course += "write" + std::to_string(batch.size()) + " ";
    if (const auto on_batch = std::exchange(disk_->on_batch, nullptr)) on_batch();
    if (++batches_ == 2 && disk_->fails_second_batch) return make_error(Errc::full, "no room");
    is_ahead_ = true;
    return store_->write(batch, now_ms);
  }

  std::shared_ptr<LogSync> log_sync() override {
    if (!is_ahead_) return nullptr;
    disk_->course += "sync ";
    return std::make_shared<Wait>(disk_);
  }

  Result<void> settle(const LogSync&, Result<void> waited) override {
    disk_->course += waited ? "settle " : "failed ";
    return waited;
  }

  Result<void> settle() override {
    disk_->course += "settle_all ";
    is_ahead_ = false;
    return disk_->settles;
  }

  Result<std::int64_t> count_unfinished() override {
    disk_->course += "read ";
    return ForwardingStore::count_unfinished();
  }

 private:
  struct Wait final : LogSync {
    explicit Wait(std::shared_ptr<Disk> of) : disk(std::move(of)) {}

    Result<void> wait() override {
      disk->course += "wait ";
      if (disk->waits.empty()) return {};
      const Result<void> given = disk->waits.front();
      disk->waits.erase(disk->waits.begin());
      return given;
    }

    std::shared_ptr<Disk> disk;
  };

  std::shared_ptr<Disk> disk_;
  int batches_ = 0;
  bool is_ahead_ = false;
};

/// A store's actor, and somebody who has things written by it.
struct Ahead {
  explicit Ahead(std::uint64_t seed = 1)
      : world(Steps{}, seed),
        store(world.system().spawn(
            store_actor,
            StoreActorConfig{std::make_shared<AheadStore>(world.file, disk), world.seams(),
                             std::make_shared<Reporter>(nullptr, nullptr),
                             std::make_shared<Counters>(), LogWatch(0)})) {}

  ~Ahead() {
    caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
    world.run();
  }

  /// Asks for a run to be started; what is answered goes into `disk->course`.
  void ask(const std::string& run) {
    world.system().spawn(
        [this, run](caf::event_based_actor* self, int) {
          self->request(store, caf::infinite,
                        WritePtr(std::make_shared<const Write>(start_run(run))))
              .then([this, run](const WriteAnswer& answer) {
                disk->course += run + (*answer ? "=written " : "=error ");
              });
        },
        0);
  }

  /// Has `other` asked for while the batch of `run` is written.
  void ask_meanwhile(const std::string& run, const std::vector<std::string>& others) {
    disk->on_batch = [this, others] {
      for (const std::string& other : others) {
        ask(other);
        // The one who asks sends now; the store's actor, which runs, gets it into its mail.
        auto& jobs = dynamic_cast<caf::scheduler::test_coordinator&>(world.system().scheduler());
        jobs.run_once_lifo();
      }
    };
    ask(run);
  }

  World world;
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  StoreActor store;
};

/// Whether each batch was settled by a wait that began after it was written, before it was
/// answered.
bool keeps_order(const std::string& course) {
  int written = 0, covered = 0, settled = 0, answered = 0;
  std::istringstream words(course);
  for (std::string word; words >> word;) {
    if (word.rfind("write", 0) == 0) written += std::stoi(word.substr(5));
    if (word == "sync") covered = written;
    if (word == "settle") settled = std::max(settled, covered);
    if (word == "settle_all") settled = written;
    if (word.find("=written") != std::string::npos && ++answered > settled) return false;
    if (word == "read" && settled < written) return false;
  }
  return true;
}

constexpr std::uint64_t seeds = 40;

/// Looks at what happens, in many orders, when `others` are asked for while r1 is written.
template <class Look>
void in_many_orders(const Disk& disk, const std::vector<std::string>& others, Look&& look) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Ahead ahead(seed);
    *ahead.disk = disk;
    ahead.ask_meanwhile("r1", others);
    ahead.world.run();
    CAPTURE(seed, ahead.disk->course);
    look(ahead.disk->course);
  }
}

bool has(const std::string& course, const char* what) {
  return course.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("log keeper: a batch alone is waited for where it was written", "[actors]") {
  Ahead ahead;
  ahead.ask("r1");
  ahead.world.run();
  CHECK(ahead.disk->course == "write1 settle_all r1=written ");
}

TEST_CASE(
    "log keeper: the next batch is written while it waits, and each is answered when it is durable",
    "[actors]") {
  int side_by_side = 0;
  in_many_orders({}, {"r2", "r3"}, [&](const std::string& course) {
    CHECK(keeps_order(course));
    for (const char* answer : {"r1=written", "r2=written", "r3=written"})
      CHECK(has(course, answer));
    side_by_side += course.find("write", 1) < course.find("settle") ? 1 : 0;
  });
  CHECK(side_by_side > 5);
}

TEST_CASE("log keeper: when the disk fails all that is written ahead is answered so", "[actors]") {
  int two = 0;
  Disk broken;
  broken.waits = {make_error(Errc::io, "the disk is broken")};
  in_many_orders(broken, {"r2"}, [&](const std::string& course) {
    const std::size_t failed = course.find("failed ");
    REQUIRE(failed != std::string::npos);
    const bool both = course.find("write1", 1) < failed;
    CHECK(has(course, "r1=error"));
    CHECK(has(course, both ? "r2=error" : "r2=written"));
    two += both ? 1 : 0;
  });
  CHECK(two > 5);
}

TEST_CASE("log keeper: who reads waits for all that was written before", "[actors]") {
  int ahead_of_reading = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Ahead ahead(seed);
    ahead.ask_meanwhile("r1", {"r2"});
    Result<std::int64_t> read = make_error(Errc::internal, "not read");
    for (std::uint64_t i = 0; i < seed % 8; ++i) ahead.world.step();
    caf::anon_send(ahead.store, Look(std::make_shared<const std::function<void(StoreView&)>>(
                                    [&](StoreView& view) { read = view.count_unfinished(); })));
    ahead.world.run();
    const std::string& course = ahead.disk->course;
    CAPTURE(seed, course);
    CHECK(read.has_value());
    CHECK(keeps_order(course));
    const bool is_ahead =
        has(course, "settle_all read") || has(course, "settle_all r1=written read");
    ahead_of_reading += is_ahead ? 1 : 0;
  }
  CHECK(ahead_of_reading > 0);
}

TEST_CASE("log keeper: a batch that fails is written once more, when those before it are settled",
          "[actors]") {
  int again = 0;
  Disk full;
  full.fails_second_batch = true;
  in_many_orders(full, {"r2"}, [&](const std::string& course) {
    CHECK(has(course, "r1=written"));
    const bool side_by_side = has(course, "write1 settle_all write1");
    CHECK(has(course, side_by_side ? "r2=written" : "r2=error"));
    again += side_by_side ? 1 : 0;
  });
  CHECK(again > 5);
}

TEST_CASE("log keeper: what is written ahead when the store's actor goes is settled and answered",
          "[actors]") {
  int gone_ahead = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Ahead ahead(seed);
    ahead.ask_meanwhile("r1", {"r2"});
    for (std::uint64_t i = 0; i < 2 + seed % 6; ++i) ahead.world.step();
    const bool is_ahead = has(ahead.disk->course, "write") && !has(ahead.disk->course, "settle");
    gone_ahead += is_ahead ? 1 : 0;
    caf::anon_send_exit(ahead.store, caf::exit_reason::user_shutdown);
    ahead.world.run();
    const std::string& course = ahead.disk->course;
    CAPTURE(seed, course);
    CHECK(keeps_order(course));
    const std::size_t written = course.rfind("write1 ");
    if (written == std::string::npos) continue;
    CHECK(course.rfind("settle") > written);
    CHECK(has(course, "r1=written"));
  }
  CHECK(gone_ahead > 0);
}

}  // namespace pawl::log_keeper_test
