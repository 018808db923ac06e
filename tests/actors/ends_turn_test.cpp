// What has ended when a batch of step ends is answered is in the next commit, whatever others want
// written meanwhile.
#include "actors/ends_turn.hpp"

#include "actors/store_actor.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/world.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <set>
#include <string>

using namespace pawl;

namespace {

using Names = std::set<std::string>;

/// The names of steps differ between runs: in a batch they stand without the run's name.
std::string flow_of(int run) {
  const std::string n = std::to_string(run);
  return R"({"flow": "f", "steps": {"a)" + n + R"(": {"run": "x"},
    "b)" +
         n + R"(": {"run": "x", "after": ["a)" + n + R"("]},
    "c)" +
         n + R"(": {"run": "x", "after": ["a)" + n + R"("]},
    "d)" +
         n + R"(": {"run": "x", "after": ["b)" + n + R"("]}}})";
}

/// A store's actor of which somebody else is the only user, in a world that moves when it is told
/// to.
struct LoneStore {
  LoneStore() {
    auto first = open_memory_store(world.file);
    key = put(*first, start_run("r1")).run;
    first.reset();
    store = world.system().spawn(
        store_actor, StoreActorConfig{std::make_shared<BrokenStore>(world.file, world.disk),
                                      world.seams(), std::make_shared<Reporter>(nullptr, nullptr),
                                      std::make_shared<Counters>(), LogWatch(0), turn});
  }

  ~LoneStore() { caf::anon_send_exit(store, caf::exit_reason::user_shutdown); }

  LoneStore(const LoneStore&) = delete;
  LoneStore& operator=(const LoneStore&) = delete;

  Message<EndsGroup> ends(const std::string& step) const {
    auto group = std::make_shared<EndsGroup>();
    group->writes.push_back(append(key, output_record(step, 1, "x")));
    return group;
  }

  WritePtr other(const std::string& step) const {
    return std::make_shared<const Write>(append(key, output_record(step, 1, "x")));
  }

  /// Sends what is to be written, and lets all happen that can; its answer adds `step` to
  /// `answers`.
  template <class Answer, class What>
  void write(const What& what, std::string& answers, const std::string& step) {
    world.system().spawn(
        [&answers, to = store, what, step](caf::event_based_actor* self, int) {
          self->request(to, caf::infinite, what).then([&answers, step](const Answer&) {
            answers += step;
          });
        },
        0);
    world.run();
  }

  void say_no_ends() {
    CHECK(turn->end());
    caf::anon_send(store, Message<NoEnds>(std::make_shared<NoEnds>()));
    world.run();
  }

  World world{Steps{}};
  RunKey key = 0;
  std::shared_ptr<EndsTurn> turn = std::make_shared<EndsTurn>();
  StoreActor store;
};

}  // namespace

TEST_CASE("ends turn: others are held back while it is the step runner's, and it is told if so",
          "[actors]") {
  EndsTurn turn;
  CHECK(turn.hold_others() == EndsTurn::Hold::none);
  CHECK_FALSE(turn.end());
  turn.give();
  CHECK_FALSE(turn.end());  // nobody waited
  CHECK(turn.hold_others() == EndsTurn::Hold::none);
  turn.give();
  CHECK(turn.hold_others() == EndsTurn::Hold::begins);
  CHECK(turn.hold_others() == EndsTurn::Hold::goes_on);
  CHECK(turn.end());
  CHECK_FALSE(turn.end());
  CHECK(turn.hold_others() == EndsTurn::Hold::none);
}

TEST_CASE("ends turn: what has ended when ends are answered is in the next commit", "[actors]") {
  const auto seed = GENERATE(range<std::uint64_t>(1, 41));
  CAPTURE(seed);
  Names ended;    // bodies that have returned and are in no commit yet
  Names at_last;  // those that had when the last commit began; none returns during one
  Names owed;     // to the commit that is written now
  Names in_this;
  Names missed;
  std::size_t proven = 0;
  World world(Steps{{"x",
                     [&](const StepCall& call) {
                       ended.insert(call.step);
                       return done();
                     }}},
              seed);
  const auto look_at_last = [&] {
    for (const std::string& step : owed) {
      if (in_this.count(step) > 0)
        ++proven;
      else
        missed.insert(step);
    }
    owed.clear();
    if (!in_this.empty()) owed = at_last;
    for (const std::string& step : in_this) {
      ended.erase(step);
      owed.erase(step);
    }
  };
  world.disk->on_batch = [&] {
    look_at_last();
    in_this.clear();
    at_last = ended;
  };
  world.disk->fails = [&](const Write& write) {
    const auto* const append = std::get_if<AppendRecord>(&write);
    if (append != nullptr && append->record->kind == RecordKind::output)
      in_this.insert(append->record->step);
    return false;
  };
  world.run();  // the engine's look for runs that are due, which is a read
  for (int i = 0; i < 10; ++i) world.start(flow_of(i), "r" + std::to_string(i));
  world.run();  // no time passes: nobody is held back for longer than the turn takes
  look_at_last();
  for (int i = 0; i < 10; ++i)
    CHECK(open_memory_view(world.file)->load("r" + std::to_string(i)).value()->row.state ==
          RunState::succeeded);
  CHECK(missed.empty());
  CHECK(proven > 0);
  CHECK(owed.empty());
}

TEST_CASE("ends turn: a step runner that does not end its turn keeps nobody for long", "[actors]") {
  LoneStore lone;
  std::string answers;
  const auto write_end = [&](const std::string& step) {
    lone.write<WriteGroupAnswer>(lone.ends(step), answers, step);
  };
  const auto write_other = [&](const std::string& step) {
    lone.write<WriteAnswer>(lone.other(step), answers, step);
  };
  write_end("a");
  write_other("b");
  CHECK(answers == "a");
  lone.world.run_for(9);
  CHECK(answers == "a");
  lone.world.run_for(1);
  CHECK(answers == "ab");
  // Step ends are never held back, and end the turn of their own.
  write_end("c");
  write_other("d");
  CHECK(answers == "abc");
  write_end("e");
  CHECK((answers == "abcde" || answers == "abced"));
  // The clock of a hold that is over does not count against the next one.
  answers = "";
  write_other("f");
  lone.world.run_for(6);
  lone.say_no_ends();
  CHECK(answers == "f");
  write_end("g");
  write_other("h");
  write_other("i");
  lone.world.run_for(5);
  CHECK(answers == "fg");
  lone.say_no_ends();
  CHECK((answers == "fghi" || answers == "fgih"));
}

TEST_CASE("ends turn: a read that commits step ends leaves no other commit behind", "[actors]") {
  LoneStore lone;
  std::string answers;
  lone.world.system().spawn(
      [&answers, store = lone.store, ends = lone.ends("a"), other = lone.other("b")](
          caf::event_based_actor* self, int) {
        self->request(store, caf::infinite, ends).then([&answers](const WriteGroupAnswer&) {
          answers += "ends ";
        });
        self->send(store, Look(std::make_shared<const std::function<void(StoreView&)>>(
                              [&answers](StoreView&) { answers += "look "; })));
        self->request(store, caf::infinite, other).then([&answers](const WriteAnswer&) {
          answers += "other ";
        });
      },
      0);
  lone.world.run();
  CHECK(answers == "look ends ");
  lone.say_no_ends();
  CHECK(answers == "look ends other ");
}
