#include <pawl/flow_members.hpp>

namespace pawl::flows {

namespace {

/// Thousandths as a person writes them: 2 and 1.5, not 2.0. Both are read back as what they were.
json decimal(std::int64_t permille) {
  if (permille % 1000 == 0) return permille / 1000;
  return static_cast<double>(permille) / 1000;
}

}  // namespace

void Members::put_object(const char* member, json value) {
  put(member, value.is_null() ? json::object() : std::move(value));
}

void Members::put_retry(const RetryPolicy& policy) {
  const RetryPolicy usual;
  json retry = json::object();
  if (policy.max_attempts != usual.max_attempts) retry["max_attempts"] = policy.max_attempts;
  if (policy.initial_ms != usual.initial_ms) retry["initial_ms"] = policy.initial_ms;
  if (policy.factor_permille != usual.factor_permille)
    retry["factor"] = decimal(policy.factor_permille);
  if (policy.max_ms != usual.max_ms) retry["max_ms"] = policy.max_ms;
  if (policy.jitter_permille != usual.jitter_permille)
    retry["jitter"] = decimal(policy.jitter_permille);
  if (retry.empty())
    members_.erase("retry");
  else
    put("retry", std::move(retry));
}

void Members::add(const char* member, const Names& names) {
  json& list = members_[member];
  if (list.is_null()) list = json::array();
  if (list.is_string()) list = json::array({list});
  for (const std::string& name : names.all()) list.push_back(name);
}

void Members::add_or_put(const char* member, const Names& names) {
  if (names.one() && !members_.contains(member))
    put(member, names.all().front());
  else
    add(member, names);
}

}  // namespace pawl::flows
