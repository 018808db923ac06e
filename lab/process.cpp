#include "lab/process.hpp"

#include <pawl/limits.hpp>
#include <pawl/point.hpp>
#include <pawl/sqlite_store.hpp>

#include "lab/caller.hpp"
#include "lab/free_lock.hpp"
#include "lab/onlooker.hpp"
#include "lab/repeating_store.hpp"
#include "lab/run_plan.hpp"
#include "lab/schedule.hpp"
#include "lab/witness.hpp"
#include "lab/world_executor.hpp"
#include "lab/world_seams.hpp"
#include "lab/world_steps.hpp"
#include "runtime/part_name.hpp"
#include "runtime/plan.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace pawl::lab {

namespace {

constexpr const char* store_name = "pawl.db";

/// A life that does not come to rest within so many events is stuck.
constexpr std::size_t events_max = 30'000;
/// With an operation that fails for ever a life has no end of its own.
constexpr std::size_t events_max_broken = 1'500;

class Process final : public StepWorld {
 public:
  Process(const Start& start, const Life& life, const DiskImage& image)
      : start_(start),
        life_(life),
        chance_(life.seed * 2 + 1),
        course_(life.crash ? life.crash->position : Course::never),
        disk_(image, course_, life.faults, start.disk_lies),
        world_(start.world) {
    worlds_.emplace_back(0, start.world);
  }

  LifeEnd run() {
    current_ = this;
    set_current_disk(&disk_);
    seed_sqlite(static_cast<std::uint32_t>(life_.seed % 1'000'000) + 1);
    arm_points([](const PointHit& hit) { current_->on_point(hit); });
    HistoryEvent began;
    began.what = Happened::life_began;
    began.number = start_.now_ms;
    course_.mark(std::move(began));
    if (open()) {
      go_on();
      shut_down();
    }
    arm_points(nullptr);
    set_current_disk(nullptr);
    current_ = nullptr;
    return take_end();
  }

  // StepWorld: what the user's steps are wrapped in.

  bool dead() const override { return course_.dead(); }

  bool begin_body(const std::string& type, const StepCall& call, bool late) override {
    const std::size_t position = course_.entries().size();
    if (!begin(call, late)) return false;
    bodies_.begin(position, type, call);
    return true;
  }

  bool begin_actor(const StepCall& call) override {
    bodies_.repeatable = false;
    if (!begin(call, true)) return false;  // it lay in the actor's mailbox
    in_body_ = false;  // others go on until it answers: what they reach is not reached in its code
    in_actors_.insert(call.key);
    return true;
  }

  void end_body(const StepCall& call, const StepResult& result) override {
    in_body_ = false;
    in_actors_.erase(call.key);
    advance_world(call.attempt);
    course_.mark(body_ended(call, result));
  }

  bool begin_report(const StepCall& call, const json& value) override {
    // From here on the body depends on what others did, not on its call alone.
    bodies_.repeatable = false;
    advance_world(call.attempt);
    return course_.mark(progress_made(call, value, clock_->now_ms()));
  }

  void end_report() override {
    if (nesting_ < 8) let_others_go_on(60, true);
    if (course_.dead()) throw ProcessDied{};
  }

  bool fails_before(const StepCall& call) override {
    const bool fails = std::exchange(fails_next_, false);
    return (fails || chance_.permille(life_.weather.failed_steps)) && may_fail(call);
  }

  bool loses_answer(const StepCall& call) override {
    return chance_.permille(life_.weather.lost_answers) && may_fail(call);
  }

  /// The step takes its time: others go on meanwhile, on the same stack.
  bool take_time() override {
    if (!chance_.permille(life_.weather.slow_steps) || nesting_ >= 8) return false;
    let_others_go_on(1 + chance_.below(60), false);
    return true;
  }

 private:
  /// Given: `now`, whether only those go on who have something to do without time passing.
  void let_others_go_on(std::uint64_t turns, bool now) {
    const bool was_in_body = std::exchange(in_body_, false);
    ++nesting_;
    while (turns > 0 && !(now && scheduler_->jobs.empty()) && step()) --turns;
    --nesting_;
    in_body_ = was_in_body;
  }

  bool begin(const StepCall& call, bool late) {
    HistoryEvent event = body_began(call);
    event.number = late ? 1 : 0;
    name_user_code(call, event.digest);
    if (!course_.mark(std::move(event))) return false;
    in_body_ = true;
    return true;
  }

  void name_user_code(const StepCall& call, const Digest& input) {
    mix(digest_of(call.key).bytes);
    mix(input.bytes);
  }

  void mix(const std::array<std::uint8_t, 16>& bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    pending_world_ = Chance(pending_world_ ^ word).next();
  }

  /// User code has run up to here: the world is another one, even if the process dies at once.
  void advance_world(int attempt) {
    const auto salt = static_cast<std::uint64_t>(attempt) << 8;
    world_ = Chance(world_ ^ pending_world_ ^ salt).next();
    worlds_.emplace_back(course_.entries().size(), world_);
  }

  bool may_fail(const StepCall& call) {
    const Plan* const plan = plan_of_run(start_.scenario, call.run);
    const PlannedStep* const definition =
        plan == nullptr ? nullptr : definition_of(*plan, part_name_from(call.step));
    if (definition == nullptr) return false;
    const int max = definition->retry.max_attempts;
    // Attempts that failed are counted over all lives: leave the last two alone.
    return call.attempt < max - 1 && nesting_ == 0;
  }

  void on_point(const PointHit& hit) {
    if (in_body_ || !in_actors_.empty()) advance_world(hit.attempt);
    HistoryEvent event;
    event.what = Happened::point;
    event.run = std::string(hit.run);
    event.step = std::string(hit.step);
    event.attempt = hit.attempt;
    event.text = std::string(hit.point);
    if (hit.point == "step.before_body") event.number = clock_->steady_us();
    const std::size_t position = course_.entries().size();
    const bool lives = course_.mark(std::move(event));
    if (lives) suffer_mishaps(hit);
    if (lives && in_body_ && bodies_.repeatable) bodies_.calls.back().points.push_back(position);
    if (!lives && in_body_) throw ProcessDied{};
  }

  void suffer_mishaps(const PointHit& hit) {
    if (life_.mishaps.empty()) return;
    const int visit = ++visits_[std::string(hit.point)];
    for (const Mishap& mishap : life_.mishaps)
      if (mishap.visit == visit && mishap.point == hit.point) suffer(mishap, hit);
  }

  void suffer(const Mishap& mishap, const PointHit& hit) {
    HistoryEvent event;
    event.what = Happened::fault;
    event.text = std::string(to_string(mishap.kind)) + " at " + mishap.point;
    event.step = std::string(hit.step);
    event.attempt = hit.attempt;
    if (!course_.mark(std::move(event))) return;
    const bool in_store = hit.point.substr(0, 6) == "store.";
    switch (mishap.kind) {
      case MishapKind::kill: return schedule_->kill_current();
      case MishapKind::stall: return schedule_->stall_current();
      case MishapKind::fail:
        if (in_store)
          disk_.fail_next();
        else
          fails_next_ = true;
        return;
      case MishapKind::repeat:
        if (in_store)
          repeats_batch_ = true;
        else
          schedule_->repeat_current();
        return;
    }
  }

  bool open() {
    SqliteStoreOptions options;
    options.path = store_name;
    options.vfs = lab_vfs;
    options.take_lock = &FreeLock::take;
    options.checkpoint_pages = 64;  // so that small flows move their log too
    Result<std::unique_ptr<Store>> store = open_sqlite_store(options);
    if (!store) {
      HistoryEvent event;
      event.what = Happened::open_failed;
      event.text = store.error().text();
      if (!disk_.failed() && !course_.dead()) stuck_ = "the store cannot be opened: " + event.text;
      course_.mark(std::move(event));
      return false;
    }
    assemble(std::make_unique<RepeatingStore>(std::move(*store), repeats_batch_));
    caller_ = std::make_unique<Caller>(*core_, course_, start_);
    caller_->call();
    return true;
  }

  void assemble(std::unique_ptr<Store> store) {
    system_ = std::make_unique<caf::actor_system>(config_);
    scheduler_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
    drain_actors();
    EngineOptions options;
    options.folder = "/lab";
    options.at_once_max = start_.scenario.at_once_max;
    options.rates = start_.scenario.rates;
    executor_ = std::make_shared<WorldExecutor>();
    schedule_ = std::make_unique<Schedule>(*scheduler_, *executor_, life_, chance_, course_);
    options.seams = {std::make_shared<SchedulerClock>(*scheduler_, start_.now_ms),
                     std::make_shared<SeededRandom>(life_.seed), executor_};
    options.on_event = [this](const EngineEvent& event) {
      if (std::optional<HistoryEvent> told = told_by(event)) course_.mark(std::move(*told));
      if (event.kind == EventKind::run_started && caller_) caller_->greet(event.run);
    };
    clock_ = options.seams.clock;
    core_ = std::make_unique<EngineCore>(
        *system_, std::move(store), std::make_shared<const Steps>(wrap_steps(start_.steps, *this)),
        std::move(options), nullptr);
  }

  // --- one thing after the other

  void go_on() {
    const bool broken = std::any_of(life_.faults.begin(), life_.faults.end(),
                                    [](const Fault& f) { return f.for_ever; });
    const std::size_t most = broken ? events_max_broken : events_max;
    while (step() || (!course_.dead() && caller_->unpause_all())) {
      if (schedule_->events() < most) continue;
      if (!broken) stuck_ = "the process does not come to rest";
      return course_.die();
    }
    if (broken && disk_.failed()) course_.die();
  }

  /// One message, job or timer; false when there is none, or the process is dead.
  bool step() {
    note_time();
    if (course_.dead() || !schedule_->step()) return false;
    if (chance_.permille(life_.weather.readers)) look_at_store(store_name, course_);
    if (chance_.permille(life_.weather.cancels)) cancel_one();
    if (chance_.permille(life_.weather.pauses)) caller_->pause_or_unpause(any_run());
    return true;
  }

  void note_time() {
    const std::int64_t now_ms = clock_->now_ms();
    while (times_.size() <= course_.entries().size()) times_.push_back(now_ms);
  }

  void cancel_one() {
    if (cancels_++ < 2) caller_->cancel(any_run());
  }

  const std::string& any_run() {
    const auto& runs = start_.scenario.runs;
    return runs[chance_.below(runs.size())].id;
  }

  // --- the end

  void shut_down() {
    note_time();
    if (!course_.dead()) {
      const auto closed = core_->close(false);
      for (std::size_t i = 0; i < 10'000 && !course_.dead() && !closed->value() && step(); ++i) {
      }
      if (!course_.dead() && !closed->value()) stuck_ = "the engine cannot be closed";
    }
    // What a dead process still does is seen by nobody.
    executor_->jobs.clear();
    core_->stop();
    scheduler_->clock().cancel_all();
    drain_actors();
    virtual_ms_ = clock_->now_ms() - start_.now_ms;
    clock_.reset();
    core_.reset();
    for (int i = 0; i < 100 && (scheduler_->has_pending_timeout() || scheduler_->has_job()); ++i) {
      scheduler_->clock().cancel_all();
      drain_actors();
    }
    executor_.reset();
    system_->await_actors_before_shutdown(false);
    system_.reset();
    if (course_.dead()) return;
    HistoryEvent ended;
    ended.what = Happened::ended_cleanly;
    if (course_.mark(std::move(ended))) clean_ = true;
  }

  void drain_actors() {
    while (scheduler_->try_run_once()) {
    }
  }

  LifeEnd take_end() {
    LifeEnd end;
    end.image = clean_ ? disk_.image() : DiskImage{};
    end.worlds = std::move(worlds_);
    end.bodies = std::make_shared<const BodyLog>(std::move(bodies_));
    end.now_ms = start_.now_ms + virtual_ms_;
    end.virtual_ms = virtual_ms_;
    end.events = course_.entries().size() + (schedule_ ? schedule_->events() : 0);
    end.operations = disk_.take_operations();
    end.opened = caller_ != nullptr;
    end.clean = clean_;
    end.stuck = std::move(stuck_);
    if (start_.traced) end.trace = trace_of(course_, schedule_ ? schedule_->trace() : 0);
    const std::int64_t last = times_.empty() ? start_.now_ms : times_.back();
    while (times_.size() <= course_.entries().size()) times_.push_back(last);
    end.times = std::move(times_);
    end.course = std::move(course_);
    return end;
  }

  static inline Process* current_ = nullptr;
  static inline SystemConfig config_;
  const Start& start_;
  const Life& life_;
  Chance chance_;
  Course course_;
  Disk disk_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  std::shared_ptr<WorldExecutor> executor_;
  std::unique_ptr<Schedule> schedule_;
  std::shared_ptr<const Clock> clock_;
  std::unique_ptr<EngineCore> core_;
  std::unique_ptr<Caller> caller_;
  std::vector<std::pair<std::size_t, std::uint64_t>> worlds_;
  BodyLog bodies_;
  std::vector<std::int64_t> times_;
  std::uint64_t world_;
  std::uint64_t pending_world_ = 0;
  std::int64_t virtual_ms_ = 0;
  std::map<std::string, int> visits_;  // of points, if there are mishaps
  int nesting_ = 0;
  int cancels_ = 0;
  bool in_body_ = false;
  std::set<std::string> in_actors_;  // keys of calls that user's actors have not answered
  bool fails_next_ = false;
  bool repeats_batch_ = false;
  bool clean_ = false;
  std::string stuck_;
};

}  // namespace

std::uint64_t LifeEnd::world_at(std::size_t position) const {
  std::uint64_t world = 0;
  for (const auto& [from, named] : worlds)
    if (from <= position) world = named;
  return world;
}

LifeEnd live(const Start& start, const Life& life, const DiskImage& image) {
  LifeEnd end = Process(start, life, image).run();
  end.left = end.clean ? read_left_file(store_name, end.image) : std::make_shared<const LeftFile>();
  if (end.stuck.empty()) end.stuck = end.left->unfinished;
  return end;
}

}  // namespace pawl::lab
