/// AnswerBox: where step threads leave their answers for the step runner, which one message wakes
/// however many they are.
#pragma once

#include <pawl/record.hpp>

#include "actors/dispatch.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace pawl {

/// Threads: any.
class AnswerBox {
 public:
  /// What an attempt answered, as the record that it leaves if it answered in time.
  struct Answer {
    DispatchPtr dispatch;
    std::shared_ptr<Record> record;
  };

  /// Given: `wake`, called by the thread that leaves the first answer since the last `take`.
  explicit AnswerBox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void put(Answer answer) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      answers_.push_back(std::move(answer));
      if (answers_.size() > 1) return;
    }
    wake_();
  }

  /// Gives what is there, in its order, in the room that `answers` has.
  void take(std::vector<Answer>& answers) {
    answers.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_.swap(answers);
  }

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

}  // namespace pawl
