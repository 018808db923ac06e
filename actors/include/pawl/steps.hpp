/// Steps: which step types a program has, and what performs each.
#pragma once

#include <pawl/step.hpp>
#include <pawl/step_type.hpp>

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace pawl {

/// Makes the actor behind a step type; see step_actor.hpp.
class StepActorFactory;

namespace detail {

// What a callable takes and gives, for functions and for objects with one operator().
template <class F, class = void>
struct signature;

template <class R, class... A>
struct signature<R (*)(A...)> {
  using result = std::decay_t<R>;
  using first = std::decay_t<std::tuple_element_t<0, std::tuple<A...>>>;
  static constexpr std::size_t count = sizeof...(A);
};

template <class C, class R, class... A>
struct signature<R (C::*)(A...) const> : signature<R (*)(A...)> {};

template <class C, class R, class... A>
struct signature<R (C::*)(A...)> : signature<R (*)(A...)> {};

template <class F>
struct signature<F, std::void_t<decltype(&F::operator())>> : signature<decltype(&F::operator())> {};

}  // namespace detail

/// What performs a step type. Made from any of:
///
/// - `StepResult f(const StepCall&)`
/// - `Out f(const In&)` or `Out f(const In&, const StepCall&)`, where nlohmann::json converts `In`
///   from the step's parameters and `Out` to its output. Parameters that do not convert fail the
///   step for good; what `f` throws is an attempt that failed.
/// - `step_actor(...)` of step_actor.hpp
///
/// Threads:  functions run on the engine's step threads, any number of calls at once; they may
///           block.
/// Lifetime: what a function refers to must outlive the engine, and any call that hangs when it
///           closes.
class StepBody {
 public:
  using Function = std::function<StepResult(const StepCall&)>;

  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, StepBody>>>
  StepBody(F callable) : body_(make(std::move(callable))) {}

  StepBody(std::shared_ptr<const StepActorFactory> factory) : body_(std::move(factory)) {}

  /// The function; null when an actor performs the step.
  const Function* function() const { return std::get_if<Function>(&body_); }

  const std::shared_ptr<const StepActorFactory>& actor_factory() const {
    return std::get<1>(body_);
  }

 private:
  template <class F>
  static Function make(F callable) {
    if constexpr (std::is_invocable_r_v<StepResult, F&, const StepCall&>) {
      return Function(std::move(callable));
    } else {
      using Shape = detail::signature<F>;
      static_assert(Shape::count == 1 || Shape::count == 2,
                    "a typed step is Out f(const In&) or Out f(const In&, const StepCall&)");
      return [typed = std::move(callable)](const StepCall& call) mutable -> StepResult {
        std::unique_ptr<typename Shape::first> in;
        try {
          in = std::make_unique<typename Shape::first>(
              call.with.template get<typename Shape::first>());
        } catch (const json::exception& error) {
          return fail(std::string("the parameters do not fit: ") + error.what());
        }
        if constexpr (Shape::count == 2)
          return done(json(typed(*in, call)));
        else
          return done(json(typed(*in)));
      };
    }
  }

  std::variant<Function, std::shared_ptr<const StepActorFactory>> body_;
};

/// Step types by name.
///
///     Steps steps{{"reserve", reserve}, {"charge", charge}};
class Steps {
 public:
  Steps() = default;

  Steps(std::initializer_list<std::pair<std::string, StepBody>> types) {
    for (const auto& [name, body] : types) add(name, body);
  }

  /// Adds a type. A name that is there already makes `Engine::open` fail.
  Steps& add(const std::string& name, StepBody body, StepTypeInfo info = {}) {
    if (!bodies_.emplace(name, std::move(body)).second) repeated_.push_back(name);
    types_[name] = std::move(info);
    return *this;
  }

  const StepTypes& types() const { return types_; }

  const std::map<std::string, StepBody>& bodies() const { return bodies_; }

  /// Names that were added more than once.
  const std::vector<std::string>& repeated() const { return repeated_; }

 private:
  std::map<std::string, StepBody> bodies_;
  StepTypes types_;
  std::vector<std::string> repeated_;
};

}  // namespace pawl
